"""Independent readers of the same bytes agree with ours event for event.

expelliarmus (DAT, EVT2), faery (EVT2, EVT3, AEDAT4), evt3 (EVT3), eventcv (DAT, EVT2, EVT3, AEDAT4, HDF5, text, ROS 1)
and dv-processing (AEDAT4). expelliarmus is no oracle for EVT3: it takes a TIME_LOW that steps back for an overflow.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import (
    open_recording,
    write_aedat4,
    write_dat,
    write_evt2,
    write_evt3,
    write_hdf5,
    write_text,
)
from eventdet.geometry import SensorSize
from eventdet.triggers import Triggers

from .reference import random_events
from .reference_ros import write_events
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


def by_eventcv(path: Path, size: SensorSize) -> Events:
    # Asked for the unit, or it takes short HDF5 and text recordings for milliseconds.
    unit = "microseconds" if path.suffix in {".h5", ".csv"} else None
    array = pytest.importorskip("eventcv").load(str(path), time_unit=unit).numpy()
    return Events.from_columns(t=array[:, 2], x=array[:, 0], y=array[:, 1], p=array[:, 3])


def by_dv_processing(path: Path, size: SensorSize) -> Events:
    reader = pytest.importorskip("dv_processing").io.MonoCameraRecording(str(path))
    batches = [batch.numpy() for batch in iter(reader.getNextEventBatch, None)]
    array = np.concatenate(batches)
    return Events.from_columns(t=array["timestamp"], x=array["x"], y=array["y"], p=array["polarity"])


def assert_equal(ours: Events, theirs: Events) -> None:
    for name in ("t", "x", "y", "p"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name)


WRITERS: dict[str, Callable[..., None]] = {
    "a.dat": write_dat,
    "evt2.raw": write_evt2,
    "evt3.raw": write_evt3,
    "a.aedat4": write_aedat4,
    "a.h5": write_hdf5,
    "a.csv": write_text,
    "a.bag": write_events,
}
"""By the file that each writes: other packages tell formats by the ending."""

ORACLES = [
    ("a.dat", by_expelliarmus("dat"), "expelliarmus"),
    ("a.dat", by_eventcv, "eventcv"),
    ("evt2.raw", by_expelliarmus("evt2"), "expelliarmus"),
    ("evt2.raw", by_faery, "faery"),
    ("evt2.raw", by_eventcv, "eventcv"),
    ("evt3.raw", by_faery, "faery"),
    ("evt3.raw", by_evt3, "evt3"),
    ("evt3.raw", by_eventcv, "eventcv"),
    ("a.aedat4", by_faery, "faery"),
    ("a.aedat4", by_dv_processing, "dv"),
    ("a.aedat4", by_eventcv, "eventcv"),
    ("a.h5", by_eventcv, "eventcv"),
    ("a.csv", by_eventcv, "eventcv"),
    ("a.bag", by_eventcv, "eventcv"),
]


@pytest.mark.parametrize(
    ("name", "oracle"),
    [pytest.param(name, oracle, id=f"{name}-{package}") for name, oracle, package in ORACLES],
)
@pytest.mark.parametrize(
    "events",
    # The long one passes the EVT3 overflow of 16.8 s four times.
    [random_events(20_000, width=640, height=480), bursts(20_000), random_events(20_000, last_us=70_000_000)],
    ids=["random", "bursts", "long"],
)
def test_written_file_is_read_the_same_by_others(tmp_path: Path, name: str, oracle: Oracle, events: Events) -> None:
    WRITERS[name](tmp_path / name, events, VGA)
    assert_equal(events, oracle(tmp_path / name, VGA))
    assert_equal(events, Events.concatenate(open_recording(tmp_path / name).chunks()))


@pytest.mark.parametrize(
    ("name", "oracle"),
    [pytest.param(name, oracle, id=f"{name}-{package}") for name, oracle, package in ORACLES if name.endswith(".raw")],
)
def test_triggers_between_events_change_no_event_of_others(tmp_path: Path, name: str, oracle: Oracle) -> None:
    events = random_events(20_000, width=640, height=480, last_us=40_000_000)
    t = np.arange(0, 41_000_000, 33_333)
    triggers = Triggers(t, np.full(len(t), 1, np.uint8), np.arange(len(t), dtype=np.uint8) % 2)
    WRITERS[name](tmp_path / name, events, VGA, triggers=[triggers])
    assert open_recording(tmp_path / name).triggers().t.tolist() == t.tolist()
    assert_equal(events, oracle(tmp_path / name, VGA))


@pytest.mark.parametrize(
    ("name", "oracle", "num_events", "duration_us"),
    [
        ("driving_evt3_720p.raw", by_faery, 219_596, 8_811),
        ("spinner_evt2_vga.raw", by_faery, 539_481, 50_000),
        ("spinner_evt2_vga.raw", by_eventcv, 539_481, 50_000),
        ("spinner_evt2_vga.raw", by_expelliarmus("evt2"), 539_481, 50_000),
        ("person_aedat4_320x240.aedat4", by_eventcv, 111_954, 589_917),
    ],
    ids=["driving-faery", "spinner-faery", "spinner-eventcv", "spinner-expelliarmus", "person-eventcv"],
)
def test_real_recording_is_read_the_same_by_others(
    real_data: Path, name: str, oracle: Oracle, num_events: int, duration_us: int
) -> None:
    recording = open_recording(real_data / name)
    assert (recording.num_events, recording.duration_us) == (num_events, duration_us)
    ours = Events.concatenate(recording.chunks(10_000))
    assert_equal(ours, oracle(real_data / name, recording.sensor_size))


@pytest.mark.parametrize("oracle", [by_evt3, by_eventcv], ids=["evt3", "eventcv"])
def test_real_evt3_differs_from_others_only_where_time_steps_back(real_data: Path, oracle: Oracle) -> None:
    # Both leave each event at the stamp in force; ours is raised to the highest stamp of any time word before.
    recording = open_recording(real_data / "driving_evt3_720p.raw")
    ours = recording.slice(0, 1 << 40)
    theirs = oracle(recording.path, recording.sensor_size)
    for name in ("x", "y", "p"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    raised = ours.t - theirs.t
    assert raised.min() == 0
    assert raised.max() <= 11
    assert np.count_nonzero(raised) == recording.report.backward_clamped


def test_aedat4_of_dv_processing_is_read(tmp_path: Path) -> None:
    dv = pytest.importorskip("dv_processing")
    events = random_events(2000)
    store = dv.EventStore()
    for t, x, y, p in zip(*(column.tolist() for column in events), strict=True):
        store.push_back(t, x, y, bool(p))
    camera = dv.io.MonoCameraWriter.EventOnlyConfig("DVXplorer_sample", (304, 240))
    writer = dv.io.MonoCameraWriter(str(tmp_path / "a.aedat4"), camera)
    writer.writeEvents(store)
    del writer
    recording = open_recording(tmp_path / "a.aedat4", policy="strict")
    assert recording.sensor_size == SensorSize(240, 304)
    assert_equal(Events.concatenate(recording.chunks()), events)
