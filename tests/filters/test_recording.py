from pathlib import Path

import numpy as np
import pytest

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.filters import Background, Crop, FilteredRecording, Polarity, Refractory, start_filters
from eventdet.formats import open_recording, write_dat, write_evt3
from eventdet.geometry import GEN1, SensorSize

from .references import rows_of

GENERATOR = np.random.default_rng(1)
EVENTS = Events.from_columns(
    t=np.sort(GENERATOR.integers(0, 50_000, 3000)),
    x=GENERATOR.integers(0, 60, 3000),
    y=GENERATOR.integers(0, 50, 3000),
    p=GENERATOR.integers(0, 2, 3000),
)
FILTERS = [Refractory(3_000), Background(20_000), Crop(10, 10, 40, 30)]


@pytest.mark.parametrize("name", ["a.dat", "a.raw"])
def test_filtered_recording_is_a_recording_of_what_passes(tmp_path: Path, name: str) -> None:
    write = write_dat if name == "a.dat" else write_evt3
    write(tmp_path / name, EVENTS, GEN1)
    expected = start_filters(FILTERS, GEN1)(EVENTS)
    assert 0 < len(expected) < len(EVENTS)
    recording = FilteredRecording(open_recording(tmp_path / name), FILTERS)
    assert (recording.sensor_size, recording.unfiltered_size) == (SensorSize(30, 40), GEN1)
    assert recording.num_events == len(expected)
    assert (recording.t_first_us, recording.t_last_us) == (expected.t[0], expected.t[-1])
    assert rows_of(recording.slice(0, 10**9)) == rows_of(expected)
    assert rows_of(Events.concatenate(recording.chunks(7))) == rows_of(expected)
    assert rows_of(Events.concatenate(recording.chunks(out=Events.empty(64)))) == rows_of(expected)


def test_filtered_windows_do_not_depend_on_where_reading_begins(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, GEN1)
    recording = FilteredRecording(open_recording(tmp_path / "a.dat"), FILTERS)
    late = [window for window in recording.windows(10_000) if window.t0_us >= 30_000]
    direct = list(recording.windows(10_000, start_us=30_000))
    assert [rows_of(window.events) for window in direct] == [rows_of(window.events) for window in late]


def test_report_of_a_filtered_part_counts_what_was_read(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, GEN1)
    recording = FilteredRecording(open_recording(tmp_path / "a.dat"), FILTERS)
    part = recording.slice(30_000, 40_000)
    assert rows_of(part) == rows_of(start_filters(FILTERS, GEN1)(EVENTS).between(30_000, 40_000))
    assert recording.report.num_events == len(EVENTS)


def test_filters_that_leave_nothing_give_an_empty_recording(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, GEN1)
    recording = FilteredRecording(open_recording(tmp_path / "a.dat"), [Polarity("on"), Polarity("off")])
    assert list(recording.chunks()) == []
    assert (recording.num_events, list(recording.windows(1000))) == (0, [])


def test_filter_that_does_not_fit_raises_before_reading(tmp_path: Path) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, GEN1)
    with pytest.raises(OptionError, match="crop must lie on the 304x240 sensor"):
        FilteredRecording(open_recording(tmp_path / "a.dat"), [Crop(300, 0, 40, 30)])
