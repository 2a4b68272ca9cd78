from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.formats import DatRecording, Recording, open_recording, write_dat, write_evt2, write_evt3
from eventdet.formats._dat_kernels import bisect_dat, scan_dat
from eventdet.geometry import GEN1

from .reference import decode_dat, random_events, rows

Write: TypeAlias = Callable[..., None]

every_format = pytest.mark.parametrize("write", [write_dat, write_evt2, write_evt3], ids=["dat", "evt2", "evt3"])
EVENTS = random_events(4000, last_us=100_000)

DIRTY = [
    (10, 0), (50, 1), (20, 2), (60, 400), (55, 3), (100, 4), (2**32 - 9, 5), (2**32 - 8, 5), (2**32 - 7, 5),
    (2**32 - 5, 5), (3, 6), (2**32 - 2, 7), (9, 8), (2**31, 9), (12, 9),
]  # fmt: skip
"""Steps back, a column beyond the sensor, an overflow, a late event across it and a leap, as (stamp, column)."""


def open_dirty(path: Path, *, policy: str = "repair") -> DatRecording:
    write_dat(path, Events.empty(), GEN1)
    with path.open("ab") as file:
        file.write(np.array(DIRTY, "<u4").tobytes() + b"\x00")
    recording = open_recording(path, policy=policy)
    assert isinstance(recording, DatRecording)
    return recording


@every_format
def test_recording_tells_size_and_extent(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "a", EVENTS, GEN1)
    recording = open_recording(tmp_path / "a")
    assert (recording.path, recording.name) == (tmp_path / "a", "a")
    assert not recording.synthetic
    assert f"write_{recording.format}" == write.__name__
    assert recording.sensor_size == GEN1
    assert recording.num_events == 4000
    assert (recording.t_first_us, recording.t_last_us) == (EVENTS.t[0], EVENTS.t[-1])
    assert recording.duration_us == EVENTS.t[-1] - EVENTS.t[0]
    # To ask is not to read: nothing has been delivered yet.
    assert recording.report.num_events == 0


