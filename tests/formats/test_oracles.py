"""Independent decoders agree event for event: expelliarmus (DAT, EVT2), faery (EVT2, EVT3), evt3 (EVT3).

expelliarmus is no oracle for EVT3: it takes a TIME_LOW that steps back for an overflow.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import open_recording, write_dat, write_evt2, write_evt3
from eventdet.geometry import SensorSize

from .reference import random_events
from .test_raw import bursts

Oracle: TypeAlias = Callable[[Path, SensorSize], Events]

VGA = SensorSize(480, 640)


def from_array(array: NDArray[np.void]) -> Events:
    return Events.from_columns(t=array["t"], x=array["x"], y=array["y"], p=array["p"])


def by_expelliarmus(encoding: str) -> Oracle:
    def read(path: Path, size: SensorSize) -> Events:
        wizard = pytest.importorskip("expelliarmus").Wizard(encoding=encoding)
        return from_array(wizard.read(str(path)))

    return read


def by_faery(path: Path, size: SensorSize) -> Events:
    faery = pytest.importorskip("faery")
    fallback = (size.width, size.height)
    return from_array(np.concatenate(list(faery.events_stream_from_file(path, dimensions_fallback=fallback))))


def by_evt3(path: Path, size: SensorSize) -> Events:
    events = pytest.importorskip("evt3").decode_file(str(path))
    return Events.from_columns(t=events.t, x=events.x, y=events.y, p=events.p)


def assert_equal(ours: Events, theirs: Events) -> None:
    for name in ("t", "x", "y", "p"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


@pytest.mark.parametrize(
    ("write", "oracle"),
    [
        (write_dat, by_expelliarmus("dat")),
        (write_evt2, by_expelliarmus("evt2")),
        (write_evt2, by_faery),
        (write_evt3, by_faery),
        (write_evt3, by_evt3),
    ],
    ids=["dat-expelliarmus", "evt2-expelliarmus", "evt2-faery", "evt3-faery", "evt3-evt3"],
)
@pytest.mark.parametrize(
    "events",
    # The long one passes the EVT3 overflow of 16.8 s four times.
    [random_events(20_000, width=640, height=480), bursts(20_000), random_events(20_000, last_us=70_000_000)],
    ids=["random", "bursts", "long"],
)
def test_written_file_is_read_the_same_by_others(
    tmp_path: Path, write: Callable[..., None], oracle: Oracle, events: Events
) -> None:
    # expelliarmus tells formats by the name.
    path = tmp_path / ("a.dat" if write is write_dat else "a.raw")
    write(path, events, VGA)
    assert_equal(events, oracle(path, VGA))


@pytest.mark.parametrize(
    ("name", "oracle", "num_events", "duration_us"),
    [
        ("driving_evt3_720p.raw", by_faery, 219_596, 8_811),
        ("spinner_evt2_vga.raw", by_faery, 539_481, 50_000),
        ("spinner_evt2_vga.raw", by_expelliarmus("evt2"), 539_481, 50_000),
    ],
    ids=["driving-faery", "spinner-faery", "spinner-expelliarmus"],
)
def test_real_recording_is_read_the_same_by_others(
    real_data: Path, name: str, oracle: Oracle, num_events: int, duration_us: int
) -> None:
    recording = open_recording(real_data / name)
    assert (recording.num_events, recording.duration_us) == (num_events, duration_us)
    ours = Events.concatenate(recording.chunks(10_000))
    assert_equal(ours, oracle(real_data / name, recording.sensor_size))


def test_real_evt3_differs_from_evt3_only_where_time_steps_back(real_data: Path) -> None:
    # evt3 leaves each event at the stamp in force; ours is raised to the highest stamp of any time word before.
    recording = open_recording(real_data / "driving_evt3_720p.raw")
    ours = recording.slice(0, 1 << 40)
    theirs = by_evt3(recording.path, recording.sensor_size)
    for name in ("x", "y", "p"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    raised = ours.t - theirs.t
    assert raised.min() == 0
    assert raised.max() <= 11
    assert np.count_nonzero(raised) == recording.report.backward_clamped
