"""Recordings of any kind to RVT's layout and back, and what exports must never take for their own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import read_dat
from eventdet.geometry import fit_pixels
from eventdet.preprocessing import ConvertOptions, Representation, convert, open_stored_recording
from eventdet.preprocessing.interchange import RvtOptions, ShardOptions, export_rvt, export_shards, import_rvt
from eventdet.preprocessing.interchange._shard_writers import Sample, npz_writer
from eventdet.preprocessing.verify import verify_store

from .stores import HISTOGRAM, SIZE, RvtSequence, make_labels, make_recording, make_store

OPTIONS = RvtOptions(representation=HISTOGRAM)
FOLDER = "histogram_dt=50_nbins=3"
EVENTS_ONLY = ConvertOptions(write_frames=False)


@st.composite
def _events(draw: st.DrawFn) -> Events:
    # Stamps of windows' edges are as likely as any other.
    stamps = st.integers(0, 900_000) | st.integers(0, 18).map(lambda number: number * 50_000)
    start = draw(st.sampled_from([0, 3, 1_000_000]))
    rows = draw(
        st.lists(
            st.tuples(stamps, st.integers(0, SIZE.width - 1), st.integers(0, SIZE.height - 1), st.integers(0, 1)),
            min_size=1, max_size=60,
        )
    )  # fmt: skip
    t, x, y, p = zip(*sorted(rows), strict=True)
    return Events.from_columns(t=[start + stamp for stamp in t], x=x, y=y, p=p)


def _make_boxes(rows: list[tuple[int, bool]], start_us: int) -> Boxes:
    """Return boxes of which RVT keeps the large ones, numbered by their track."""
    xywh = [[3, 4, 30, 20] if is_large else [5, 6, 8, 9] for _, is_large in rows]
    stamps = [start_us + stamp for stamp, _ in rows]
    return Boxes.from_xywh(
        np.array(xywh, np.float32).reshape(-1, 4), t=np.array(stamps, np.int64), track_id=np.arange(len(rows))
    )


@settings(max_examples=12)
@given(_events(), st.lists(st.tuples(st.integers(0, 900_000), st.booleans()), max_size=6), st.booleans())
def test_any_recording_comes_back_as_rvt_sees_it(
    events: Events, labels: list[tuple[int, bool]], is_of_rvt: bool
) -> None:
    representation = Representation("rvt_histogram", 10) if is_of_rvt else HISTOGRAM
    boxes = _make_boxes(labels, int(events.t[0]) // 250_000 * 250_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_recording(folder / "raw", "a", events=events, labels=boxes)
        convert(folder / "raw", folder / "store", EVENTS_ONLY)
        summary = export_rvt(folder / "store", folder / "rvt", RvtOptions(representation=representation))
        assert summary.num_boxes + sum(summary.labels_dropped.values()) == len(boxes)
        if summary.skipped:
            assert not (folder / "rvt/train/a").exists()
            return
        import_rvt(folder / "rvt", folder / "back")
        assert verify_store(folder / "back", deep=True, source=folder / "rvt").findings == ()
        sequence = RvtSequence(next((folder / "rvt/train").iterdir()), _folder_of(representation))
        back = open_stored_recording(folder / "back")
        large = {number for number, (_, is_large) in enumerate(labels) if is_large}
        on_time = set(np.flatnonzero(np.isin(boxes.t, sequence.label_times_us)).tolist())
        assert set(back.labels().track_id.tolist()) == large & on_time
        frames, pixels = back.frames(), fit_pixels(SIZE, SIZE)
        stored, _ = read_dat(folder / "raw/a_td.dat")
        for index, tensor in enumerate(frames):
            t0_us, t1_us = frames.window(index)
            seen = stored.between(t0_us, t1_us + is_of_rvt)
            np.testing.assert_array_equal(tensor, representation(seen, t0_us, t1_us + is_of_rvt, pixels))
        stamps, windows = back.label_windows
        assert [frames.window(window)[1] for window in windows.tolist()] == stamps.tolist()


def _folder_of(representation: Representation) -> str:
    return FOLDER if representation == HISTOGRAM else "stacked_histogram_dt=50_nbins=10"


@pytest.mark.parametrize("labels", [None, Boxes.empty()], ids=["exported", "skipped"])
def test_what_an_export_did_not_write_is_neither_replaced_nor_removed(labels: Boxes | None, tmp_path: Path) -> None:
    make_recording(tmp_path / "raw/train", labels=labels)
    convert(tmp_path / "raw", tmp_path / "store", EVENTS_ONLY)
    precious = tmp_path / "rvt/train/drive/event_representations_v2/of_somebody_else"
    precious.parent.mkdir(parents=True)
    precious.write_bytes(b"hours of work")
    with pytest.raises(OptionError, match="exists and is not of an export"):
        export_rvt(tmp_path / "store", tmp_path / "rvt", OPTIONS)
    assert precious.read_bytes() == b"hours of work"


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 100)], ids=["removed", "cut"])
def test_export_writes_again_what_has_lost_a_file(harm: Any, tmp_path: Path) -> None:
    store = make_store(tmp_path)
    export_rvt(store, tmp_path / "rvt", OPTIONS)
    sequence = RvtSequence(tmp_path / "rvt/train/drive0", FOLDER)
    tensors = sequence.tensors(0, 99)
    harm(sequence.file)
    assert export_rvt(store, tmp_path / "rvt", OPTIONS).num_written == 1
    np.testing.assert_array_equal(RvtSequence(tmp_path / "rvt/train/drive0", FOLDER).tensors(0, 99), tensors)
    assert export_rvt(store, tmp_path / "rvt", OPTIONS).num_up_to_date == 1


def test_import_notices_that_stamps_have_changed(tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    import_rvt(tmp_path / "rvt", tmp_path / "back")
    ends = tmp_path / f"rvt/train/drive0/event_representations_v2/{FOLDER}/timestamps_us.npy"
    np.save(ends, np.load(ends) + 1)
    assert import_rvt(tmp_path / "rvt", tmp_path / "back").num_written == 1
    assert open_stored_recording(tmp_path / "back").frames().window(0) == (50_001, 100_001)


@pytest.mark.parametrize(
    "note",
    [
        [],
        {"options": None},
        {"options": "representation"},
        {"options": {"representation": 5}},
        {"options": {"representation": {"name": "histogram", "bins": "many"}}},
        {"options": {"representation": {"name": "histogram", "bins": 3, "parameters": [1]}}},
        {"options": {"representation": {"name": "histogram", "bins": 3, "parameters": {"no": 1}}}},
        {"options": {"representation": {"name": "voxel", "bins": 3, "parameters": {}}}, "synthetic": "perhaps"},
    ],
    ids=str,
)
def test_import_believes_the_folder_where_a_note_says_nothing_or_something_else(note: Any, tmp_path: Path) -> None:
    export_rvt(make_store(tmp_path), tmp_path / "rvt", OPTIONS)
    (tmp_path / "rvt/train/drive0/eventdet.json").write_text(json.dumps(note))
    import_rvt(tmp_path / "rvt", tmp_path / "back")
    back = open_stored_recording(tmp_path / "back")
    assert (back.frames().representation, back.synthetic) == (HISTOGRAM, None)


def test_recording_that_is_the_current_folder_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_recording(tmp_path / "raw", "drive", labels=make_labels())
    convert(tmp_path / "raw", tmp_path / "store", EVENTS_ONLY)
    monkeypatch.chdir(tmp_path / "store/drive_td.zarr")
    export_rvt(".", tmp_path / "rvt", OPTIONS)
    assert [path.name for path in (tmp_path / "rvt/train").iterdir()] == ["drive"]
    export_shards(".", tmp_path / "npz", ShardOptions(representation=HISTOGRAM))
    with np.load(tmp_path / "npz/shard-000000.npz") as shard:
        assert shard["recordings"].tolist() == ["drive_td.zarr"]
    monkeypatch.chdir(tmp_path / "rvt/train/drive")
    import_rvt(".", tmp_path / "back")
    assert open_stored_recording(tmp_path / "back").path.name == "drive.zarr"


def test_recording_above_the_current_folder_keeps_its_name_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_recording(tmp_path / "raw", "drive", labels=make_labels())
    convert(tmp_path / "raw", tmp_path / "store", EVENTS_ONLY)
    monkeypatch.chdir(tmp_path / "store/drive_td.zarr/events")
    export_rvt("..", tmp_path / "rvt", OPTIONS)
    assert [path.name for path in (tmp_path / "rvt/train").iterdir()] == ["drive"]


def test_npz_keeps_no_tensor_that_it_has_written() -> None:
    with npz_writer(BytesIO(), 2) as add:
        tensor = np.zeros((2, 3), np.uint8)
        reference = weakref.ref(tensor)
        add(Sample(0, "a", None, 0, 1, tensor, Boxes.empty()))
        del tensor
        assert reference() is None
        add(Sample(1, "a", None, 1, 2, np.zeros((2, 3), np.uint8), Boxes.empty()))


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["rvt", "npz", "webdataset"])
def test_export_killed_at_random_moments_goes_on_to_the_same_bytes(layout: str, tmp_path: Path) -> None:
    store = make_store(tmp_path, splits=("train", "val"))
    options = ["--bins", "3", "--representation", "histogram", "--to", layout]
    command = [sys.executable, "-m", "eventdet.cli", "export", str(store), *options, "-q", "-o"]
    subprocess.run([*command, str(tmp_path / "undisturbed")], check=True)
    rng = np.random.default_rng(1)
    num_killed = 0
    for _ in range(8):
        process = subprocess.Popen([*command, str(tmp_path / "killed")])
        while process.poll() is None and not any((tmp_path / "killed").glob("*")):
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.06))
        num_killed += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True)
    assert num_killed > 0
    got, expected = (_files(tmp_path / name) for name in ("killed", "undisturbed"))
    assert got == expected


def _files(folder: Path) -> dict[str, bytes]:
    """Return all but the note, which tells what one run did."""
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    del files["eventdet.json"]
    return files
