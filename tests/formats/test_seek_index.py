"""An index is the same wherever it comes from: built, kept, damaged or made up."""

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

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
    write_dat,
    write_evt2,
    write_evt3,
)
from eventdet.formats._payload import Payload
from eventdet.formats._seek import ROW_INTEGERS, Extent, SeekIndex, build_index
from eventdet.formats._seek_cache import cached_index
from eventdet.formats._state import BASE_X, CLOCK, LIMITS, NUM_HELD, NUM_SLOTS, POLARITY, TRIGGERS, Y

from .reference import rows
from .seekable import (
    BINARY,
    COLUMNS,
    EVENTS,
    LAST_US,
    SIZE,
    opened,
    payload_of,
    write_raw_columns,
)

pytestmark = pytest.mark.usefixtures("small_steps")


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
