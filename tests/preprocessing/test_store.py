"""Stored recordings: what goes in comes out, only whole recordings appear, damage is found."""

import errno
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError, OutputError
from eventdet.events import Events
from eventdet.geometry import SensorSize, fit_pixels
from eventdet.preprocessing.representations import Representation
from eventdet.preprocessing.store import (
    find_stored_recordings,
    is_store,
    open_stored_recording,
)
from eventdet.preprocessing.store_writer import recording_writer

from .stores import SIZE, events_at, write_recording

LARGEST = 1 << 14


def _assert_equal(got: Events, expected: Events) -> None:
    np.testing.assert_array_equal(got.to_structured(), expected.to_structured())


@st.composite
def _batches(draw: st.DrawFn) -> list[Events]:
    start = draw(st.integers(0, 1 << 40))
    steps = draw(st.lists(st.integers(0, 3000), max_size=60))
    t = start + np.cumsum(np.array(steps, np.int64))
    events = events_at(t, size=SensorSize(LARGEST, LARGEST))
    cuts = sorted(draw(st.lists(st.integers(0, len(t)), max_size=4)))
    return [events[low:high] for low, high in zip([0, *cuts], [*cuts, len(t)], strict=True)]


@settings(max_examples=25)
@given(_batches(), st.data())
def test_any_window_of_any_events_equals_the_slice_of_the_source(batches: list[Events], data: st.DataObject) -> None:
    events = Events.concatenate(batches)
    low = int(events.t[0]) if len(events) else 0
    high = int(events.t[-1]) if len(events) else 0
    with tempfile.TemporaryDirectory() as folder:
        recording = write_recording(Path(folder) / "r.zarr", *batches)
        _assert_equal(recording.events(), events)
        for _ in range(4):
            t0 = data.draw(st.integers(low - 5000, high + 5000))
            t1 = data.draw(st.integers(t0 - 10, high + 6000))
            _assert_equal(recording.events(t0, t1), events.between(t0, t1))


@settings(max_examples=25)
@given(_batches())
def test_millisecond_index_names_the_first_event_at_or_after_each_millisecond(batches: list[Events]) -> None:
    stamps = Events.concatenate(batches).t.tolist()
    with tempfile.TemporaryDirectory() as folder:
        write_recording(Path(folder) / "r.zarr", *batches)
        index = np.asarray(zarr.open_group(Path(folder) / "r.zarr", mode="r")["index/ms"]).tolist()
    num_entries = (stamps[-1] - stamps[0]) // 1000 + 2 if stamps else 1
    expected = [sum(stamp - stamps[0] < 1000 * k for stamp in stamps) for k in range(num_entries)]
    assert index == expected


def test_events_longer_than_a_shard_come_back_bit_for_bit(tmp_path: Path) -> None:
    # 2**20 + 3 events in batches that do not divide a shard.
    events = events_at(np.arange(7, 7 + (1 << 20) + 3, dtype=np.int64))
    cuts = range(0, len(events), 300_001)
    recording = write_recording(tmp_path / "r.zarr", *(events[cut : cut + 300_001] for cut in cuts))
    _assert_equal(recording.events(), events)
    edge = 7 + (1 << 20)
    _assert_equal(recording.events(edge - 2, edge + 2), events.between(edge - 2, edge + 2))


def _codecs(array: Path) -> list[dict[str, Any]]:
    codecs: list[dict[str, Any]] = json.loads((array / "zarr.json").read_text())["codecs"]
    return codecs


def test_layout_is_the_documented_one(tmp_path: Path) -> None:
    write_recording(tmp_path / "r.zarr", events_at(np.array([5, 6], np.int64)))
    for name in ("t", "word"):
        metadata = json.loads((tmp_path / "r.zarr/events" / name / "zarr.json").read_text())
        assert metadata["data_type"] == "uint32"
        assert metadata["chunk_grid"]["configuration"]["chunk_shape"] == [1 << 20]
        (sharding,) = _codecs(tmp_path / "r.zarr/events" / name)
        assert sharding["configuration"]["chunk_shape"] == [8192]
        assert [codec["name"] for codec in sharding["configuration"]["codecs"]] == ["bytes", "blosc", "crc32c"]
    assert [codec["name"] for codec in _codecs(tmp_path / "r.zarr/index/ms")] == ["bytes", "zstd", "crc32c"]
    attributes = json.loads((tmp_path / "r.zarr/zarr.json").read_text())["attributes"]
    assert (attributes["format"], attributes["format_version"], attributes["complete"]) == (
        "eventdet-recording",
        1,
        True,
    )
    assert (attributes["height"], attributes["width"], attributes["t_base_us"]) == (6, 8, 5)


