"""Parts of any file, however dirty, are the same parts of a full read; an index is the same wherever it comes from."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import FormatError
from eventdet.events import Events
from eventdet.formats import (
    DatRecording,
    ReadPolicy,
    Recording,
    open_recording,
    write_aedat4,
    write_aer40,
    write_dat,
    write_es,
    write_evt2,
    write_evt3,
    write_evt21,
    write_text,
)
from eventdet.formats._aedat4_layout import pack_table, table_entries
from eventdet.formats._frames import lz4_compress, unpack_lz4
from eventdet.formats._payload import Payload
from eventdet.formats._seek import ROW_INTEGERS, Extent, SeekIndex, build_index
from eventdet.formats._seek_cache import cached_index
from eventdet.formats._state import BASE_X, CLOCK, LIMITS, NUM_HELD, NUM_SLOTS, POLARITY, TRIGGERS, Y
from eventdet.formats.aer40 import open_aer40
from eventdet.formats.text import _line_blocks
from eventdet.geometry import SensorSize

from .reference import random_events, rows

Writer: TypeAlias = Callable[[Path, Events], None]

LAST_US = 30_000_000
"""Beyond the 16.8 s of an EVT3 overflow, and far enough for stamps of DAT to leap."""

SIZE = SensorSize(240, 256)
EVENTS = random_events(400, width=SIZE.width, last_us=LAST_US)
WHOLE = (-(1 << 62), 1 << 62)


@pytest.fixture(autouse=True, scope="module")
def small_steps() -> Iterator[None]:
    """Put many checkpoints, and every index into the cache, whose files are small here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eventdet.formats._payload._STEP_BYTES", 40)
        patch.setattr("eventdet.formats.recording._SOUGHT_EVENTS", 16)
        patch.setattr("eventdet.formats._seek._BATCH_EVENTS", 64)
        patch.setattr("eventdet.formats._seek_cache._SMALLEST_CACHED", 0)
        patch.setattr("eventdet.formats.aedat4._PACKET_EVENTS", 16)
        patch.setattr("eventdet.formats.text._BLOCK_BYTES", 100)
        for module in ("hdf5", "npy"):
            patch.setattr(f"eventdet.formats.{module}.BLOCK_EVENTS", 16)
        yield


def write_dat1(path: Path, events: Events) -> None:
    word = events.x.astype("<u4") & 0x1FF | events.y.astype("<u4") << 9 | events.p.astype("<u4") << 17
    head = b"% Data file containing Event2D events\n% Version 1\n% Height 240\n% Width 256\n\x00\x08"
    path.write_bytes(head + np.stack([events.t.astype("<u4"), word], axis=1).tobytes())


def write_evt4(path: Path, events: Events) -> None:
    words = []
    for t, x, y, p in rows(events):
        words += [0xE << 28 | t >> 6, (0xA + p) << 28 | (t & 63) << 22 | x << 11 | y]
    path.write_bytes(b"% evt 4.0\n% geometry 256x240\n% end\n" + np.array(words, "<u4").tobytes())


def write_aedat2(path: Path, events: Events) -> None:
    address = events.y.astype(">u4") % 128 << 8 | events.x.astype(">u4") % 128 << 1 | events.p
    head = b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n"
    path.write_bytes(head + np.stack([address, events.t], axis=1).astype(">u4").tobytes())


