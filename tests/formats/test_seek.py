"""Parts of any file, however dirty, are the same parts of a full read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.formats import (
    ReadPolicy,
    write_aedat4,
    write_evt2,
)
from eventdet.formats._aedat4_layout import pack_table, table_entries
from eventdet.formats._frames import lz4_compress, unpack_lz4
from eventdet.formats._seek import ROW_INTEGERS, Extent, SeekIndex, build_index
from eventdet.formats._state import CLOCK
from eventdet.formats.text import _line_blocks

from .reference import rows
from .seekable import (
    BINARY,
    COLUMNS,
    EVENTS,
    SIZE,
    assert_parts_are_those_of_a_full_read,
    opened,
    payload_of,
    policies,
    spans_of_time,
    write_raw_columns,
)

pytestmark = pytest.mark.usefixtures("small_steps")


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
