import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.events import Events
from eventdet.formats import DAT, Decoder
from eventdet.geometry import SensorSize
from eventdet.wire import PACKET_FORMATS

SIZE = SensorSize(8192, 16000)

events = st.lists(
    st.tuples(st.integers(0, 2**31), st.integers(0, 15_999), st.integers(0, 8191), st.integers(0, 1)), max_size=64
).map(sorted)


def decode(name: str, data: bytes, *, arrived_us: int = 0) -> tuple[list[tuple[int, int, int, int]], int]:
    packet = PACKET_FORMATS[name].decode(data, arrived_us)
    decoder = Decoder(DAT, SIZE)
    if packet.t_us is not None:
        decoder.advance_to(packet.t_us)
    found = decoder.feed(packet.records, is_whole=True)
    return list(zip(*(column.tolist() for column in found), strict=True)), packet.odd_bytes


def batch(rows: list[tuple[int, int, int, int]]) -> Events:
    t, x, y, p = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Events.from_columns(t=np.array(t, int), x=np.array(x, int), y=np.array(y, int), p=np.array(p, int))


@pytest.mark.parametrize("name", PACKET_FORMATS)
@given(rows=events)
def test_a_datagram_gives_back_its_events(name: str, rows: list[tuple[int, int, int, int]]) -> None:
    assert decode(name, PACKET_FORMATS[name].encode(batch(rows))) == (rows, 0)


def test_layouts_are_the_documented_ones() -> None:
    one = batch([(0x01020304, 300, 200, 1)])
    assert PACKET_FORMATS["spif"].encode(one) == struct.pack("<II", 300 << 16 | 1 << 15 | 200, 0x01020304)
    assert PACKET_FORMATS["faery13"].encode(one) == struct.pack("<QHHB", 0x01020304, 300, 200, 1)
    assert PACKET_FORMATS["faery8"].encode(one) == struct.pack("<IHH", 0x01020304, 300, 200 << 1 | 1)


def test_spif_events_without_stamp_get_the_time_of_arrival() -> None:
    words = [1 << 31 | 5 << 16 | 1 << 15 | 6, 1 << 31 | 7 << 16 | 8]
    assert decode("spif", struct.pack("<2I", *words), arrived_us=1234) == ([(1234, 5, 6, 1), (1234, 7, 8, 0)], 0)


def test_spif_stamp_with_its_upper_bit_set_is_told_by_its_place() -> None:
    # Timed, untimed, timed: the stamp of the last has bit 31 set, and stands where a word without stamp could.
    data = struct.pack("<5I", 5 << 16 | 6, 40, 1 << 31 | 7 << 16 | 8, 9 << 16 | 1, 2**31 + 5)
    assert decode("spif", data, arrived_us=50) == ([(40, 5, 6, 0), (50, 7, 8, 0), (2**31 + 5, 9, 1, 0)], 0)


@pytest.mark.parametrize("name", PACKET_FORMATS)
@given(rows=events, cut=st.integers(1, 7))
def test_a_cut_event_at_the_end_is_counted_and_the_others_kept(
    name: str, rows: list[tuple[int, int, int, int]], cut: int
) -> None:
    data = PACKET_FORMATS[name].encode(batch(rows))
    size = 13 if name == "faery13" else 8
    if rows:
        assert decode(name, data[:-cut]) == (rows[:-1], size - cut)


@pytest.mark.parametrize("name", PACKET_FORMATS)
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_without_an_error(name: str, data: bytes) -> None:
    rows, odd = decode(name, data)
    assert len(rows) * 13 + odd <= len(data) * 4


def test_a_column_beyond_what_dat_holds_stays_off_the_sensor() -> None:
    data = struct.pack("<QHHB", 5, 16_384 + 3, 0, 1)
    assert decode("faery13", data) == ([], 0)


def test_a_stamp_beyond_all_time_is_refused() -> None:
    assert decode("faery13", struct.pack("<QHHB", 2**63, 3, 0, 1)) == ([], 13)
