"""Bags of ROS: what rosbags has written is read event for event. No bag of a camera was at hand."""

import shutil
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.errors import FormatError, GeometryError, InputError, MissingExtraError
from eventdet.events import Events
from eventdet.formats import detect_format, open_recording, transcode
from eventdet.geometry import GEN1, SensorSize
from eventdet.sources import open_source

from .reference import Row, random_events, rows
from .reference_ros import (
    PROPHESEE_EVENTS,
    STRING,
    Message,
    array,
    evt3_words,
    packet,
    write_bag,
    write_events,
)

BAGS = ["a.bag", "a.mcap", "a.db3", "folder_of_mcap", "folder_of_sqlite"]

NOW = 1_700_000_000_000_000
"""Unix microseconds: events of ROS carry the time of day."""

_A, _B, _C = (NOW + 10, 1, 2, 0), (NOW + 20, 300, 4, 1), (NOW + 1_000_001, 303, 239, 0)


def read(path: Path, **options: Any) -> list[Row]:
    return rows(Events.concatenate(open_recording(path, **options).chunks()))


@pytest.mark.parametrize("name", BAGS)
@pytest.mark.parametrize("type_name", ["dvs_msgs/msg/EventArray", PROPHESEE_EVENTS])
def test_bag_of_event_arrays_is_read_event_for_event(tmp_path: Path, name: str, type_name: str) -> None:
    write_bag(tmp_path / name, [array(part, type=type_name) for part in ([_A], [], [_A, _B], [_C])])
    recording = open_recording(tmp_path / name, policy="strict")
    assert (recording.format, recording.sensor_size, detect_format(tmp_path / name)) == ("rosbag", GEN1, "rosbag")
    assert rows(recording.slice(0, 2 * NOW)) == [_A, _A, _B, _C]
    assert recording.report.repairs == {}


@given(
    events=st.lists(
        st.tuples(st.integers(0, 2**31 * 10**6 - 1), st.integers(0, 303), st.integers(0, 239), st.integers(0, 1)),
        max_size=40,
    ).map(sorted),
    cut=st.integers(0, 40),
    name=st.sampled_from(["a.bag", "a.db3"]),
)
@settings(max_examples=30, deadline=None)
def test_events_cut_into_messages_anywhere_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, events: list[Row], cut: int, name: str
) -> None:
    path = tmp_path_factory.mktemp("bags") / name
    write_bag(path, [array(events[:cut]), array(events[cut:])])
    assert read(path, policy="strict") == events


@pytest.mark.parametrize("name", BAGS)
@pytest.mark.parametrize("is_bigendian", [False, True])
def test_evt3_packets_are_one_stream_whatever_the_cuts(tmp_path: Path, name: str, is_bigendian: bool) -> None:
    # 40 s pass the overflow of 16.8 s twice; rows and times hold over the ends of packets.
    events = random_events(3000, last_us=40_000_000)
    words = evt3_words(events).astype(">u2" if is_bigendian else "<u2")
    parts = np.array_split(words, [1, 2, 5, 900, 901, 4000])
    # What time_base holds is not defined for EVT3.
    messages = [
        packet(part.tobytes(), number=number, is_bigendian=is_bigendian, time_base=2**63)
        for number, part in enumerate(parts)
    ]
    write_bag(tmp_path / name, messages)
    recording = open_recording(tmp_path / name, policy="strict")
    assert rows(Events.concatenate(recording.chunks())) == rows(events)
    assert (recording.format, recording.report.packets_missing) == ("rosbag", 0)


def test_triggers_of_evt3_packets_are_kept(tmp_path: Path) -> None:
    words = np.array([0x8000, 0x6005, 0xA101, 0x6009, 0xA100], "<u2")
    write_bag(tmp_path / "a.bag", [packet(words[:3].tobytes()), packet(words[3:].tobytes())])
    triggers = open_recording(tmp_path / "a.bag").triggers()
    assert (triggers.t.tolist(), triggers.channel.tolist(), triggers.value.tolist()) == ([5, 9], [1, 1], [1, 0])


