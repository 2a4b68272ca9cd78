"""Ask for memory before it is needed, from code compiled by Numba.

The kernels that go by blocks leave the columns alone while they use a block, for long enough that the processor's own
prefetcher falls behind. Where the events come from memory rather than from a cache, that is a third of the time.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

__all__ = ["STRIDE", "prefetch_columns", "prefetch_records"]

STRIDE = 64
"""Events for which memory is asked for at once: those of a line of polarities, which are the smallest."""

_LINE = 64
"""Bytes of a line of the cache; where lines are longer, some are asked for twice."""

_STAMPS, _COORDINATES = _LINE // 8, _LINE // 2

_READ, _KEEP, _DATA = 0, 3, 1
"""Arguments of LLVM's ``prefetch``: to be read, into all caches, data."""


_item_pointer: Callable[..., Any] = cgutils.get_item_pointer
"""Goes by the strides of an array; Numba gives it no types."""


def _emit_prefetch(_context: object, array: Any, _index: object) -> tuple[object, object]:
    """Tell Numba the type and the machine instruction of `_prefetch`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: tuple[Any, Any]) -> Any:
        kind, (value, index) = signature.args[0], arguments
        made = context.make_array(kind)(context, builder, value)
        pointer = _item_pointer(context, builder, kind, made, [index])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        flags = [ir.Constant(word, flag) for flag in (_READ, _KEEP, _DATA)]
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], function)
        builder.call(prefetch, [builder.bitcast(pointer, byte), *flags])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


_prefetch = cast("Callable[[NDArray[Any], int], None]", intrinsic(_emit_prefetch))
"""Ask for the line of an element. The index may lie beyond the end: nothing is read."""


@njit(cache=True, nogil=True)
def prefetch_columns(
    t: NDArray[np.int64], x: NDArray[np.uint16], y: NDArray[np.uint16], p: NDArray[np.uint8], index: int
) -> None:
    """Ask for `STRIDE` events from `index` on, which may lie beyond the end."""
    for i in range(index, index + STRIDE, _STAMPS):
        _prefetch(t, i)
    for i in range(index, index + STRIDE, _COORDINATES):
        _prefetch(x, i)
        _prefetch(y, i)
    _prefetch(p, index)


@njit(cache=True, nogil=True)
def prefetch_records(records: NDArray[np.uint64], index: int) -> None:
    """Do as `prefetch_columns` for DAT records."""
    for i in range(index, index + STRIDE, _STAMPS):
        _prefetch(records, i)
