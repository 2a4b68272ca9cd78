"""Conversion: what is stored is what the file holds, a second run resumes, bad files are told and skipped."""

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError
from eventdet.events import Events
from eventdet.formats import Recording, open_recording, read_dat, write_boxes, write_dat, write_evt2, write_evt3
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing import (
    ConvertOptions,
    ConvertProgress,
    Representation,
    convert,
    event_histogram,
    find_stored_recordings,
    open_stored_recording,
    voxel_grid,
)
from eventdet.sources.stored import open_file_or_store
from eventdet.triggers import Triggers

from .references import dat_words, histogram_reference, voxel_reference

SIZE = SensorSize(6, 8)
SMALL = ConvertOptions(representation=Representation("histogram", 3), window_us=1000)


def _events(num_events: int = 400, *, seed: int = 0, size: SensorSize = SIZE, start_us: int = 2345) -> Events:
    rng = np.random.default_rng(seed)
    # Pauses of several windows, so that empty windows occur.
    t = start_us + np.cumsum(rng.choice([0, 1, 5, 40, 3500], num_events, p=[0.3, 0.3, 0.3, 0.09, 0.01]))
    return Events(
        t.astype(np.int64),
        rng.integers(0, size.width, num_events, np.uint16),
        rng.integers(0, size.height, num_events, np.uint16),
        rng.integers(0, 2, num_events, np.uint8),
    )


def _boxes() -> Boxes:
    return Boxes.from_xywh([[1, 2, 3, 4], [0, 0, 2, 2]], t=[5000, 3000], class_id=[1, 0], track_id=[7, 8])


def _assert_equal(got: Events, expected: Events) -> None:
    np.testing.assert_array_equal(got.to_structured(), expected.to_structured())


