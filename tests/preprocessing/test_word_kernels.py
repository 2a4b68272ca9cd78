"""Stored stamps and words to columns: NumPy's values, to the last stamp that 32 bits hold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eventdet.preprocessing._word_kernels import find_span, unpack_words

STAMPS = st.integers(0, 2**32 - 1)


@given(st.lists(STAMPS, max_size=40), st.integers(0, 2**33), st.integers(0, 2**33))
def test_span_is_that_of_a_sorted_search(stamps: list[int], first: int, length: int) -> None:
    column = np.array(sorted(stamps), np.int64)
    expected = tuple(np.searchsorted(column, (first, first + length)).tolist())
    assert find_span(column, first, first + length) == expected


@given(st.lists(st.tuples(STAMPS, STAMPS), max_size=40), st.integers(-(2**62), 2**62))
def test_columns_are_the_bits_of_stamps_and_words(records: list[tuple[int, int]], base_us: int) -> None:
    rows = np.array(records, np.uint32).reshape(-1, 2)
    # Columns of records are strided, those of a store are not.
    for stamps, words in ((rows[:, 0], rows[:, 1]), rows.T.copy()):
        t, x, y, p = unpack_words(stamps, words, base_us=base_us)
        assert t.tolist() == [base_us + stamp for stamp, _ in records]
        assert x.tolist() == [word & 0x3FFF for _, word in records]
        assert y.tolist() == [word >> 14 & 0x3FFF for _, word in records]
        assert p.tolist() == [word >> 28 & 1 for _, word in records]