def test_mono_packets_add_both_times_before_rounding(tmp_path: Path) -> None:
    # 1 << 63 is the polarity, then y, x and nanoseconds: 700 + 300 ns make a microsecond.
    words = np.array([300 | 5 << 32 | 6 << 48, 1_299 | 7 << 32 | 8 << 48 | 1 << 63], "<u8")
    write_bag(tmp_path / "a.db3", [packet(words.tobytes(), encoding="mono", time_base=NOW * 1000 + 700)])
    assert read(tmp_path / "a.db3", policy="strict") == [(NOW + 1, 5, 6, 0), (NOW + 1, 7, 8, 1)]


def test_packets_under_their_earlier_name_are_read(tmp_path: Path) -> None:
    events = random_events(50)
    write_bag(tmp_path / "a.mcap", [packet(evt3_words(events).tobytes(), type="event_array_msgs/msg/EventArray")])
    assert read(tmp_path / "a.mcap") == rows(events)


def test_packets_that_the_recorder_lost_are_counted_and_no_repair(tmp_path: Path) -> None:
    words = evt3_words(Events.from_columns(t=[1], x=[2], y=[3], p=[1])).tobytes()
    # The camera driver starts again at 0: that is no gap.
    write_bag(tmp_path / "a.bag", [packet(words, number=number) for number in (4, 5, 9, 0, 1, 3)])
    recording = open_recording(tmp_path / "a.bag", policy="strict")
    assert len(Events.concatenate(recording.chunks())) == 6
    assert recording.report.packets_missing == 4
    assert recording.report.repairs == {}


@pytest.mark.parametrize("name", ["a.bag", "a.db3"])
def test_broken_message_is_dropped_and_counted_or_refused(tmp_path: Path, name: str) -> None:
    write_bag(tmp_path / name, [array([_A]), Message(b"\x00\x01\x00\x00" * 6), array([_B]), packet(b"")])
    recording = open_recording(tmp_path / name)
    assert rows(Events.concatenate(recording.chunks())) == [_A, _B]
    assert recording.report.repairs == {"packets_dropped": 2}
    with pytest.raises(FormatError, match=r"message cannot be read .*, at message 1"):
        read(tmp_path / name, policy="strict")


def test_message_whose_count_lies_allocates_nothing(tmp_path: Path) -> None:
    header = struct.pack("<III", 0, 0, 0) + struct.pack("<I", 0)
    for number, count in enumerate((2**32 - 1, 2, 0)):
        path = tmp_path / f"{number}.bag"
        write_bag(path, [Message(header + struct.pack("<III", 240, 304, count) + bytes(13))])
        recording = open_recording(path, sensor_size=GEN1)
        assert list(recording.chunks()) == []
        assert recording.report.packets_dropped == 1


def test_topic_is_named_behind_the_path_when_there_are_several(tmp_path: Path) -> None:
    left, right = array([_A], topic="/left/events"), array([_B], topic="/right/events")
    path = tmp_path / "a.bag"
    write_bag(path, [left, right, Message({"data": "hello"}, STRING, "/chatter")])
    with pytest.raises(FormatError, match="one of /left/events, /right/events, got none") as caught:
        open_recording(path)
    assert caught.value.hint == f"name it: {path}:/left/events"
    for topic, expected in (("/left/events", _A), ("/right/events", _B)):
        assert read(Path(f"{path}:{topic}")) == [expected]
        assert open_source(f"{path}:{topic}").t_first_us == expected[0]
    with pytest.raises(FormatError, match="one of /left/events, /right/events, got /chatter"):
        open_recording(f"{path}:/chatter")
    with pytest.raises(InputError, match=r"b\.bag: no such file"):
        open_recording(f"{tmp_path / 'b.bag'}:/left/events")