def test_recording_knows_the_mark_of_synthetic_events(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", EVENTS[:5], GEN1, synthetic=True)
    recording = open_recording(tmp_path / "a")
    assert recording.synthetic
    assert rows(recording.slice(0, 10**6)) == rows(EVENTS[:5])


@every_format
def test_recording_without_events_is_valid(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "a", Events.empty(), GEN1)
    recording = open_recording(tmp_path / "a")
    assert (recording.num_events, recording.duration_us) == (0, 0)
    assert list(recording.chunks()) == []
    assert list(recording.windows(50_000)) == []
    assert len(recording.slice(0, 10**9)) == 0


@every_format
@pytest.mark.parametrize("num_events", [1, 7, 1000, 10**6])
def test_chunks_hold_every_event_once(tmp_path: Path, write: Write, num_events: int) -> None:
    write(tmp_path / "a", EVENTS[:500], GEN1)
    recording = open_recording(tmp_path / "a")
    chunks = list(recording.chunks(num_events))
    assert rows(Events.concatenate(chunks)) == rows(EVENTS[:500])
    assert all(0 < len(chunk) < num_events + 12 for chunk in chunks)
    assert recording.report.num_events == 500


@every_format
def test_chunks_into_given_columns_are_views_of_them(tmp_path: Path, write: Write) -> None:
    write(tmp_path / "a", EVENTS[:500], GEN1)
    recording = open_recording(tmp_path / "a")
    out = Events.empty(64)
    got = []
    for chunk in recording.chunks(out=out):
        assert np.shares_memory(chunk.t, out.t)
        got += rows(chunk)
    assert got == rows(EVENTS[:500])


@every_format
@pytest.mark.parametrize(
    ("t0", "t1"), [(0, 100_001), (-5, 3000), (500, 500), (600, 500), (99_000, 10**15), (10**15, 10**16), (250, 251)]
)
def test_slice_is_half_open(tmp_path: Path, write: Write, t0: int, t1: int) -> None:
    write(tmp_path / "a", EVENTS, GEN1)
    expected = [row for row in rows(EVENTS) if t0 <= row[0] < t1]
    assert rows(open_recording(tmp_path / "a").slice(t0, t1)) == expected


@every_format
@pytest.mark.parametrize("start", [None, 0, 40_000, 99_990])
def test_windows_equal_slices(tmp_path: Path, write: Write, start: int | None) -> None:
    write(tmp_path / "a", EVENTS, GEN1)
    recording = open_recording(tmp_path / "a")
    windows = list(recording.windows(7000, 5000, start))
    assert windows[0].t0_us == (EVENTS.t[0] // 5000 * 5000 if start is None else start)
    for window in windows:
        assert rows(window.events) == rows(recording.slice(window.t0_us, window.t1_us))


def test_windows_and_chunks_of_bad_lengths_raise_at_the_call(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", EVENTS, GEN1)
    recording = open_recording(tmp_path / "a")
    with pytest.raises(OptionError, match="length_us must be > 0, got 0"):
        recording.windows(0)
    with pytest.raises(OptionError, match="stride_us must be > 0, got -1"):
        recording.windows(10, -1)
    with pytest.raises(OptionError, match="num_events must be > 0, got 0"):
        recording.chunks(0)


def test_dat_words_are_the_raw_records_of_the_window(tmp_path: Path) -> None:
    write_dat(tmp_path / "a", EVENTS, GEN1)
    recording = open_recording(tmp_path / "a")
    assert isinstance(recording, DatRecording)
    assert recording.is_clean
    words = recording.words(20_000, 30_000)
    assert words.dtype == np.uint32
    assert words.shape == (len(EVENTS.between(20_000, 30_000)), 2)
    assert [
        (t, *row[1:]) for t, row in zip(words[:, 0].tolist(), rows(recording.slice(20_000, 30_000)), strict=True)
    ] == [
        (row[0], word & 0x3FFF, word >> 14 & 0x3FFF, word >> 28)
        for row, word in zip(rows(EVENTS.between(20_000, 30_000)), words[:, 1].tolist(), strict=True)
    ]


def test_dat_window_of_a_trusted_file_touches_no_other_record(tmp_path: Path) -> None:
    # Everything beyond the window is disorder that a scan would find.
    write_dat(tmp_path / "a", EVENTS, GEN1)
    with (tmp_path / "a").open("ab") as file:
        file.write(np.array([(2**31, 9999), (2**31 - 1, 9999)], "<u4").tobytes())
    recording = open_recording(tmp_path / "a", policy="trust")
    assert rows(recording.slice(20_000, 30_000)) == rows(EVENTS.between(20_000, 30_000))
    assert recording.report.repairs == {}


def test_dirty_dat_is_repaired_the_same_on_every_path(tmp_path: Path) -> None:
    expected = decode_dat(DIRTY, GEN1.width, GEN1.height)
    assert [row[0] for row in expected.rows] == [
        10, 50, 50, 55, 100, 2**32 - 9, 2**32 - 8, 2**32 - 7, 2**32 - 5,
        2**32 + 3, 2**32 + 3, 2**32 + 9, 2**32 + 12,
    ]  # fmt: skip
    recording = open_dirty(tmp_path / "a.dat")
    assert not recording.is_clean
    assert recording.num_events == 13
    assert recording.t_last_us == 2**32 + 12
    assert rows(Events.concatenate(recording.chunks(2))) == expected.rows
    assert recording.report.repairs == {
        "backward_clamped": 2, "time_jump_dropped": 1, "out_of_range_dropped": 1, "trailing_bytes": 1,
    }  # fmt: skip
    assert rows(recording.slice(50, 2**32)) == [row for row in expected.rows if 50 <= row[0] < 2**32]
    assert rows(recording.slice(2**32, 2**33)) == [row for row in expected.rows if row[0] >= 2**32]
    windows = open_dirty(tmp_path / "a.dat").windows(100, start_us=2**32 - 100)
    assert [row for window in windows for row in rows(window.events)] == expected.rows[5:]
    with pytest.raises(OptionError, match="words need a file in time order"):
        recording.words(0, 10)


def test_dirty_dat_raises_under_strict_on_every_path(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="1 bytes after the last whole record"):
        open_dirty(tmp_path / "a.dat", policy="strict")
    content = (tmp_path / "a.dat").read_bytes()[:-1]
    (tmp_path / "a.dat").write_bytes(content)
    # Record 2, stamped 20 after 50, is the first fault; all records of 8 bytes stand at the end.
    message = f"stamp steps back, at byte {len(content) - 8 * len(DIRTY) + 16}"
    paths: list[Callable[[Recording], object]] = [
        lambda recording: recording.num_events,
        lambda recording: recording.slice(0, 10),
        lambda recording: list(recording.chunks()),
        lambda recording: list(recording.windows(100, start_us=0)),
    ]
    for read in paths:
        with pytest.raises(FormatError, match=message):
            read(open_recording(tmp_path / "a.dat", policy="strict"))


stamp_lists = st.lists(st.integers(0, 50), max_size=40)


@given(stamp_lists.map(sorted), st.integers(-3, 60))
def test_bisect_dat_agrees_with_searchsorted(stamps: list[int], t_us: int) -> None:
    # The upper half holds bits of every kind: only the stamp may count.
    records = np.array(stamps, np.int64) | np.int64(-1) << 32
    assert bisect_dat(records, t_us) == np.searchsorted(np.array(stamps, np.int64), t_us)


@given(stamp_lists, st.integers(0, 41), st.integers(0, 21))
def test_scan_dat_agrees_with_its_definition(stamps: list[int], x: int, y: int) -> None:
    records = np.array([stamp | (x | y << 14) << 32 for stamp in stamps], np.int64)
    expected = stamps == sorted(stamps) and (not stamps or (x < 40 and y < 20))
    assert scan_dat(records, 40, 20) == expected


@pytest.mark.parametrize("position", [0, 1, 1023, 1024, 2048, 2999])
def test_scan_dat_finds_one_dirty_record_in_many(position: int) -> None:
    stamps = 100 + np.arange(3000, dtype=np.int64)
    assert scan_dat(stamps, 40, 20)
    outside = stamps.copy()
    outside[position] |= 40 << 32
    assert not scan_dat(outside, 40, 20)
    high = stamps.copy()
    high[position] += 2 if position < 2999 else -2
    assert not scan_dat(high, 40, 20)


@pytest.mark.parametrize("position", [0, 1023, 1024, 2998])
def test_scan_dat_finds_a_record_that_leaps_ahead(position: int) -> None:
    stamps = 100 + np.arange(3000, dtype=np.int64)
    stamps[position] = 3_900_000_000
    assert not scan_dat(stamps, 40, 20)


@pytest.mark.parametrize("write", [write_dat, write_evt3], ids=["dat", "evt3"])
def test_recording_of_many_spans_holds_every_event_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    # Spans of 4096 bytes in a file of some ten thousand: their memory is given back while views of others live on.
    monkeypatch.setattr("eventdet.formats._payload._SPAN_BYTES", 4096)
    write(tmp_path / "a", EVENTS, GEN1)
    recording = open_recording(tmp_path / "a")
    chunks = list(recording.chunks(100))
    assert rows(Events.concatenate(chunks)) == rows(EVENTS)
    assert rows(recording.slice(0, 10**6)) == rows(EVENTS)
    assert rows(Events.concatenate(recording.chunks(10**6))) == rows(EVENTS)


def test_dat_disorder_between_spans_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.formats.dat_recording._SCAN_BYTES", 80)
    write_dat(tmp_path / "a", EVENTS[:100], GEN1)
    content = (tmp_path / "a").read_bytes()
    recording = open_recording(tmp_path / "a")
    assert isinstance(recording, DatRecording)
    assert recording.is_clean
    # The second span begins with an event that is earlier than the last one of the first.
    start = len(content) - 800
    stamps = np.arange(1000, 1100, dtype="<u4")
    stamps[10:] -= 20
    records = np.frombuffer(content, "<u4", offset=start).reshape(-1, 2).copy()
    records[:, 0] = stamps
    (tmp_path / "b").write_bytes(content[:start] + records.tobytes())
    dirty = open_recording(tmp_path / "b")
    assert isinstance(dirty, DatRecording)
    assert not dirty.is_clean


@pytest.mark.parametrize("num_records", [3, 8, 9, 20, 100])
def test_dat_read_in_spans_judges_leaps_by_what_the_next_span_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_records: int
) -> None:
    stamps = 60_000_000 + 10 * np.arange(100)
    stamps[50:] += 30_000_000
    stamps[[19, 49, 79]] = 3_900_000_000
    write_dat(tmp_path / "a.dat", Events.empty(), GEN1)
    with (tmp_path / "a.dat").open("ab") as file:
        file.write(np.stack([stamps, np.zeros(100, int)], axis=1).astype("<u4").tobytes())
    monkeypatch.setattr("eventdet.formats._payload._SPAN_BYTES", 8 * num_records)
    recording = open_recording(tmp_path / "a.dat")
    events = Events.concatenate(recording.chunks(2))
    np.testing.assert_array_equal(events.t, np.delete(stamps, [19, 49, 79]))
    assert recording.report.repairs == {"time_jump_dropped": 3}
    with pytest.raises(FormatError, match=f"stamp leaps ahead of those that follow, at byte {_first(recording) + 152}"):
        list(open_recording(tmp_path / "a.dat", policy="strict").chunks(2))


def _first(recording: Recording) -> int:
    """Return the byte of the first of 100 records."""
    return recording.path.stat().st_size - 800
