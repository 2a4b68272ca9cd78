"""HDF5 files in the layouts that DSEC and RVT publish, written by h5py alone, as a stranger's converter would."""

from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import open_recording
from eventdet.geometry import SensorSize
from eventdet.preprocessing import ConvertOptions, Representation, convert, open_stored_recording
from eventdet.preprocessing.verify import verify_store

DSEC_SIZE = SensorSize(480, 640)
DSEC_OFFSET_US = 49_599_300_523
"""As in the training set: the clock of the cameras, some 13 hours."""

RVT_SIZE = SensorSize(30, 40)
RVT_LABELS = np.dtype(
    [("t", "<i8"), ("x", "<f4"), ("y", "<f4"), ("w", "<f4"), ("h", "<f4"), ("class_id", "<u4"),
     ("class_confidence", "<f4"), ("track_id", "<u4")]
)  # fmt: skip


def _dsec_events(num_events: int = 5000) -> Events:
    """Return 20 ms of events on the file's own clock, which begins at zero, with a gap of 4 ms."""
    rng = np.random.default_rng(8)
    t = np.sort(rng.integers(0, 20_000, num_events))
    t[t >= 9000] += 4000
    x, y = (rng.integers(0, side, num_events).astype(np.uint16) for side in (DSEC_SIZE.width, DSEC_SIZE.height))
    return Events(t.astype(np.int64), x, y, rng.integers(0, 2, num_events).astype(np.uint8))


def _write_dsec(path: Path, events: Events, *, ms_to_idx: NDArray[np.uint64] | None = None) -> None:
    """Write ``events.h5``: four columns under blosc, stamps of 32 bits from `t_offset` on, an index by milliseconds."""
    stamps = events.t.astype(np.uint32)
    if ms_to_idx is None:
        # t[ms_to_idx[ms]] >= ms * 1000, t[ms_to_idx[ms] - 1] < ms * 1000.
        ms_to_idx = np.searchsorted(stamps, np.arange(0, int(stamps[-1]) + 1000, 1000)).astype(np.uint64)
    with h5py.File(path, "w") as file:
        columns = {"x": events.x, "y": events.y, "p": events.p, "t": stamps}
        for name, column in columns.items():
            file.create_dataset(
                f"events/{name}", data=column, chunks=(min(1024, len(events)),), **hdf5plugin.Blosc(cname="zstd")
            )
        file["ms_to_idx"] = ms_to_idx
        file["t_offset"] = np.int64(DSEC_OFFSET_US)


def test_dsec_events_are_converted_on_the_clock_of_its_images(tmp_path: Path) -> None:
    events = _dsec_events()
    _write_dsec(tmp_path / "events.h5", events)
    options = ConvertOptions(Representation("histogram", 2), window_us=5000, sensor_size=DSEC_SIZE)
    summary = convert([tmp_path / "events.h5"], tmp_path / "out.zarr", options)
    assert (summary.num_events, summary.failed) == (5000, ())
    stored = open_stored_recording(tmp_path / "out.zarr")
    assert (stored.t_first_us, stored.t_last_us) == tuple(DSEC_OFFSET_US + events.t[[0, -1]])
    got = stored.events()
    np.testing.assert_array_equal(got.t, events.t + DSEC_OFFSET_US)
    for name in ("x", "y", "p"):
        np.testing.assert_array_equal(getattr(got, name), getattr(events, name))
    assert sum(int(tensor.sum(dtype=np.int64)) for tensor in stored.frames()) == 5000
    assert verify_store(tmp_path / "out.zarr", deep=True, source=tmp_path).findings == ()


@pytest.mark.parametrize("millisecond", [0, 8, 9, 11, 13, 23])
def test_part_of_dsec_is_what_its_own_index_names(tmp_path: Path, millisecond: int) -> None:
    _write_dsec(tmp_path / "events.h5", _dsec_events())
    with h5py.File(tmp_path / "events.h5") as file:
        start, stop = (int(entry) for entry in file["ms_to_idx"][millisecond : millisecond + 2])
        expected = file["events/t"][start:stop].astype(np.int64) + file["t_offset"][()]
    t0_us = DSEC_OFFSET_US + millisecond * 1000
    part = open_recording(tmp_path / "events.h5", sensor_size=DSEC_SIZE).slice(t0_us, t0_us + 1000)
    np.testing.assert_array_equal(part.t, expected)


def test_index_of_dsec_is_not_believed(tmp_path: Path) -> None:
    _write_dsec(tmp_path / "events.h5", _dsec_events(), ms_to_idx=np.full(25, 1 << 60, np.uint64))
    recording = open_recording(tmp_path / "events.h5", sensor_size=DSEC_SIZE)
    assert recording.num_events == 5000
    assert len(recording.slice(DSEC_OFFSET_US, DSEC_OFFSET_US + 9000)) == np.count_nonzero(_dsec_events().t < 9000)


def test_dsec_without_a_sensor_size_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _write_dsec(tmp_path / "events.h5", _dsec_events(50))
    assert run(["convert", str(tmp_path / "events.h5"), "-o", str(tmp_path / "out.zarr")]) == 3
    assert "sensor" in capsys.readouterr().err
    arguments = ["convert", str(tmp_path / "events.h5"), "-o", str(tmp_path / "out.zarr"), "--window", "5ms"]
    assert run([*arguments, "--sensor-size", "640x480"]) == 0


