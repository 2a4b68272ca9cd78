"""What the kernels of the simpler formats share: whether and when one event, or one vector of them, is written."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from ._fault_kernels import count_faults
from ._state import BACKWARD, BEFORE_TIME, CLOCK, HIGH, OUT_OF_RANGE

__all__ = ["VECTOR_PIXELS", "admit_event", "admit_vector", "lowest_bit"]

VECTOR_PIXELS = 32
"""Pixels of one validity mask in EVT 2.1 and EVT 4.0."""


def _emit_cttz(_context: object, _bits: object) -> tuple[object, object]:
    """Tell Numba the type and the machine instruction of `lowest_bit`; a loop over the bits takes twice the time."""

    def generate(_context: object, builder: Any, _signature: object, arguments: tuple[Any]) -> Any:
        is_zero_undefined = ir.Constant(ir.IntType(1), 1)
        return builder.cttz(arguments[0], is_zero_undefined)

    return types.int64(types.int64), generate


lowest_bit = cast("Callable[[np.int64], np.int64]", intrinsic(_emit_cttz))
"""Number of the lowest set bit of a mask that is not zero; for kernels alone."""


@njit(cache=True, nogil=True)
def admit_event(
    stamp: np.int64, column: np.int64, row: np.int64, record: int, sensor: tuple[int, int], state: NDArray[np.int64]
) -> np.int64:  # fmt: skip
    """Return the stamp that an event is written with, -1 when it is dropped; `sensor` is width and height.

    An event outside the sensor must not move the clock either: the whole record is suspect. One that steps back is
    raised to the running maximum.
    """
    if column < 0 or column >= sensor[0] or row < 0 or row >= sensor[1]:
        count_faults(state, OUT_OF_RANGE, record, 1)
        return np.int64(-1)
    if stamp < state[CLOCK]:
        count_faults(state, BACKWARD, record, 1)
        return np.int64(state[CLOCK])
    state[CLOCK] = stamp
    return stamp


@njit(cache=True, nogil=True)
def admit_vector(
    stamp: np.int64, column: np.int64, row: np.int64, mask: np.int64, record: int, sensor: tuple[int, int],
    state: NDArray[np.int64],
) -> tuple[np.int64, np.int64]:  # fmt: skip
    """Return the stamp that the events of a vector are written with, and the part of its mask that is written.

    Bit k of `mask` stands for the pixel k columns right of `column`.
    """
    seen = mask
    if state[HIGH] < 0 or row >= sensor[1] or column + VECTOR_PIXELS > sensor[0]:
        columns = sensor[0] - column if state[HIGH] >= 0 and row < sensor[1] else 0
        seen = mask & ((1 << min(max(columns, 0), VECTOR_PIXELS)) - 1)
        if seen != mask:
            count_faults(state, OUT_OF_RANGE if state[HIGH] >= 0 else BEFORE_TIME, record, _num_bits(mask ^ seen))
    if seen and stamp < state[CLOCK]:
        count_faults(state, BACKWARD, record, _num_bits(seen))
        return state[CLOCK], seen
    if seen:
        state[CLOCK] = stamp
    return stamp, seen


@njit(cache=True, nogil=True)
def _num_bits(bits: np.int64) -> int:
    number = 0
    while bits:
        bits &= bits - 1
        number += 1
    return number