@pytest.mark.parametrize("write", [write_dat, write_evt2, write_evt3], ids=["dat", "evt2", "evt3"])
def test_events_of_every_format_are_stored_bit_for_bit(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "drive_td.raw"
    write(path, _events(), SIZE)
    source = Events.concatenate(open_recording(path).chunks())
    convert(path, tmp_path / "out.zarr", SMALL)
    _assert_equal(open_stored_recording(tmp_path / "out.zarr").events(), source)


def test_dat_to_store_to_dat_gives_the_same_bytes(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    write_dat(tmp_path / "b_td.dat", open_stored_recording(tmp_path / "out.zarr").events(), SIZE)
    assert (tmp_path / "b_td.dat").read_bytes() == (tmp_path / "a_td.dat").read_bytes()


@pytest.mark.parametrize(("length_us", "stride_us"), [(1000, 1000), (1000, 400), (300, 1000)])
@pytest.mark.parametrize("name", ["histogram", "voxel"])
def test_stored_frames_equal_the_reference_of_each_window(
    tmp_path: Path, name: str, length_us: int, stride_us: int
) -> None:
    events = _events()
    write_dat(tmp_path / "a_td.dat", events, SIZE)
    representation = Representation(name, 3)
    options = ConvertOptions(representation=representation, window_us=length_us, stride_us=stride_us)
    summary = convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", options)
    frames = open_stored_recording(tmp_path / "out.zarr").frames(name)
    reference = histogram_reference if name == "histogram" else voxel_reference
    assert frames.start_us == events.t[0] // stride_us * stride_us
    # The last window is the first one that reaches beyond the last event, or the last to begin before it.
    starts = range(frames.start_us, int(events.t[-1]) + 1, stride_us)
    assert len(frames) == 1 + next(
        (k for k, start in enumerate(starts) if start + length_us > events.t[-1]), len(starts) - 1
    )
    assert summary.num_frames == len(frames)
    for k, tensor in enumerate(frames):
        expected, _ = reference(events, frames.window(k), 3, fit_pixels(SIZE, SIZE))
        np.testing.assert_array_equal(tensor, expected)


def test_stored_frames_equal_the_live_tensors_from_mapped_records(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    recording: Any = open_recording(tmp_path / "a_td.dat")
    frames = open_stored_recording(tmp_path / "out.zarr").frames()
    pixels = fit_pixels(SIZE, SIZE)
    for k, tensor in enumerate(frames):
        window = frames.window(k)
        words = recording.words(*window)
        np.testing.assert_array_equal(event_histogram(words, window, bins=3, pixel_map=pixels), tensor)
        copied = dat_words(recording.slice(*window))
        np.testing.assert_array_equal(
            voxel_grid(words, window, bins=3, pixel_map=pixels), voxel_grid(copied, window, bins=3, pixel_map=pixels)
        )


def test_labels_and_provenance_are_stored(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    write_boxes(tmp_path / "a_bbox.npy", _boxes())
    convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    recording = open_stored_recording(tmp_path / "out.zarr")
    labels = recording.labels()
    assert (labels.t.tolist(), labels.class_id.tolist(), labels.track_id.tolist()) == ([3000, 5000], [0, 1], [8, 7])
    assert labels.xyxy.tolist() == [[0, 0, 2, 2], [1, 2, 4, 6]]
    assert recording.sensor_size == SIZE
    assert (recording.t_first_us, recording.num_events) == (int(_events().t[0]), 400)
    assert recording.report.num_events == 400
    source = recording.attributes["source"]
    assert (source["name"], source["size"]) == ("a_td.dat", (tmp_path / "a_td.dat").stat().st_size)
    assert source["labels"]["name"] == "a_bbox.npy"
    assert recording.synthetic is False


@pytest.mark.parametrize("synthetic", [True, False])
def test_store_says_whether_the_recording_is_synthetic(tmp_path: Path, synthetic: bool) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE, synthetic=synthetic)
    convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", ConvertOptions(window_us=1000, filters=("polarity:keep=on",)))
    convert(tmp_path / "a_td.dat", tmp_path / "plain.zarr", ConvertOptions(window_us=1000))
    assert open_stored_recording(tmp_path / "out.zarr").synthetic is synthetic
    assert open_stored_recording(tmp_path / "plain.zarr").synthetic is synthetic


def test_triggers_are_stored_as_a_stream_of_their_own(tmp_path: Path) -> None:
    # TIME_HIGH 2 is 128 us: an event, a rising edge on channel 0, an event, a falling edge on channel 31.
    words = [0x8 << 28 | 2, 0x0, 0xA << 28 | 5 << 22 | 1, 0x0, 0xA << 28 | 9 << 22 | 31 << 8]
    header = b"% evt 2.0\n% format EVT2;height=6;width=8\n% end\n"
    (tmp_path / "a.raw").write_bytes(header + np.array(words, "<u4").tobytes())
    convert(tmp_path / "a.raw", tmp_path / "out.zarr", SMALL)
    stored = open_stored_recording(tmp_path / "out.zarr")
    triggers = stored.triggers()
    assert (triggers.t.tolist(), triggers.channel.tolist(), triggers.value.tolist()) == ([133, 137], [0, 31], [1, 0])
    assert (stored.attributes["num_triggers"], stored.report.trigger_words) == (2, 2)
    assert open_file_or_store(tmp_path / "out.zarr").triggers().t.tolist() == [133, 137]


def test_recording_without_triggers_has_none_stored(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    assert len(open_stored_recording(tmp_path / "out.zarr").triggers()) == 0


def test_repairs_are_counted_in_store_and_summary(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    with (tmp_path / "a_td.dat").open("ab") as file:
        # One event a microsecond after 0, far back in time; then three bytes of a record.
        file.write(np.array([1, 0], "<u4").tobytes() + b"cut")
    summary = convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    assert summary.repairs == {"backward_clamped": 1, "trailing_bytes": 3}
    recording = open_stored_recording(tmp_path / "out.zarr")
    assert recording.report.repairs == summary.repairs
    assert recording.events().t[-1] == recording.events().t[-2]


def test_recording_without_events_gives_an_empty_recording(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", Events.empty(), SIZE)
    summary = convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)
    recording = open_stored_recording(tmp_path / "out.zarr")
    assert (summary.num_events, summary.num_frames, len(recording.events()), len(recording.frames())) == (0, 0, 0, 0)


def _gen1_folder(root: Path) -> Path:
    for split, name, seed in (("train", "a", 1), ("train", "b", 2), ("val", "a", 3)):
        (root / split).mkdir(parents=True, exist_ok=True)
        write_dat(root / split / f"{name}_td.dat", _events(seed=seed), SIZE)
        write_boxes(root / split / f"{name}_bbox.npy", _boxes())
    return root


def test_folder_keeps_its_splits_and_gets_a_manifest(tmp_path: Path) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    summary = convert(source, tmp_path / "out.zarr", SMALL)
    assert (summary.num_converted, summary.num_up_to_date, summary.num_events) == (3, 0, 1200)
    names = ["train/a_td.zarr", "train/b_td.zarr", "val/a_td.zarr"]
    assert find_stored_recordings(tmp_path / "out.zarr") == [tmp_path / "out.zarr" / name for name in names]
    lines = [json.loads(line) for line in (tmp_path / "out.zarr/manifest.jsonl").read_text().splitlines()]
    assert [line["path"] for line in lines] == names
    assert {line["status"] for line in lines} == {"complete"}
    assert summary.to_dict()["failed"] == []


def test_second_run_finds_everything_up_to_date_and_touches_nothing(tmp_path: Path) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    first = convert(source, tmp_path / "out.zarr", SMALL)
    before = _content(tmp_path / "out.zarr")
    second = convert(source, tmp_path / "out.zarr", SMALL)
    assert (second.num_converted, second.num_up_to_date) == (0, 3)
    assert (second.num_events, second.num_frames) == (first.num_events, first.num_frames)
    assert _content(tmp_path / "out.zarr") == before


@pytest.mark.parametrize("change", ["source", "labels", "options"])
def test_changed_input_or_options_convert_again(tmp_path: Path, change: str) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    convert(source, tmp_path / "out.zarr", SMALL)
    options = SMALL
    if change == "source":
        # The same number of bytes: only the digest tells.
        write_dat(source / "val" / "a_td.dat", _events(seed=9), SIZE)
    elif change == "labels":
        write_boxes(source / "val" / "a_bbox.npy", _boxes()[:1])
    else:
        options = ConvertOptions(SMALL.representation, window_us=500)
    summary = convert(source, tmp_path / "out.zarr", options)
    assert summary.num_converted == (3 if change == "options" else 1)
    _assert_equal(
        open_stored_recording(tmp_path / "out.zarr/val/a_td.zarr").events(), read_dat(source / "val/a_td.dat")[0]
    )
    assert not list((tmp_path / "out.zarr").rglob(".*"))


def test_interrupted_conversion_resumes_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    convert(source, tmp_path / "whole.zarr", SMALL)

    def chunks_until_the_plug_is_pulled(
        self: Recording, _num_events: int, *, on_triggers: Callable[[Triggers], None]
    ) -> Iterator[Events]:
        for batch in original(self, 100, on_triggers=on_triggers):
            yield batch
            if self.path.name.startswith("b"):
                raise KeyboardInterrupt

    original = Recording.chunks
    with monkeypatch.context() as patch:
        patch.setattr(Recording, "chunks", chunks_until_the_plug_is_pulled)
        with pytest.raises(KeyboardInterrupt):
            convert(source, tmp_path / "out.zarr", SMALL)
    assert [path.name for path in (tmp_path / "out.zarr" / "train").iterdir()] == ["a_td.zarr"]
    summary = convert(source, tmp_path / "out.zarr", SMALL)
    assert (summary.num_converted, summary.num_up_to_date) == (2, 1)
    assert _content(tmp_path / "out.zarr") == _content(tmp_path / "whole.zarr")


def test_small_batches_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    convert(tmp_path / "a_td.dat", tmp_path / "whole.zarr", SMALL)
    original = Recording.chunks
    monkeypatch.setattr(Recording, "chunks", lambda self, _, on_triggers: original(self, 7, on_triggers=on_triggers))
    convert(tmp_path / "a_td.dat", tmp_path / "pieces.zarr", SMALL)
    assert _content(tmp_path / "pieces.zarr") == _content(tmp_path / "whole.zarr")


def test_bad_files_of_a_folder_are_skipped_with_their_reason(tmp_path: Path) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    (source / "train" / "empty.dat").write_bytes(b"")
    (source / "train" / "noise.raw").write_bytes(b"\x01\x02\x03 no header at all")
    (source / "val" / "a_bbox.npy").write_bytes(b"not numpy")
    summary = convert(source, tmp_path / "out.zarr", SMALL)
    assert summary.num_converted == 2
    assert [failure.path.name for failure in summary.failed] == ["empty.dat", "noise.raw", "a_td.dat"]
    assert summary.failed[0].reason.startswith("file is empty, at byte 0")
    # The label file is another one than the recording: its path has to be said.
    assert summary.failed[2].reason.startswith(f"{source / 'val' / 'a_bbox.npy'}: not a .npy file")
    entries = [json.loads(line) for line in (tmp_path / "out.zarr/manifest.jsonl").read_text().splitlines()]
    reasons = {entry["path"]: entry["reason"] for entry in entries if entry["status"] == "failed"}
    assert list(reasons) == ["train/empty.zarr", "train/noise.zarr", "val/a_td.zarr"]
    assert list(reasons.values()) == [failure.reason for failure in summary.failed]
    assert len(find_stored_recordings(tmp_path / "out.zarr")) == 2
    write_boxes(source / "val" / "a_bbox.npy", _boxes())
    assert convert(source / "val", tmp_path / "val.zarr", SMALL).failed == ()


def test_files_that_differ_by_their_suffix_alone_become_two_recordings(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_dat(tmp_path / "in/a.dat", _events(seed=1), SIZE)
    write_evt2(tmp_path / "in/a.raw", _events(seed=2), SIZE)
    write_dat(tmp_path / "in/a.raw.dat", _events(seed=3), SIZE)
    summary = convert(tmp_path / "in", tmp_path / "out.zarr", SMALL)
    assert (summary.num_converted, summary.failed) == (3, ())
    for name, seed in (("a.zarr", 1), ("a.raw.zarr", 2), ("a.raw.dat.zarr", 3)):
        _assert_equal(open_stored_recording(tmp_path / "out.zarr" / name).events(), _events(seed=seed))


def test_single_bad_file_raises(tmp_path: Path) -> None:
    (tmp_path / "noise.dat").write_bytes(b"noise, no header")
    with pytest.raises(FormatError):
        convert(tmp_path / "noise.dat", tmp_path / "out.zarr", SMALL)
    assert find_stored_recordings(tmp_path / "out.zarr") == []


def test_source_that_is_missing_or_has_no_recordings_raises(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        convert(tmp_path / "absent", tmp_path / "out.zarr")
    with pytest.raises(InputError, match="no recordings"):
        convert(tmp_path, tmp_path / "out.zarr")


def test_output_that_is_a_file_raises(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    with pytest.raises(OptionError, match="output must be a folder"):
        convert(tmp_path / "a_td.dat", tmp_path / "a_td.dat")


def test_output_inside_the_source_is_not_searched(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr" / "stray.dat").write_bytes(b"")
    assert convert(tmp_path, tmp_path / "out.zarr", SMALL).failed == ()


def test_damaged_manifest_is_told(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr/manifest.jsonl").write_text("{\n")
    with pytest.raises(FormatError, match=r"manifest\.jsonl: damaged"):
        convert(tmp_path / "a_td.dat", tmp_path / "out.zarr", SMALL)


def test_manifest_keeps_the_recordings_of_earlier_runs(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    write_dat(tmp_path / "b_td.dat", _events(), SIZE)
    for name in ("b_td.dat", "a_td.dat"):
        convert(tmp_path / name, tmp_path / "out.zarr", SMALL)
    lines = (tmp_path / "out.zarr/manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["a_td.zarr", "b_td.zarr"]


def test_parts_can_be_left_out(tmp_path: Path) -> None:
    write_dat(tmp_path / "a_td.dat", _events(), SIZE)
    convert(tmp_path / "a_td.dat", tmp_path / "e.zarr", ConvertOptions(window_us=1000, write_frames=False))
    convert(tmp_path / "a_td.dat", tmp_path / "f.zarr", ConvertOptions(window_us=1000, write_events=False))
    assert open_stored_recording(tmp_path / "e.zarr").frame_names == []
    frames_only = open_stored_recording(tmp_path / "f.zarr")
    assert not frames_only.has_events
    assert frames_only.num_events == 400


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_us": 0}, "length_us must be > 0"),
        ({"stride_us": -5}, "stride_us must be > 0"),
        ({"policy": "guess"}, "policy must be one of"),
        ({"write_events": False, "write_frames": False}, "nothing to write"),
        ({"sensor_size": SensorSize(0, 3)}, "sensor_size must be"),
    ],
    ids=["window", "stride", "policy", "nothing", "size"],
)
def test_option_outside_its_rule_raises(values: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ConvertOptions(**values)


def test_progress_grows_to_one(tmp_path: Path) -> None:
    source = _gen1_folder(tmp_path / "gen1")
    (source / "broken.dat").write_bytes(b"??")
    told: list[ConvertProgress] = []
    summary = convert(source, tmp_path / "out.zarr", SMALL, on_progress=told.append)
    assert all(earlier.share <= later.share for earlier, later in pairwise(told))
    assert told[-1] == ConvertProgress(4, 4, 1.0, 1200, summary.num_bytes)
    told.clear()
    convert(source, tmp_path / "out.zarr", SMALL, on_progress=told.append)
    assert told[-1] == ConvertProgress(4, 4, 1.0, 0, 0)


@pytest.mark.parametrize(
    ("name", "num_events", "size"),
    [
        ("driving_evt3_720p.raw", 219_596, SensorSize(720, 1280)),
        ("spinner_evt2_vga.raw", 539_481, SensorSize(480, 640)),
    ],
)
def test_real_recording_is_stored_whole(
    tmp_path: Path, real_data: Path, name: str, num_events: int, size: SensorSize
) -> None:
    summary = convert(real_data / name, tmp_path / "out.zarr", ConvertOptions(window_us=5_000))
    recording = open_stored_recording(tmp_path / "out.zarr")
    assert (summary.num_events, recording.sensor_size) == (num_events, size)
    _assert_equal(recording.events(), Events.concatenate(open_recording(real_data / name).chunks()))
    # Every event lies in one window of this grid, and few pixels fire more than 255 times within one.
    counted = sum(int(tensor.sum(dtype=np.int64)) for tensor in recording.frames())
    assert counted == num_events


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.jsonl")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
