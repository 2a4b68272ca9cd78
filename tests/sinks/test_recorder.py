"""A live stream recorded beside its detections."""

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import OptionError, OutputError
from eventdet.filters import parse_filter
from eventdet.formats import open_recording
from eventdet.report import ReadReport
from eventdet.sinks import EventRecorder
from eventdet.sources import LiveSource, open_source
from tests.sources.network import HEADER, SIZE, end, frame, random_events, tcp_sender


@pytest.mark.parametrize("name", ["a_td.dat", "a.raw", "a.npz"])
def test_every_event_before_the_filters_is_recorded(name: str, tmp_path: Path) -> None:
    events = random_events(num_events=3000)
    data = b"".join([HEADER, *(frame(k, events[k * 1000 : (k + 1) * 1000]) for k in range(3)), end(3)])
    with tcp_sender(data) as address:
        source = open_source(address)
        assert isinstance(source, LiveSource)
        with source, EventRecorder(str(tmp_path / name), source.camera) as recorder:
            source.tap(recorder.write)
            source.add_filters([parse_filter("roi:x=0,y=0,w=8,h=8")])
            kept = sum(len(window.events) for window in source.windows(10_000, 30_000))
    assert kept < 500
    recording = open_recording(tmp_path / name)
    assert recording.sensor_size == SIZE
    for found, expected in zip(recording.slice(0, 1_000_000), events, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert recorder.summary is not None
    assert recorder.summary.num_events == 3000


def test_an_unknown_ending_is_refused_before_the_stream(tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        EventRecorder(str(tmp_path / "a.mp4"), _Origin())


class _Origin:
    sensor_size, synthetic = SIZE, True

    def __init__(self) -> None:
        self.report = ReadReport()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Refuse files of more than a megabyte, as a disk without room refuses to write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("small_disk")
def test_a_disk_without_room_ends_the_recording_with_an_error_and_no_hang(tmp_path: Path) -> None:
    recorder = EventRecorder(str(tmp_path / "a_td.dat"), _Origin())
    with pytest.raises(OutputError, match=r"a_td.dat.*cannot be written.*File too large"):
        _write_much(recorder)
    recorder.close()
    assert list(tmp_path.iterdir()) == []


def _write_much(recorder: EventRecorder) -> None:
    for number in range(500):
        recorder.write(random_events(num_events=10_000, start_us=100_000 * number))
    recorder.close()
