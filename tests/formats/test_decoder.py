from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.formats import DAT, EVT2, EVT3, Decoder, Encoding
from eventdet.geometry import SensorSize

from . import reference

SIZE = SensorSize(20, 40)

# Stamps near each other, near zero, and at both ends of the range: steps back, overflows and late events all occur.
dat_stamps = st.one_of(
    st.integers(0, 60),
    st.integers(30_000_000, 30_000_060),
    st.integers(2**32 - 60, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
dat_events = st.builds(
    lambda x, y, p, spare: spare << 29 | p << 28 | y << 14 | x,
    st.integers(0, 42),
    st.integers(0, 21),
    st.integers(0, 1),
    st.integers(0, 7),
)
dat_records = st.lists(st.tuples(dat_stamps, dat_events), max_size=40)

evt2_events = st.builds(
    lambda p, low, x, y: p << 28 | low << 22 | x << 11 | y,
    st.integers(0, 1),
    st.integers(0, 63),
    st.integers(0, 42),
    st.integers(0, 21),
)
evt2_times = st.builds(lambda high: 8 << 28 | high, st.one_of(st.integers(0, 4), st.integers(2**28 - 4, 2**28 - 1)))
evt2_words = st.lists(st.one_of(evt2_events, evt2_times, st.integers(0, 2**32 - 1)), max_size=60)

evt2_runs = st.lists(
    st.one_of(
        evt2_times.map(lambda word: [word]),
        evt2_words,
        # In order and on the sensor: what is unpacked together, unless the words around it make it dirty.
        st.builds(
            lambda lows, x, y: [low << 22 | x << 11 | y for low in sorted(lows)],
            st.lists(st.integers(0, 63), min_size=14, max_size=40),
            st.integers(0, 40),
            st.integers(0, 20),
        ),
    ),
    max_size=6,
).map(lambda parts: list(chain.from_iterable(parts)))

evt3_words = st.lists(
    st.one_of(
        st.builds(lambda y: y, st.integers(0, 21)),
        st.builds(lambda x, p: 2 << 12 | p << 11 | x, st.integers(0, 42), st.integers(0, 1)),
        st.builds(lambda x, p: 3 << 12 | p << 11 | x, st.integers(0, 42), st.integers(0, 1)),
        st.builds(lambda bits: 4 << 12 | bits, st.integers(0, 4095)),
        st.builds(lambda bits: 5 << 12 | bits, st.integers(0, 4095)),
        st.builds(lambda low: 6 << 12 | low, st.integers(0, 4095)),
        st.builds(lambda high: 8 << 12 | high, st.one_of(st.integers(0, 3), st.integers(4090, 4095))),
        st.integers(0, 2**16 - 1),
    ),
    max_size=80,
)

evt3_blocks = st.lists(
    st.one_of(
        evt3_words,
        # A base, mostly such that 32 pixels fit, and the three vectors that are taken as one.
        st.builds(
            lambda x, p, left, middle, right: [
                3 << 12 | p << 11 | x,
                4 << 12 | left,
                4 << 12 | middle,
                5 << 12 | right,
            ],
            st.integers(0, 12),
            st.integers(0, 1),
            st.integers(0, 4095),
            st.integers(0, 4095),
            st.integers(0, 4095),
        ),
    ),
    max_size=8,
).map(lambda parts: list(chain.from_iterable(parts)))


def dat_array(records: list[tuple[int, int]]) -> NDArray[np.integer]:
    return np.array([stamp | word << 32 for stamp, word in records], np.uint64).view(np.int64)


def decode(
    encoding: Encoding, records: NDArray[np.integer], *, policy: str = "repair", num_events: int = 7
) -> tuple[Events, Decoder]:
    decoder = Decoder(encoding, SIZE, policy=policy, where="test", offset=100)
    return Events.concatenate(decoder.iter_events(records, num_events=num_events)), decoder


def assert_same(events: Events, decoder: Decoder, expected: reference.Decoded) -> None:
    assert reference.rows(events) == expected.rows
    counts = {name: count for name, count in decoder.report.to_dict().items() if count}
    assert counts == {
        **{name: count for name, count in expected.counts.items() if count},
        **({"num_events": len(expected.rows)} if expected.rows else {}),
    }


@given(dat_records)
def test_dat_kernel_agrees_with_reference(records: list[tuple[int, int]]) -> None:
    events, decoder = decode(DAT, dat_array(records))
    assert_same(events, decoder, reference.decode_dat(records, SIZE.width, SIZE.height))


@given(evt2_words)
def test_evt2_kernel_agrees_with_reference(words: list[int]) -> None:
    events, decoder = decode(EVT2, np.array(words, np.uint32))
    assert_same(events, decoder, reference.decode_evt2(words, SIZE.width, SIZE.height))


@given(evt2_runs, st.integers(15, 100))
def test_evt2_kernel_agrees_with_reference_on_long_runs(words: list[int], num_events: int) -> None:
    events, decoder = decode(EVT2, np.array(words, np.uint32), num_events=num_events)
    assert_same(events, decoder, reference.decode_evt2(words, SIZE.width, SIZE.height))


@pytest.mark.parametrize("position", [1, 2, 17, 1023, 1024, 1025, 1026, 2998])
@pytest.mark.parametrize("bad", [63 << 22, 41 << 11, 21, 5 << 28], ids=["time", "column", "row", "kind"])
def test_evt2_with_one_dirty_word_in_many_agrees_with_reference(position: int, bad: int) -> None:
    # Longer than what is unpacked at once; the stamps count up to 50, so that those after the high one are late.
    words = [8 << 28 | 3] + [i // 60 << 22 | i % 40 << 11 | 3 for i in range(2999)]
    words[position] = bad
    events, decoder = decode(EVT2, np.array(words, np.uint32), num_events=5000)
    assert_same(events, decoder, reference.decode_evt2(words, SIZE.width, SIZE.height))
    with pytest.raises(FormatError, match=f"at byte {100 + 4 * (position + (bad == 63 << 22))}$"):
        decode(EVT2, np.array(words, np.uint32), num_events=5000, policy="strict")


@given(evt3_words)
def test_evt3_kernel_agrees_with_reference(words: list[int]) -> None:
    events, decoder = decode(EVT3, np.array(words, np.uint16))
    assert_same(events, decoder, reference.decode_evt3(words, SIZE.width, SIZE.height))


@given(evt3_blocks, st.integers(15, 100))
def test_evt3_kernel_agrees_with_reference_on_blocks_of_vectors(words: list[int], num_events: int) -> None:
    words = [0x8000, *words]
    events, decoder = decode(EVT3, np.array(words, np.uint16), num_events=num_events)
    assert_same(events, decoder, reference.decode_evt3(words, SIZE.width, SIZE.height))


@pytest.mark.parametrize("position", [0, 1, 1023, 1024, 1025, 2999])
def test_dat_with_one_dirty_record_in_many_agrees_with_reference(position: int) -> None:
    # Long enough for several blocks, so that clean and repaired blocks follow each other.
    records = [(10 * i, 3 << 14 | i % 40) for i in range(3000)]
    records[position] = (0, 3 << 14 | 41)
    events, decoder = decode(DAT, dat_array(records))
    assert_same(events, decoder, reference.decode_dat(records, SIZE.width, SIZE.height))
    records[position] = (max(0, 10 * position - 25), 3 << 14)
    events, decoder = decode(DAT, dat_array(records))
    assert_same(events, decoder, reference.decode_dat(records, SIZE.width, SIZE.height))


def test_dat_wrap_between_blocks_of_a_long_file_carries_time_on() -> None:
    start = 2**32 - 20_000
    records = [((start + 10 * i) % 2**32, 5) for i in range(5000)]
    decoder = Decoder(DAT, SIZE)
    (events,) = decoder.iter_events(dat_array(records), num_events=5000)
    np.testing.assert_array_equal(events.t, start + 10 * np.arange(5000))
    assert decoder.report.time_wraps == 1
    assert decoder.report.repairs == {}


def test_dat_event_late_across_the_wrap_is_clamped_and_does_not_wrap_again() -> None:
    records = [(2**32 - 3, 0), (2**32 - 3, 0), (2**32 - 1, 0), (1, 0), (2**32 - 2, 0), (2, 0)]
    events, decoder = decode(DAT, dat_array(records))
    assert events.t.tolist() == [2**32 - 3, 2**32 - 3, 2**32 - 1, 2**32 + 1, 2**32 + 1, 2**32 + 2]
    assert (decoder.report.time_wraps, decoder.report.backward_clamped) == (1, 1)


@pytest.mark.parametrize("position", [0, 1, 1023, 1024, 5000, 9990, 9998])
@pytest.mark.parametrize("bad", [1_900_000_000, 3_900_000_000], ids=["half", "most"])
def test_dat_stamp_that_leaps_alone_is_dropped_and_counted(position: int, bad: int) -> None:
    stamps = 60_000_000 + 10 * np.arange(10_000)
    records = stamps.copy()
    records[position] = bad
    events, decoder = decode(DAT, records)
    np.testing.assert_array_equal(events.t, np.delete(stamps, position))
    assert decoder.report.repairs == {"time_jump_dropped": 1}
    assert decoder.report.time_wraps == 0
    with pytest.raises(FormatError, match=f"stamp leaps ahead of those that follow, at byte {100 + 8 * position}$"):
        decode(DAT, records, policy="strict")


def test_dat_stamp_that_drops_to_zero_late_in_a_recording_is_no_wrap() -> None:
    stamps = 3_000_000_000 + 10 * np.arange(3000)
    records = stamps.copy()
    records[2000] = 5
    events, decoder = decode(DAT, records)
    np.testing.assert_array_equal(events.t, np.delete(stamps, 2000))
    assert (decoder.report.repairs, decoder.report.time_wraps) == ({"time_jump_dropped": 1}, 0)


def test_dat_wrap_within_a_silence_is_followed_when_the_records_behind_it_agree() -> None:
    # 25 s from 20 s before the overflow to 5 s after it.
    records = [(2**32 - 20_000_000 + i, 0) for i in range(5)] + [(5_000_000 + i, 0) for i in range(5)]
    events, decoder = decode(DAT, dat_array(records))
    assert np.diff(events.t).tolist() == [1, 1, 1, 1, 24_999_996, 1, 1, 1, 1]
    assert (decoder.report.repairs, decoder.report.time_wraps) == ({}, 1)


def test_dat_with_three_wrong_stamps_in_a_row_loses_these_alone() -> None:
    stamps = 60_000_000 + 10 * np.arange(100)
    records = stamps.copy()
    records[50:53] += 2**30
    events, decoder = decode(DAT, records)
    np.testing.assert_array_equal(events.t, np.delete(stamps, [50, 51, 52]))
    assert decoder.report.repairs == {"time_jump_dropped": 3}


@given(st.lists(st.integers(0, 2**31), max_size=40).map(sorted))
def test_dat_stamps_in_order_are_kept_whatever_their_gaps(stamps: list[int]) -> None:
    events, decoder = decode(DAT, dat_array([(stamp, 0) for stamp in stamps]))
    assert events.t.tolist() == stamps
    assert decoder.report.repairs == {}


@given(dat_records, st.integers(1, 9))
def test_dat_fed_in_pieces_gives_in_the_end_what_the_file_gives(records: list[tuple[int, int]], length: int) -> None:
    data = dat_array(records)
    whole, decoder = decode(DAT, data)
    parts = Decoder(DAT, SIZE)
    got = [parts.feed(data[i : i + length].tobytes()) for i in range(0, len(data), length)]
    assert reference.rows(Events.concatenate([*got, parts.finish()])) == reference.rows(whole)
    assert parts.report == decoder.report


def test_dat_data_that_is_whole_holds_nothing_back() -> None:
    leap = dat_array([(20_000_000, 0), (20_000_001, 0)]).tobytes()
    assert len(Decoder(DAT, SIZE).feed(leap)) == 0
    assert Decoder(DAT, SIZE).feed(leap, is_whole=True).t.tolist() == [20_000_000, 20_000_001]


def test_dat_polarity_is_bit_28_alone() -> None:
    events, _ = decode(DAT, dat_array([(0, 0xE << 28), (0, 0xF << 28)]))
    assert events.p.tolist() == [0, 1]


def test_evt3_vector_words_advance_the_base() -> None:
    # Time 0, row 2, ON vectors from column 3: bits 0 and 11 -> 3 and 14; then bit 0 of base 15; then bit 7 of base 27.
    words = [0x8000, 0x6005, 0x0002, 0x3803, 0x4801, 0x4001, 0x5080]
    events, _ = decode(EVT3, np.array(words, np.uint16))
    assert reference.rows(events) == [(5, 3, 2, 1), (5, 14, 2, 1), (5, 15, 2, 1), (5, 34, 2, 1)]


def test_evt3_time_low_that_steps_back_is_no_wrap() -> None:
    # TIME_LOW 811, 800, 900: the middle event gets the running maximum.
    words = [0x8001, 0x632B, 0x2000, 0x6320, 0x2001, 0x6384, 0x2002]
    events, decoder = decode(EVT3, np.array(words, np.uint16))
    assert events.t.tolist() == [4096 + 811, 4096 + 811, 4096 + 900]
    assert decoder.report.repairs == {"backward_clamped": 1}


def test_evt3_time_high_repeated_is_no_wrap_and_keeps_time_low() -> None:
    words = [0x8001, 0x6010, 0x8001, 0x2000]
    events, decoder = decode(EVT3, np.array(words, np.uint16))
    assert events.t.tolist() == [4096 + 16]
    assert decoder.report.time_wraps == 0


def test_evt3_time_high_late_across_the_wrap_does_not_wrap_twice() -> None:
    words = [0x8FFF, 0x2000, 0x8000, 0x2000, 0x8FFF, 0x2000, 0x8000, 0x2000]
    events, decoder = decode(EVT3, np.array(words, np.uint16))
    assert events.t.tolist() == [4095 << 12, 1 << 24, 1 << 24, 1 << 24]
    assert decoder.report.time_wraps == 1


def test_evt3_legal_words_without_events_are_skipped_and_counted() -> None:
    # Trigger, CONTINUED_4, IMU, OTHERS, CONTINUED_12, padding; 0x1000 and 0x9000 are not defined.
    words = [0x8000, 0xA101, 0x7001, 0xD000, 0xE000, 0xF000, 0x9999, 0x1000, 0x9000, 0x2001]
    events, decoder = decode(EVT3, np.array(words, np.uint16))
    assert reference.rows(events) == [(0, 1, 0, 0)]
    assert (decoder.report.trigger_words, decoder.report.skipped_words, decoder.report.unknown_words) == (1, 5, 2)


@pytest.mark.parametrize("encoding", [DAT, EVT2, EVT3], ids=lambda encoding: encoding.name)
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_feed_cut_at_any_byte_gives_the_same_events(encoding: Encoding, data: bytes, cuts: list[int]) -> None:
    whole, parts = Decoder(encoding, SIZE), Decoder(encoding, SIZE)
    expected = reference.rows(whole.feed(data))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    got = [row for start, stop in pairwise(edges) for row in reference.rows(parts.feed(data[start:stop]))]
    assert got == expected
    assert parts.report == whole.report


@pytest.mark.parametrize(
    ("encoding", "records", "message"),
    [
        (DAT, dat_array([(5, 0), (4, 0)]), "stamp steps back, at byte 108"),
        (DAT, dat_array([(5, 0), (6, 0), (7, 40)]), "event lies outside the 40x20 sensor, at byte 116"),
        (EVT2, np.array([0], np.uint32), "event comes before the first time word, at byte 100"),
        (EVT3, np.array([0x8000, 0x1000], np.uint16), "word of unknown type, at byte 102"),
    ],
    ids=["backward", "outside", "before-time", "unknown"],
)
def test_strict_policy_names_the_byte_of_the_first_fault(
    encoding: Encoding, records: NDArray[np.integer], message: str
) -> None:
    with pytest.raises(FormatError, match=f"^test: {message}$"):
        decode(encoding, records, policy="strict")


def test_strict_policy_counts_bytes_across_calls() -> None:
    # Batches of 7 records: the step back in record 9 lies in the second call.
    records = dat_array([(i, 0) for i in range(9)] + [(1, 0)])
    with pytest.raises(FormatError, match="at byte 172"):
        decode(DAT, records, policy="strict")


@pytest.mark.parametrize("encoding", [DAT, EVT2, EVT3], ids=lambda encoding: encoding.name)
def test_decoder_of_nothing_yields_nothing(encoding: Encoding) -> None:
    decoder = Decoder(encoding, SIZE)
    assert list(decoder.iter_events(np.empty(0, encoding.record_dtype), num_events=10)) == []
    assert len(decoder.feed(b"")) == 0
    assert decoder.report.to_dict() == dict.fromkeys(decoder.report.to_dict(), 0)


def test_decode_into_refuses_what_the_kernel_cannot_take() -> None:
    decoder = Decoder(EVT3, SIZE)
    with pytest.raises(OptionError, match="records must be uint16"):
        decoder.decode_into(np.zeros(3, np.uint32), Events.empty(20))
    with pytest.raises(OptionError, match="out must hold at least 12 events, got 11"):
        decoder.decode_into(np.zeros(3, np.uint16), Events.empty(11))
    with pytest.raises(OptionError, match="policy must be one of repair, strict, trust"):
        Decoder(EVT3, SIZE, policy="lenient")
