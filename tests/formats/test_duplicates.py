from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.cli.main import run
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import (
    DAT,
    DatRecording,
    Decoder,
    ReadPolicy,
    inspect_recording,
    open_recording,
    write_dat,
    write_evt2,
    write_evt3,
)
from eventdet.geometry import GEN1, SensorSize
from eventdet.preprocessing import open_stored_recording

from .reference import Row, rows

Write: TypeAlias = Callable[..., None]
every_format = pytest.mark.parametrize("write", [write_dat, write_evt2, write_evt3], ids=["dat", "evt2", "evt3"])

# Rows 1 and 3 repeat row 0, with another pixel between; row 4 differs in polarity, row 5 in time, row 6 repeats row 5.
ROWS = [(5, 300, 7, 1), (5, 300, 7, 1), (5, 2, 7, 1), (5, 300, 7, 1), (5, 300, 7, 0), (6, 300, 7, 1), (6, 300, 7, 1)]
UNIQUE = [ROWS[0], ROWS[2], ROWS[4], ROWS[5]]


def events_of(given_rows: list[Row]) -> Events:
    t, x, y, p = zip(*given_rows, strict=True) if given_rows else ([], [], [], [])
    return Events.from_columns(t=t, x=x, y=y, p=p)


@every_format
def test_duplicates_are_dropped_and_counted_on_every_path(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "a", events_of(ROWS), GEN1)
    recording = open_recording(tmp_path / "a", policy=ReadPolicy(duplicates="drop"))
    assert recording.num_events == 4
    assert rows(Events.concatenate(recording.chunks(2))) == UNIQUE
    assert recording.report.repairs == {"duplicates_dropped": 3}
    assert recording.report.num_events == 4
    assert rows(recording.slice(6, 7)) == UNIQUE[3:]
    assert [row for window in recording.windows(1, start_us=5) for row in rows(window.events)] == UNIQUE


@every_format
def test_duplicates_are_counted_and_kept(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "a", events_of(ROWS), GEN1)
    recording = open_recording(tmp_path / "a", policy=ReadPolicy(duplicates="count"))
    assert rows(Events.concatenate(recording.chunks(2))) == ROWS
    assert recording.report.duplicates_kept == 3
    assert recording.report.repairs == {}


def test_duplicates_are_not_looked_for_unless_asked(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", events_of(ROWS), GEN1)
    recording = open_recording(tmp_path / "a")
    assert len(recording.slice(0, 10)) == 7
    assert recording.report.duplicates_kept == 0


@pytest.mark.parametrize(("duplicates", "num_events"), [("count", 7), ("drop", 4)])
def test_a_store_keeps_the_count_of_duplicates(tmp_path: Path, duplicates: str, num_events: int) -> None:
    write_dat(tmp_path / "a.dat", events_of(ROWS), GEN1)
    assert run(["convert", str(tmp_path / "a.dat"), "-o", str(tmp_path / "a.zarr"), "--duplicates", duplicates]) == 0
    stored = open_stored_recording(tmp_path / "a.zarr")
    assert stored.num_events == num_events
    assert stored.report.duplicates_kept + stored.report.duplicates_dropped == 3


def test_info_counts_duplicates(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", events_of(ROWS), GEN1)
    assert inspect_recording(tmp_path / "a").counts["duplicates_kept"] == 3


def test_raw_records_are_refused_when_duplicates_are_dropped(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", events_of(ROWS), GEN1)
    recording = open_recording(tmp_path / "a", policy=ReadPolicy(duplicates="drop"))
    assert isinstance(recording, DatRecording)
    with pytest.raises(OptionError, match=r"words need a file .* with its duplicates"):
        recording.words(0, 10)


def test_read_policy_refuses_unknown_values() -> None:
    with pytest.raises(OptionError, match="policy must be one of repair, strict, trust, got 'mend'"):
        ReadPolicy("mend")
    with pytest.raises(OptionError, match="duplicates must be one of ignore, count, drop, got 'keep'"):
        ReadPolicy(duplicates="keep")


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers(0, 1), st.integers(0, 1)), max_size=40),
    st.integers(1, 9),
)
def test_dropping_duplicates_keeps_the_first_of_each(given_rows: list[Row], chunk: int) -> None:
    given_rows = sorted(given_rows, key=lambda row: row[0])
    decoder = Decoder(DAT, SensorSize(2, 3), policy=ReadPolicy(duplicates="drop"))
    records = DAT.records(
        b"".join(t.to_bytes(4, "little") + (x | y << 14 | p << 28).to_bytes(4, "little") for t, x, y, p in given_rows)
    )
    got = [row for batch in decoder.iter_events(records, num_events=chunk) for row in rows(batch)]
    assert got == list(dict.fromkeys(given_rows))
    assert decoder.report.duplicates_dropped == len(given_rows) - len(got)