def write_raw_columns(path: Path, events: Events) -> None:
    """Write columns that no writer of ours would: disorder, a column and a polarity that cannot be."""
    t, x, p = events.t.copy(), events.x.copy(), events.p.astype("i1")
    t[5::7] -= 10
    x[3::11] = 999
    p[2::13] = 5
    columns: dict[str, NDArray[Any]] = {"t": t, "x": x, "y": events.y, "p": p}
    if path.suffix == ".npz":
        np.savez_compressed(path, t=t, x=x, y=events.y, p=p)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, column in columns.items():
                file[f"events/{name}"] = column
    else:
        records = np.empty(len(t), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            records[name] = column
        np.save(path, records)


def sized(write: Callable[..., None]) -> Writer:
    return lambda path, events: write(path, events, SIZE)


BINARY: dict[str, Writer] = {
    "a.dat": sized(write_dat), "1.dat": write_dat1, "2.raw": sized(write_evt2), "21.raw": sized(write_evt21),
    "3.raw": sized(write_evt3), "4.raw": write_evt4, "a.es": sized(write_es), "a.aedat": write_aedat2,
    "a.bin": sized(write_aer40), "a.aedat4": sized(write_aedat4), "a.csv": sized(write_text),
}  # fmt: skip
"""Formats in which whatever byte is changed behind the header leaves a file that can be read."""

COLUMNS = ["a.npz", "a.npy", "a.h5"]


def opened(path: Path, policy: str | ReadPolicy = "repair") -> Recording:
    if path.suffix == ".bin":
        # Without a header it takes its events to be known, and some here are broken.
        return Recording(replace(open_aer40(path, SIZE, "repair"), policy=policy))
    return open_recording(path, sensor_size=SIZE, policy=policy)


def payload_of(path: Path) -> Payload:
    return opened(path)._payload


def assert_parts_are_those_of_a_full_read(path: Path, policy: ReadPolicy, spans: list[tuple[int, int]]) -> None:
    full = Events.concatenate(opened(path, policy).chunks())
    recording = opened(path, policy)
    assert recording.num_events == len(full)
    if len(full):
        assert (recording.t_first_us, recording.t_last_us) == (full.t[0], full.t[-1])
    for start, length in spans:
        # Half of the starts are stamps of events: those at the very edge.
        t0 = int(full.t[start % len(full)]) if start % 2 and len(full) else start
        before = recording.report.num_events
        part = recording.slice(t0, t0 + length)
        assert rows(part) == rows(full.between(t0, t0 + length))
        assert recording.report.num_events - before == len(part)
        windows = opened(path, policy).windows(length + 1, start_us=t0, stop_us=t0 + 3 * (length + 1))
        got = Events.concatenate(window.events for window in windows)
        assert rows(got) == rows(full.between(t0, t0 + 3 * (length + 1)))


spans_of_time = st.lists(
    st.tuples(st.integers(-10, LAST_US + 10), st.sampled_from([0, 1, 1000, 10**6, LAST_US])), min_size=1, max_size=3
)
policies = st.builds(ReadPolicy, st.sampled_from(["repair", "trust"]), st.sampled_from(["ignore", "drop"]))


@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=25)
@given(data=st.data())
def test_parts_of_a_dirty_file_are_those_of_a_full_read(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("dirty") / name
    # The first event stays, by which text is told.
    BINARY[name](path, EVENTS[:1])
    header_bytes = path.stat().st_size
    BINARY[name](path, EVENTS)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.integers(header_bytes, len(content) - 1))
        content[place : place + 4] = data.draw(st.binary(min_size=1, max_size=9))
    path.write_bytes(content)
    policy = data.draw(policies)
    # Under trust a DAT file is taken to be in order, and a table of packets to say what they hold.
    faults = "repair" if name in ("a.dat", "a.aedat4") else policy.faults
    assert_parts_are_those_of_a_full_read(path, ReadPolicy(faults, policy.duplicates), data.draw(spans_of_time))


@pytest.mark.parametrize("name", COLUMNS)
@settings(max_examples=15)
@given(spans=spans_of_time, duplicates=st.sampled_from(["ignore", "drop"]))
def test_parts_of_dirty_columns_are_those_of_a_full_read(
    name: str, tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], duplicates: str
) -> None:
    path = tmp_path_factory.mktemp("columns") / name
    write_raw_columns(path, EVENTS)
    assert_parts_are_those_of_a_full_read(path, ReadPolicy(duplicates=duplicates), spans)