def test_topic_of_a_bag_is_written_over_an_earlier_file(tmp_path: Path) -> None:
    write_bag(tmp_path / "a.bag", [array([_A])])
    (tmp_path / "a.es").write_bytes(b"earlier")
    topic = open_recording(f"{tmp_path / 'a.bag'}:/dvs/events")
    assert transcode(topic, tmp_path / "a.es", from_zero=True).num_events == 1


def test_topic_of_a_folder_is_named_in_the_same_way(tmp_path: Path) -> None:
    write_bag(tmp_path / "folder", [array([_A], topic="/a"), array([_B], topic="/b")])
    assert read(Path(f"{tmp_path / 'folder'}:/b")) == [_B]


def test_folder_of_a_bag_is_a_source(tmp_path: Path) -> None:
    write_bag(tmp_path / "folder", [array([_A, _C])])
    source = open_source(str(tmp_path / "folder"))
    assert (source.format, source.t_first_us, source.t_last_us) == ("rosbag", _A[0], _C[0])


def test_bag_without_events_says_what_it_holds(tmp_path: Path) -> None:
    write_bag(tmp_path / "a.bag", [Message({"data": "hello"}, STRING, "/chatter")])
    with pytest.raises(FormatError, match="no topic of events, got std_msgs/msg/String"):
        open_recording(tmp_path / "a.bag")


def test_packets_of_another_encoding_are_refused_by_name(tmp_path: Path) -> None:
    write_bag(tmp_path / "a.bag", [packet(b"1234", encoding="libcaer_cmp")])
    with pytest.raises(FormatError, match="must be evt3 or mono, got 'libcaer_cmp'"):
        open_recording(tmp_path / "a.bag")


def test_size_comes_from_the_first_message_else_from_the_user(tmp_path: Path) -> None:
    write_bag(tmp_path / "none.bag", [array([_A], size=SensorSize(0, 0))])
    with pytest.raises(GeometryError, match="sensor size is not in the header"):
        open_recording(tmp_path / "none.bag")
    assert read(tmp_path / "none.bag", sensor_size=GEN1) == [_A]
    write_bag(tmp_path / "huge.bag", [array([_A], size=SensorSize(2**31, 304))])
    with pytest.raises(FormatError, match=r"sensor_size must be .*, in its first message"):
        open_recording(tmp_path / "huge.bag")


def test_bag_without_messages_has_no_events(tmp_path: Path) -> None:
    write_bag(tmp_path / "a.db3", [array([])])
    assert open_recording(tmp_path / "a.db3").num_events == 0


@pytest.mark.parametrize("name", ["a.bag", "a.mcap", "a.db3"])
def test_cut_bag_is_one_line_that_says_what_to_do(tmp_path: Path, name: str) -> None:
    write_events(tmp_path / name, random_events(2000), GEN1)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(FormatError, match="broken bag") as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert "reindex" in caught.value.hint


def test_folder_without_its_files_is_refused(tmp_path: Path) -> None:
    write_bag(tmp_path / "folder", [array([_A])])
    (tmp_path / "folder" / "folder.db3").unlink()
    with pytest.raises(FormatError, match=r"broken bag .*missing"):
        open_recording(tmp_path / "folder")
    shutil.copy(tmp_path / "folder" / "metadata.yaml", tmp_path / "a.yaml")
    (tmp_path / "folder" / "metadata.yaml").write_text("name: something else\n")
    with pytest.raises(FormatError, match="unknown format at byte 0"):
        open_recording(tmp_path / "folder")


def test_missing_library_is_told_with_the_way_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_bag(tmp_path / "a.bag", [array([_A])])
    monkeypatch.setitem(sys.modules, "rosbags", None)
    with pytest.raises(MissingExtraError, match="needs the extra 'ros'"):
        open_recording(tmp_path / "a.bag")