def test_stored_words_are_those_of_a_dat_record(tmp_path: Path) -> None:
    events = Events.from_columns(t=[100, 103], x=[7, 1], y=[5, 0], p=[1, 0])
    write_recording(tmp_path / "r.zarr", events)
    group = zarr.open_group(tmp_path / "r.zarr", mode="r")
    assert np.asarray(group["events/t"]).tolist() == [0, 3]
    assert np.asarray(group["events/word"]).tolist() == [7 | 5 << 14 | 1 << 28, 1]


def test_labels_come_back_exactly_and_in_order_of_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 300, (40, 4)).astype(np.float32)
    corners[:, 2:] += corners[:, :2]
    boxes = Boxes.from_xyxy(
        corners,
        t=rng.integers(0, 10**7, 40),
        class_id=rng.integers(0, 2, 40),
        score=rng.random(40, np.float32),
        track_id=rng.integers(-1, 1 << 33, 40),
    )
    labels = write_recording(tmp_path / "r.zarr", labels=boxes).labels()
    order = np.argsort(boxes.t, kind="stable")
    for name in ("xyxy", "t", "class_id", "score", "track_id"):
        np.testing.assert_array_equal(getattr(labels, name), getattr(boxes[order], name))
    stamps = np.asarray(zarr.open_group(tmp_path / "r.zarr", mode="r")["index/label_t"])
    assert stamps.tolist() == sorted(set(boxes.t.tolist()))


def test_recording_without_labels_or_without_any_label_has_none(tmp_path: Path) -> None:
    assert len(write_recording(tmp_path / "a.zarr").labels()) == 0
    assert len(write_recording(tmp_path / "b.zarr", labels=Boxes.empty()).labels()) == 0


def _write_and_fail(target: Path, events: Events) -> None:
    with recording_writer(target, SIZE) as writer:
        writer.add_events().append(events)
        raise RuntimeError("cut off")


def test_interrupted_writer_leaves_nothing_behind_and_a_second_one_works(tmp_path: Path) -> None:
    target = tmp_path / "split" / "r.zarr"
    events = events_at(np.arange(10, dtype=np.int64))
    with pytest.raises(RuntimeError, match="cut off"):
        _write_and_fail(target, events)
    assert list(target.parent.iterdir()) == []
    _assert_equal(write_recording(target, events).events(), events)
    assert [child.name for child in target.parent.iterdir()] == ["r.zarr"]


def test_leftovers_of_a_killed_process_are_no_recording_and_are_removed_by_the_next_run(tmp_path: Path) -> None:
    write_recording(tmp_path / "r.zarr", events_at(np.arange(3, dtype=np.int64)))
    shutil.copytree(tmp_path / "r.zarr", tmp_path / ".tmp-r.zarr")
    shutil.copytree(tmp_path / "r.zarr", tmp_path / ".old-r.zarr")
    assert find_stored_recordings(tmp_path) == [tmp_path / "r.zarr"]
    write_recording(tmp_path / "r.zarr", events_at(np.arange(4, dtype=np.int64)))
    assert [child.name for child in tmp_path.iterdir()] == ["r.zarr"]
    assert open_stored_recording(tmp_path).num_events == 4


def test_failed_rewrite_keeps_the_recording_that_was_there(tmp_path: Path) -> None:
    events = events_at(np.arange(3, dtype=np.int64))
    write_recording(tmp_path / "r.zarr", events)
    with pytest.raises(OptionError), recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        writer.add_events().append(events_at(np.array([2, 1], np.int64)))
    _assert_equal(open_stored_recording(tmp_path / "r.zarr").events(), events)


def test_folder_that_is_no_recording_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "r.zarr").mkdir()
    (tmp_path / "r.zarr" / "precious.txt").write_text("mine")
    with (
        pytest.raises(OptionError, match="exists and is not a stored recording"),
        recording_writer(tmp_path / "r.zarr", SIZE),
    ):
        pytest.fail("the writer must not open")
    assert (tmp_path / "r.zarr" / "precious.txt").read_text() == "mine"


def test_disk_that_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(OutputError, match=r"r\.zarr: cannot be written \(File exists\)"),
        recording_writer(tmp_path / "file" / "r.zarr", SIZE),
    ):
        pytest.fail("the writer must not open")


def test_events_out_of_order_between_batches_raise(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="must not decrease"):
        write_recording(tmp_path / "r.zarr", events_at(np.array([5], np.int64)), events_at(np.array([4], np.int64)))


@pytest.mark.parametrize(("span", "fits"), [((1 << 32) - 1, True), (1 << 32, False)])
def test_recording_of_2_to_the_32_us_is_refused_and_one_below_is_kept(tmp_path: Path, span: int, fits: bool) -> None:
    # The index of milliseconds of 71 minutes is 34 MB in memory: only the last batch is long in time.
    events = events_at(np.array([9, 9 + span], np.int64))
    if fits:
        _assert_equal(write_recording(tmp_path / "r.zarr", events).events(10, 10 + span), events[1:])
    else:
        with pytest.raises(InputError, match=r"must be shorter than 2\*\*32 us"):
            write_recording(tmp_path / "r.zarr", events)