def _write_rvt(folder: Path) -> tuple[NDArray[np.uint8], NDArray[np.void]]:
    """Write one sequence of two labelled times and six windows of 50 ms, as RVT's script leaves it."""
    rng = np.random.default_rng(2)
    tensors = folder / "event_representations_v2" / "stacked_histogram_dt=50_nbins=10"
    tensors.mkdir(parents=True)
    (folder / "labels_v2").mkdir()
    data = rng.integers(0, 11, (6, 20, *RVT_SIZE)).astype(np.uint8)
    ends_us = np.arange(1, 7) * 50_000
    with h5py.File(tensors / "event_representations.h5", "w") as file:
        file.create_dataset(
            "data", data=data, chunks=(1, *data.shape[1:]), maxshape=(None, *data.shape[1:]),
            **hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=hdf5plugin.Blosc.SHUFFLE),
        )  # fmt: skip
    np.save(tensors / "timestamps_us.npy", ends_us)
    np.save(tensors / "objframe_idx_2_repr_idx.npy", np.array([1, 5]))
    labels = np.zeros(3, RVT_LABELS)
    labels["t"], labels["class_id"], labels["track_id"] = [100_000, 100_000, 300_000], [0, 1, 0], [7, 8, 7]
    labels["x"], labels["y"], labels["w"], labels["h"] = [1, 5, 9.5], [2, 3, 4], [20, 15, 12.25], [20, 25, 21]
    labels["class_confidence"] = 1
    np.savez(folder / "labels_v2" / "labels.npz", labels=labels, objframe_idx_2_label_idx=np.array([0, 2]))
    np.save(folder / "labels_v2" / "timestamps_us.npy", np.array([100_000, 300_000]))
    return data, labels


def test_rvt_sequence_is_imported_with_frames_labels_and_their_windows(tmp_path: Path) -> None:
    data, labels = _write_rvt(tmp_path / "gen1" / "train" / "17-03-30_12-53-58_1037500000_1097500000")
    assert run(["import", str(tmp_path / "gen1"), "-o", str(tmp_path / "out.zarr"), "--from", "rvt"]) == 0
    stored = open_stored_recording(tmp_path / "out.zarr")
    frames = stored.frames()
    assert stored.path.relative_to(tmp_path / "out.zarr").parts[0] == "train"
    assert (stored.sensor_size, frames.representation) == (RVT_SIZE, Representation("rvt_histogram", 10))
    # RVT's channels are all bins of OFF, then all bins of ON: the axes of rvt_histogram, laid end to end.
    np.testing.assert_array_equal(np.stack(list(frames)).reshape(data.shape), data)
    assert [frames.window(index) for index in (0, 5)] == [(0, 50_000), (250_000, 300_000)]
    boxes = stored.labels()
    np.testing.assert_array_equal(boxes.t, labels["t"])
    np.testing.assert_array_equal(boxes.class_id, labels["class_id"])
    np.testing.assert_array_equal(boxes.track_id, labels["track_id"])
    np.testing.assert_array_equal(boxes.xyxy[:, 2] - boxes.xyxy[:, 0], labels["w"])
    stamps, windows = stored.label_windows
    assert (stamps.tolist(), windows.tolist()) == ([100_000, 300_000], [1, 5])
    assert verify_store(tmp_path / "out.zarr", deep=True).findings == ()


def test_labels_of_rvt_of_an_older_script_keep_the_window_that_its_index_names(tmp_path: Path) -> None:
    folder = tmp_path / "gen1" / "val" / "a"
    _write_rvt(folder)
    # The labelled time lies 20 ms after the end of window 1, and before that of window 2.
    np.save(folder / "labels_v2" / "timestamps_us.npy", np.array([120_000, 300_000]))
    with np.load(folder / "labels_v2" / "labels.npz") as archive:
        labels, first = archive["labels"], archive["objframe_idx_2_label_idx"]
    labels["t"][:2] = 120_000
    np.savez(folder / "labels_v2" / "labels.npz", labels=labels, objframe_idx_2_label_idx=first)
    assert run(["import", str(tmp_path / "gen1"), "-o", str(tmp_path / "out.zarr"), "--from", "rvt"]) == 0
    stamps, windows = open_stored_recording(tmp_path / "out.zarr").label_windows
    assert (stamps.tolist(), windows.tolist()) == ([120_000, 300_000], [1, 5])


def test_rvt_events_with_their_sensor_are_converted_with_labels_beside_them(tmp_path: Path) -> None:
    """``x_td.dat.h5``, what RVT's preprocessing starts from, and ``x_bbox.npy`` of the data set."""
    events = _dsec_events(800)
    events = Events(events.t, events.x % 40, events.y % 30, events.p)
    with h5py.File(tmp_path / "x_td.dat.h5", "w") as file:
        for name in ("t", "x", "y", "p"):
            file.create_dataset(f"events/{name}", data=getattr(events, name), **hdf5plugin.Blosc(cname="zstd"))
        file["events/height"], file["events/width"] = RVT_SIZE
    labels = np.zeros(2, RVT_LABELS)
    labels["t"], labels["w"], labels["h"] = [9000, 20_000], 20, 10
    np.save(tmp_path / "x_bbox.npy", labels)
    options = ConvertOptions(Representation("histogram", 2), window_us=5000, align="label-end")
    assert convert([tmp_path], tmp_path / "out.zarr", options).num_events == 800
    stored = open_stored_recording(tmp_path / "out.zarr")
    assert (stored.sensor_size, stored.frames().window(0), len(stored.labels())) == (RVT_SIZE, (4000, 9000), 2)
    assert int(stored.frames()[0].sum()) == np.count_nonzero((events.t >= 4000) & (events.t < 9000))