@given(lines=st.lists(st.integers(0, 250).map(lambda size: b"7" * size), max_size=8))
def test_blocks_of_text_are_the_same_from_wherever_reading_begins(
    tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("lines") / "a.csv"
    path.write_bytes(b"\n".join(lines))
    with pytest.MonkeyPatch.context() as patch:
        # Blocks of 100 bytes: longer lines are cut.
        patch.setattr("eventdet.formats.text._LONGEST_LINE", 30)
        blocks = list(_line_blocks(path, 0))
        assert b"".join(blocks) == path.read_bytes()
        for number in range(len(blocks)):
            assert list(_line_blocks(path, sum(map(len, blocks[:number])))) == blocks[number:]


@pytest.mark.parametrize("name", [*BINARY, *COLUMNS])
def test_a_late_part_begins_at_a_checkpoint_near_it(name: str, tmp_path: Path) -> None:
    (BINARY.get(name) or write_raw_columns)(tmp_path / name, EVENTS)
    index = build_index(payload_of(tmp_path / name))
    assert len(index.rows) >= 8
    begin = index.before(int(EVENTS.t[-3]))
    assert begin is not None
    read = sum(
        map(len, payload_of(tmp_path / name).iter_events(opened(tmp_path / name).report, num_events=9, begin=begin))
    )
    assert 3 <= read < 100


def test_before_takes_the_last_checkpoint_that_no_event_of_the_time_lies_before() -> None:
    table = np.zeros((3, ROW_INTEGERS), np.int64)
    table[:, 0] = [100, 200, 300]
    table[:, 1 + CLOCK] = [0, 50, 50]
    index = SeekIndex(table, Extent(0, 0, 0))
    positions = [None if begin is None else begin.position for begin in map(index.before, (0, 1, 50, 51))]
    assert positions == [None, 100, 100, 300]


@pytest.mark.parametrize("most", [2, 4, 8])
def test_checkpoints_beyond_the_most_are_thinned_evenly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    write_evt2(tmp_path / "a.raw", EVENTS, SIZE)
    every = build_index(payload_of(tmp_path / "a.raw")).rows
    monkeypatch.setattr("eventdet.formats._seek.MOST_CHECKPOINTS", most)
    kept = build_index(payload_of(tmp_path / "a.raw")).rows
    assert most // 2 < len(kept) <= most
    stride = -(-len(every) // len(kept))
    stride = 1 << (stride - 1).bit_length()
    np.testing.assert_array_equal(kept, every[::stride])


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "index"


@pytest.fixture
def recording_file(tmp_path: Path) -> Path:
    """A file with rows, vectors and an overflow, so that the state matters."""
    write_evt3(tmp_path / "a.raw", EVENTS, SIZE)
    return tmp_path / "a.raw"


def passes_through(path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return how often a new recording goes through the whole file to find its last event."""
    passes = []

    def build(payload: Payload) -> SeekIndex:
        passes.append(payload)
        return build_index(payload)

    monkeypatch.setattr("eventdet.formats.recording.build_index", build)
    assert rows(opened(path).slice(int(EVENTS.t[-1]), 1 << 40)) == rows(EVENTS)[-1:]
    return len(passes)


def rewrite(file: Path, change: Callable[[NDArray[np.int64]], None]) -> None:
    """Change the integers of a cached index, and make its checksum fit."""
    content = file.read_bytes()
    # Checksum and identity of 32 bytes each, then the extent and the rows.
    numbers = np.frombuffer(content[64:], np.int64).copy()
    change(numbers)
    body = content[32:64] + numbers.tobytes()
    file.write_bytes(hashlib.sha256(body).digest() + body)


def test_an_index_is_built_once_and_found_again(
    cache: Path, recording_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert passes_through(recording_file, monkeypatch) == 1
    assert passes_through(recording_file, monkeypatch) == 0
    assert len(list(cache.iterdir())) == 1
    fresh, kept = build_index(payload_of(recording_file)), cached_index(payload_of(recording_file), build=build_index)
    np.testing.assert_array_equal(kept.rows, fresh.rows)
    assert kept.extent == fresh.extent == Extent(400, int(EVENTS.t[0]), int(EVENTS.t[-1]))


def test_each_policy_sensor_and_path_has_an_index_of_its_own(cache: Path, recording_file: Path) -> None:
    for policy in ("repair", "strict", ReadPolicy(duplicates="drop")):
        assert opened(recording_file, policy).num_events == 400
    link = recording_file.with_name("link.raw")
    link.symlink_to(recording_file)
    assert opened(link).num_events == 400
    assert len(list(cache.iterdir())) == 3
    link.unlink()
    link.write_bytes(recording_file.read_bytes())
    assert opened(link).num_events == 400
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("place", [0, 40, 64, 100, -1], ids=["checksum", "identity", "extent", "rows", "end"])
def test_a_damaged_index_is_built_anew(
    cache: Path, recording_file: Path, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    passes_through(recording_file, monkeypatch)
    (file,) = cache.iterdir()
    content = bytearray(file.read_bytes())
    content[place] ^= 4
    file.write_bytes(content)
    assert passes_through(recording_file, monkeypatch) == 1
    assert passes_through(recording_file, monkeypatch) == 0


@pytest.mark.parametrize("size", [0, 31, 64, 87, 88, 100])
def test_a_cut_index_is_built_anew(
    cache: Path, recording_file: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    passes_through(recording_file, monkeypatch)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes()[:size])
    assert passes_through(recording_file, monkeypatch) == 1


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (0, -1), (2, 0), (3, 0), (3 + ROW_INTEGERS, 0), (4 + Y, -5), (4 + BASE_X, -5), (4 + POLARITY, 2),
        (4 + NUM_HELD, 5), (4 + TRIGGERS, 1 << 40), (4 + CLOCK, 1 << 60), (4 + CLOCK, -1),
    ],
    ids=[
        "number", "last-before-first", "in-header", "order", "row", "column", "polarity", "held", "allocation",
        "clock-order", "clock",
    ],
)  # fmt: skip
def test_an_index_that_no_pass_could_make_is_built_anew(
    cache: Path, recording_file: Path, monkeypatch: pytest.MonkeyPatch, place: int, value: int
) -> None:
    passes_through(recording_file, monkeypatch)
    (file,) = cache.iterdir()
    rewrite(file, lambda numbers: numbers.__setitem__(place, value))
    assert passes_through(recording_file, monkeypatch) == 1


@pytest.mark.parametrize("name", [*BINARY, *COLUMNS])
@settings(max_examples=15)
@given(data=st.data())
def test_any_index_that_is_taken_gives_events_of_the_sensor_or_an_error(
    name: str, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("edited")
    (BINARY.get(name) or write_raw_columns)(folder / name, EVENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTDET_CACHE", str(folder))
        cached_index(payload_of(folder / name), build=build_index)
        (file,) = (folder / "index").iterdir()

        def edit(numbers: NDArray[np.int64]) -> None:
            for _ in range(data.draw(st.integers(1, 3))):
                slot = data.draw(st.integers(0, NUM_SLOTS))
                limits = LIMITS[slot - 1] if slot else (0, 2 * path_bytes)
                row = data.draw(st.integers(0, (len(numbers) - 3) // ROW_INTEGERS - 1))
                numbers[3 + row * ROW_INTEGERS + slot] = data.draw(st.sampled_from(limits) | st.integers(*limits))

        path_bytes = (folder / name).stat().st_size
        rewrite(file, edit)
        with contextlib.suppress(FormatError):
            for start in (0, LAST_US // 2, LAST_US):
                part = opened(folder / name, ReadPolicy(duplicates="drop")).slice(start, 1 << 62)
                assert part.x.max(initial=0) < SIZE.width
                assert part.y.max(initial=0) < SIZE.height
                assert part.p.max(initial=0) <= 1


def test_a_file_that_changes_and_keeps_its_size_is_indexed_anew(cache: Path, tmp_path: Path) -> None:
    # Two words an event, whatever the stamps: only clocks and states of the checkpoints differ.
    path = tmp_path / "a.raw"
    write_evt2(path, Events(EVENTS.t // 2, EVENTS.x, EVENTS.y, EVENTS.p), SIZE)
    before = path.stat()
    assert opened(path).num_events == 400
    write_evt2(path, EVENTS, SIZE)
    # The time of change is put back, so that the content alone tells.
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert rows(opened(path).slice(int(EVENTS.t[200]), 1 << 40)) == rows(EVENTS)[200:]
    # And the other way round: the same content, another time.
    content = next(cache.iterdir()).read_bytes()
    os.utime(path, ns=(0, 0))
    assert opened(path).num_events == 400
    assert next(cache.iterdir()).read_bytes() != content
    assert len(list(cache.iterdir())) == 1


def test_a_file_that_grows_while_it_is_indexed_is_not_kept(
    cache: Path, recording_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_and_grow(payload: Payload) -> SeekIndex:
        index = build_index(payload)
        with payload.path.open("ab") as file:
            file.write(b"\x00\x00")
        return index

    monkeypatch.setattr("eventdet.formats.recording.build_index", build_and_grow)
    assert opened(recording_file).num_events == 400
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_no_error(
    recording_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a-file").write_bytes(b"")
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path / "a-file"))
    assert passes_through(recording_file, monkeypatch) == 1


def test_the_cache_lies_where_the_environment_says(
    recording_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("EVENTDET_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert opened(recording_file).num_events == 400
    assert len(list((tmp_path / "xdg" / "eventdet" / "index").iterdir())) == 1
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert opened(recording_file).num_events == 400
    assert len(list((tmp_path / "home" / ".cache" / "eventdet" / "index").iterdir())) == 1


def test_a_dat_file_is_scanned_for_disorder_once(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_dat(tmp_path / "a.dat", EVENTS, SIZE)
    first = opened(tmp_path / "a.dat")
    assert isinstance(first, DatRecording)
    assert first.is_clean
    monkeypatch.delattr("eventdet.formats.dat_recording._is_clean_dat")
    assert rows(opened(tmp_path / "a.dat").slice(int(EVENTS.t[-3]), LAST_US + 1)) == rows(EVENTS)[-3:]
    # A record that steps back at the end: a file of another size, which is scanned again and then indexed.
    with (tmp_path / "a.dat").open("ab") as file:
        file.write(bytes(8))
    monkeypatch.undo()
    monkeypatch.setenv("EVENTDET_CACHE", str(cache.parent))
    dirty = opened(tmp_path / "a.dat")
    assert isinstance(dirty, DatRecording)
    assert not dirty.is_clean
    monkeypatch.delattr("eventdet.formats.dat_recording._is_clean_dat")
    monkeypatch.delattr("eventdet.formats.recording.Recording.chunks")
    late = opened(tmp_path / "a.dat")
    assert rows(late.slice(int(EVENTS.t[-3]), LAST_US + 1)) == [*rows(EVENTS)[-3:], (int(EVENTS.t[-1]), 0, 0, 0)]
    assert late.report.repairs == {"backward_clamped": 1}


def test_a_file_with_a_fault_has_no_index_under_strict(cache: Path, recording_file: Path) -> None:
    with recording_file.open("ab") as file:
        file.write(b"\x00\x10")
    for _ in range(2):
        with pytest.raises(FormatError, match="word of unknown type"):
            opened(recording_file, "strict").slice(0, 10)
    assert not cache.exists()


def test_reports_of_parts_are_the_same_with_and_without_a_kept_index(cache: Path, recording_file: Path) -> None:
    with recording_file.open("ab") as file:
        file.write(b"\x00\x10" * 5)
    reports = []
    for _ in range(2):
        recording = opened(recording_file)
        recording.slice(int(EVENTS.t[300]), 1 << 40)
        reports.append(recording.report)
    assert reports[0] == reports[1]
    assert (reports[0].num_events, reports[0].unknown_words) == (100, 5)


def test_aedat4_trusts_its_table_when_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_aedat4(tmp_path / "a.aedat4", EVENTS, SIZE)
    monkeypatch.delattr("eventdet.formats.recording.build_index")
    recording = opened(tmp_path / "a.aedat4", "trust")
    assert (recording.num_events, recording.duration_us) == (400, EVENTS.t[-1] - EVENTS.t[0])
    assert rows(recording.slice(int(EVENTS.t[200]), int(EVENTS.t[300]))) == rows(EVENTS)[200:300]


@pytest.mark.parametrize("trust", [True, False], ids=["trust", "repair"])
@settings(max_examples=40)
@given(data=st.data())
def test_aedat4_table_that_lies_of_positions_or_order_is_not_used(
    tmp_path_factory: pytest.TempPathFactory, trust: bool, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("table") / "a.aedat4"
    write_aedat4(path, EVENTS[:60], SIZE)
    end = payload_of(path).header.data_end  # type: ignore[attr-defined]
    entries = table_entries(unpack_lz4(path.read_bytes()[end:]), stream=0)
    place = data.draw(st.integers(0, len(entries) - 1))
    # Under trust stamps are believed as long as they are in order; positions and sizes are looked up.
    fields = ["position", "num_bytes"] if trust else list(entries[0]._fields)
    field = data.draw(st.sampled_from(fields))
    entries[place] = entries[place]._replace(**{field: data.draw(st.integers(0, 1 << 31 - 1))})
    if data.draw(st.booleans()):
        del entries[place]
    path.write_bytes(path.read_bytes()[:end] + lz4_compress(pack_table(entries)))
    policy = ReadPolicy("trust" if trust else "repair")
    assert_parts_are_those_of_a_full_read(path, policy, data.draw(spans_of_time))