def _edit(path: Path, **attributes: object) -> None:
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"].update(attributes)
    (path / "zarr.json").write_text(json.dumps(metadata))


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"complete": False}, "not complete"),
        ({"format": "other"}, "not a stored recording"),
        ({"format_version": 2}, "format_version must be 1, got 2"),
        ({"num_events": "many"}, "num_events must be an integer, got 'many'"),
        ({"t_base_us": 1 << 63}, "t_base_us must be an integer"),
        ({"report": [1]}, "report must be an integer"),
        ({"report": {"duplicates_kept": 1.5}}, "duplicates_kept must be an integer, got 1.5"),
    ],
    ids=["incomplete", "foreign", "later", "text", "too large", "a list", "a fraction"],
)
def test_recording_that_is_not_what_it_should_be_does_not_open(
    tmp_path: Path, attributes: dict[str, object], message: str
) -> None:
    write_recording(tmp_path / "r.zarr")
    _edit(tmp_path / "r.zarr", **attributes)
    with pytest.raises(InputError, match=message):
        open_stored_recording(tmp_path / "r.zarr")


def test_nothing_foreign_and_damaged_metadata_do_not_open(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a stored recording"):
        open_stored_recording(tmp_path / "absent.zarr")
    with pytest.raises(InputError, match="expected one stored recording, found 0"):
        open_stored_recording(tmp_path)
    (tmp_path / "zarr.json").write_text("{")
    with pytest.raises(FormatError, match="not JSON"):
        open_stored_recording(tmp_path)
    (tmp_path / "zarr.json").write_text("[" * 100_000)
    with pytest.raises(FormatError, match="nested too deeply"):
        open_stored_recording(tmp_path)
    assert not is_store(tmp_path)
    assert not is_store(tmp_path / "absent")


def test_search_of_too_many_folders_ends_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.preprocessing.store._MOST_FOLDERS", 3)
    for name in "ab":
        (tmp_path / name).mkdir()
    assert find_stored_recordings(tmp_path) == []
    (tmp_path / "c").mkdir()
    with pytest.raises(InputError, match="search ends after 3 folders"):
        open_stored_recording(tmp_path)


def test_search_of_a_folder_that_vanishes_or_refuses_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(folder))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match=r"cannot be read \(Permission denied\)"):
        open_stored_recording(tmp_path)


def test_folder_of_several_recordings_names_one_to_open(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_recording(tmp_path / f"{name}.zarr")
    with pytest.raises(InputError, match="expected one stored recording, found 2") as caught:
        open_stored_recording(tmp_path)
    assert "a.zarr" in caught.value.hint


def test_parts_that_were_left_out_say_so(tmp_path: Path) -> None:
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        writer.publish({"num_events": 0, "t_first_us": 0, "t_last_us": 0})
    recording = open_stored_recording(tmp_path / "r.zarr")
    with pytest.raises(InputError, match="stored without events"):
        recording.events()
    with pytest.raises(InputError, match="stored without tensors"):
        recording.frames()


def test_unknown_tensor_name_lists_the_known_ones(tmp_path: Path) -> None:
    with recording_writer(tmp_path / "r.zarr", SIZE) as writer:
        writer.add_frames(Representation("histogram", 1), fit_pixels(SIZE, SIZE), start_us=0, window_us=1, stride_us=1)
        writer.publish({"num_events": 0, "t_first_us": 0, "t_last_us": 0})
    with pytest.raises(OptionError, match="name must be one of histogram"):
        open_stored_recording(tmp_path / "r.zarr").frames("voxel")


def test_windows_of_stamps_beyond_every_width_are_read(tmp_path: Path) -> None:
    recording = write_recording(tmp_path / "r.zarr", events_at(np.arange(7, 57)))
    assert len(recording.events(-(1 << 70), 1 << 70)) == 50
    assert len(recording.events(10, 1 << 64)) == 47
    for t0_us, t1_us in [(1 << 64, None), (1 << 64, 1 << 70), (None, -(1 << 70))]:
        assert len(recording.events(t0_us, t1_us)) == 0


def test_tensors_without_a_grid_are_a_format_error(tmp_path: Path) -> None:
    frames = zarr.open_group(write_recording(tmp_path / "r.zarr").path, mode="a").create_array(
        "frames/histogram", shape=(1, 2), dtype="u1", attributes={"start_us": 0, "window_us": "1", "stride_us": 1}
    )
    assert frames.shape == (1, 2)
    with pytest.raises(FormatError, match="window_us must be an integer, got '1'"):
        open_stored_recording(tmp_path / "r.zarr").frames()
