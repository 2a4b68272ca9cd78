"""Non-zero cells of a tensor, compiled by Numba."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["take_non_zero"]


@njit(cache=True, nogil=True)
def take_non_zero(
    cells: NDArray[Any], words: NDArray[np.uint64], base: int, places: NDArray[np.int32], values: NDArray[Any]
) -> int:
    """Write place and value of each non-zero cell to `places` and `values`, and return how many there are.

    Both have room for all cells. `words` are the same bytes as `cells`, eight at a time and without the last few: most
    are zero, and those that are not are found first. Everything is written, and kept where it counts: a branch that
    cannot be foreseen costs three times as much.
    """
    lit = np.empty(len(words), np.int64)
    found = np.uint64(0)
    for word in range(len(words)):
        lit[found] = word
        found += np.uint64(words[word] != 0)
    taken = np.uint64(0)
    per_word = 8 // cells.itemsize
    for word in lit[:found]:
        for i in range(word * per_word, (word + 1) * per_word):
            places[taken], values[taken] = base + i, cells[np.uint64(i)]
            taken += np.uint64(cells[np.uint64(i)] != 0)
    for i in range(len(words) * per_word, len(cells)):
        places[taken], values[taken] = base + i, cells[i]
        taken += np.uint64(cells[i] != 0)
    return int(taken)
