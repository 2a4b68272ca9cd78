"""The kernels of EVT 2.1, EVT 4.0, Event Stream, 40-bit AER, AEDAT 2.0 and DAT 1 against their plain references."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import FormatError
from eventdet.formats import AEDAT2_DAVIS, AEDAT2_DVS128, AER40, DAT1, ES, EVT4, EVT21, EVT21_SWAPPED, Decoder, Encoding
from eventdet.geometry import SensorSize
from eventdet.triggers import Triggers

from . import reference, reference_binary

SIZE = SensorSize(20, 40)
ENCODINGS = pytest.mark.parametrize(
    "encoding",
    [AEDAT2_DAVIS, AEDAT2_DVS128, AER40, DAT1, ES, EVT4, EVT21, EVT21_SWAPPED],
    ids=["davis", "dvs128", "aer40", "dat1", "es", "evt4", "evt21", "evt21-swapped"],
)

columns, rows, polarities = st.integers(0, 42), st.integers(0, 21), st.integers(0, 1)
highs = st.one_of(st.integers(0, 4), st.integers(2**28 - 4, 2**28 - 1))
masks = st.one_of(st.integers(0, 2**32 - 1), st.sampled_from([1, 1 << 31, 0x80000001]))


def upper_halves(kinds: list[int]) -> st.SearchStrategy[int]:
    return st.builds(
        lambda kind, low, x, y: kind << 28 | low << 22 | x << 11 | y,
        st.sampled_from(kinds),
        st.integers(0, 63),
        st.integers(0, 44),
        st.integers(0, 21),
    )


evt21_words = st.lists(
    st.one_of(
        st.builds(lambda upper, mask: upper << 32 | mask, upper_halves([0, 1]), masks),
        st.builds(lambda high: (8 << 28 | high) << 32, highs),
        st.integers(0, 2**64 - 1),
    ),
    max_size=40,
)
evt4_words = st.lists(
    st.one_of(upper_halves([10, 11, 12, 13]), masks, st.builds(lambda high: 14 << 28 | high, highs)), max_size=60
)
es_bytes = st.lists(
    st.one_of(
        st.sampled_from([b"\xff", b"\xfe"]),
        st.builds(lambda first, x, y: bytes([first, x, 0, y, 0]), st.integers(0, 0xFD), columns, rows),
        st.binary(max_size=6),
    ),
    max_size=40,
).map(b"".join)  # fmt: skip
aer40_bytes = st.lists(
    st.one_of(
        st.builds(lambda x, y, t: bytes([x, y, t & 128, 0, t & 127]), columns, rows, st.integers(0, 255)),
        st.just(bytes([0, 240, 0, 0, 0])),
        st.binary(min_size=5, max_size=5),
    ),
    max_size=40,
).map(b"".join)  # fmt: skip
aedat2_records = st.lists(
    st.tuples(
        st.one_of(
            st.integers(0, 2**32 - 1),
            st.builds(lambda x, y, p: y << 22 | x << 12 | p << 11, columns, rows, polarities),
            st.builds(lambda x, y, p: y << 8 | x << 1 | p, columns, rows, polarities),
        ),
        st.one_of(st.integers(0, 60), st.integers(2**32 - 60, 2**32 - 1)),
    ),
    max_size=40,
)  # fmt: skip


def assert_decodes(encoding: Encoding, data: bytes, expected: reference.Decoded) -> None:
    decoder = Decoder(encoding, SIZE)
    events = decoder.feed(data)
    decoder.finish()
    assert reference.rows(events) == expected.rows
    counts = {name: count for name, count in decoder.report.to_dict().items() if count and name != "num_events"}
    assert counts == {name: count for name, count in expected.counts.items() if count}
    assert decoder.report.num_events == len(expected.rows)


@given(evt21_words)
def test_evt21_kernels_agree_with_reference_in_both_orders(words: list[int]) -> None:
    expected = reference_binary.decode_evt21(words, SIZE.width, SIZE.height)
    array = np.array(words, "<u8")
    assert_decodes(EVT21, array.tobytes(), expected)
    assert_decodes(EVT21_SWAPPED, (array >> np.uint64(32) | array << np.uint64(32)).tobytes(), expected)


@given(evt4_words)
def test_evt4_kernel_agrees_with_reference(words: list[int]) -> None:
    expected = reference_binary.decode_evt4(words, SIZE.width, SIZE.height)
    assert_decodes(EVT4, np.array(words, "<u4").tobytes(), expected)


@given(es_bytes)
def test_es_kernel_agrees_with_reference(data: bytes) -> None:
    assert_decodes(ES, data, reference_binary.decode_es(data, SIZE.width, SIZE.height))


@given(aer40_bytes)
def test_aer40_kernel_agrees_with_reference(data: bytes) -> None:
    assert_decodes(AER40, data, reference_binary.decode_aer40(data, SIZE.width, SIZE.height))


@pytest.mark.parametrize(("encoding", "davis"), [(AEDAT2_DAVIS, True), (AEDAT2_DVS128, False)], ids=["davis", "dvs128"])
@given(records=aedat2_records)
def test_aedat2_kernels_agree_with_reference(encoding: Encoding, davis: bool, records: list[tuple[int, int]]) -> None:
    expected = reference_binary.decode_aedat2(records, SIZE.width, SIZE.height, davis=davis)
    assert_decodes(encoding, np.array(records, ">u4").tobytes(), expected)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 42), st.integers(0, 21), st.integers(0, 1)), max_size=40))
def test_dat1_kernel_reads_what_dat_reads_in_its_own_layout(listed: list[tuple[int, int, int, int]]) -> None:
    records = [(t, p << 28 | y << 14 | x) for t, x, y, p in listed]
    old = np.array([(t, 1 << 20 | p << 17 | y << 9 | x) for t, x, y, p in listed], "<u4")
    assert_decodes(DAT1, old.tobytes(), reference.decode_dat(records, SIZE.width, SIZE.height))


@ENCODINGS
@given(data=st.binary(max_size=200), cuts=st.lists(st.integers(0, 200), max_size=6))
def test_feed_cut_at_any_byte_gives_the_same_events(encoding: Encoding, data: bytes, cuts: list[int]) -> None:
    whole, parts = Decoder(encoding, SIZE), Decoder(encoding, SIZE)
    expected = reference.rows(whole.feed(data))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    got = [row for start, stop in pairwise(edges) for row in reference.rows(parts.feed(data[start:stop]))]
    whole.finish()
    parts.finish()
    assert got == expected
    assert parts.report == whole.report


@pytest.mark.parametrize(
    ("encoding", "words", "dtype"),
    [
        # TIME_HIGH 1, then channel 3 rising at 64 + 5; a trigger before any time word is left out.
        (EVT21, [10 << 60, (8 << 28 | 1) << 32, (10 << 28 | 5 << 22 | 3 << 8 | 1) << 32], "<u8"),
        (EVT21_SWAPPED, [10 << 28, 8 << 28 | 1, 10 << 28 | 5 << 22 | 3 << 8 | 1], "<u8"),
        # The word after a vector is its mask, whatever its upper bits spell.
        (EVT4, [9 << 28, 14 << 28 | 1, 12 << 28, 9 << 28, 9 << 28 | 5 << 22 | 3 << 8 | 1], "<u4"),
    ],
    ids=["evt21", "evt21-swapped", "evt4"],
)
def test_triggers_are_handed_over(encoding: Encoding, words: list[int], dtype: str) -> None:
    found: list[Triggers] = []
    decoder = Decoder(encoding, SIZE, on_triggers=found.append)
    decoder.feed(np.array(words, dtype).tobytes())
    triggers = Triggers.concatenate(found)
    assert (triggers.t.tolist(), triggers.channel.tolist(), triggers.value.tolist()) == ([69], [3], [1])
    assert decoder.report.trigger_words == 2


@pytest.mark.parametrize(
    ("encoding", "data", "message"),
    [
        (ES, bytes([2, 40, 0, 1, 0]), "event lies outside the 40x20 sensor, at byte 100"),
        (ES, bytes([2, 1, 0, 1, 0, 0xFF, 4, 1]), "last event is cut, at byte 106"),
        (AER40, bytes([1, 1, 0, 0, 9, 1, 1, 0, 0, 8]), "stamp steps back, at byte 105"),
        (AER40, bytes([1, 1, 0, 0, 9, 1]), "last event is cut, at byte 105"),
        (EVT4, np.array([14 << 28, 12 << 28], "<u4").tobytes(), "last event is cut, at byte 104"),
        (EVT21, np.array([1], "<u8").tobytes(), "event comes before the first time word, at byte 100"),
        (
            AEDAT2_DVS128,
            np.array([19 << 8, 5, 19 << 8 | 80, 6], ">u4").tobytes(),
            "event lies outside the 40x20 sensor, at byte 108",
        ),
    ],
    ids=["es-outside", "es-cut", "aer40-back", "aer40-cut", "evt4-cut", "evt21-before-time", "dvs128-outside"],
)
def test_strict_policy_names_the_byte_of_the_first_fault(encoding: Encoding, data: bytes, message: str) -> None:
    decoder = Decoder(encoding, SIZE, policy="strict", where="test", offset=100)

    def decode() -> None:
        decoder.feed(data)
        decoder.finish()

    with pytest.raises(FormatError, match=f"^test: {message}$"):
        decode()


def test_evt21_word_holds_the_pixels_of_its_mask() -> None:
    # TIME_HIGH 2 is 128 us; ON at 128 + 3, row 9, columns 0, 7 and 31.
    words = np.array([8 << 60 | 2 << 32, (1 << 28 | 3 << 22 | 0 << 11 | 9) << 32 | 1 | 1 << 7 | 1 << 31], "<u8")
    events = Decoder(EVT21, SIZE).feed(words.tobytes())
    assert reference.rows(events) == [(131, 0, 9, 1), (131, 7, 9, 1), (131, 31, 9, 1)]
