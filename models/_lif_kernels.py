"""Fused LIF kernels: one pass over the memory instead of one an operation.

The arrays are flat, ``[T, N]``, time outermost, so that one kernel serves every memory layout. Numba has no bfloat16:
such tensors come as the uint16 of their bits, and are widened to float32 by a shift, which is exact.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic, overload
from numba.np.numpy_support import carray
from numpy.typing import NDArray

__all__ = ["lif_backward", "lif_forward", "lif_forward_at", "lif_forward_coded", "pointer"]

Floating = NDArray[np.floating[Any] | np.uint16]

FIRED = 1
"""Bit of the code: the neuron fired, so its membrane was reset."""

SOFT = 2
"""Bit of the code: the membrane was within the support of the surrogate gradient."""


def _widen(value: Any) -> Any:
    """Return the number that `value` stands for; kernels get the overload below for it, Python never comes here."""
    raise NotImplementedError


@overload(_widen)
def _overload_widen(value: Any) -> Callable[[Any], Any]:
    if isinstance(value, types.Integer):

        def widen(value: Any) -> Any:
            return np.uint32(np.uint32(value) << np.uint32(16)).view(np.float32)

        return widen

    def keep(value: Any) -> Any:
        return value

    return keep


def _narrow(value: Any, like: Any) -> Any:
    """Return `value` in the storage type of `like`, rounded to nearest even; an overload too."""
    raise NotImplementedError


@overload(_narrow)
def _overload_narrow(value: Any, like: Any) -> Callable[[Any, Any], Any]:
    if isinstance(like, types.Integer):

        def narrow(value: Any, like: Any) -> Any:
            bits = np.float32(value).view(np.uint32)
            odd = (bits >> np.uint32(16)) & np.uint32(1)
            rounded = np.uint16((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16))
            # The carry of the rounding would turn some NaN payloads into zero.
            return rounded if value == value else np.uint16(0x7FC0)

        return narrow

    def keep(value: Any, like: Any) -> Any:
        return value

    return keep


def _pointer(typing_context: Any, address: Any, like: Any) -> Any:
    """Return the type of a pointer to numbers of the type of `like`, and what makes it of an address."""

    def to_pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    kind: Any = types.CPointer
    return kind(like)(types.intp, like), to_pointer


pointer: Any = intrinsic(_pointer)
"""``pointer(address, like)`` in a kernel, for ``carray``: what an address stands for is not checked."""


@njit(cache=True, nogil=True)
def lif_forward(x: Floating, v: Floating, spikes: Floating, one: Any, decay: Any, threshold: Any) -> None:
    """Write the spikes of `x` and carry `v` on in place; `one` is 1 in the storage type of `spikes`."""
    zero = one - one
    rest = threshold - threshold
    for t in range(x.shape[0]):
        for i in range(x.shape[1]):
            membrane = decay * v[i] + _widen(x[t, i])
            fired = membrane > threshold
            spikes[t, i] = one if fired else zero
            v[i] = rest if fired else membrane


@njit(cache=True, nogil=True)
def lif_forward_at(
    addresses: tuple[int, int, int], steps: int, n: int, like: Any, one: Any, decay: Any, threshold: Any
) -> None:
    """As :func:`lif_forward` on the memory of currents (of the type of `like`), membranes and spikes.

    For a small layer, five times as fast as arrays, whose views have to be made first.
    """
    x = carray(pointer(addresses[0], like), (steps, n))
    v = carray(pointer(addresses[1], decay), (n,))
    spikes = carray(pointer(addresses[2], one), (steps, n))
    lif_forward(x, v, spikes, one, decay, threshold)


@njit(cache=True, nogil=True)
def lif_forward_coded(
    x: Floating,
    v: Floating,
    spikes: Floating,
    code: NDArray[np.uint8],
    one: Any,
    decay: Any,
    threshold: Any,
    half_width: Any,
) -> None:
    """As :func:`lif_forward`, and write what the backward pass needs: FIRED and SOFT, one byte a neuron.

    SOFT is set where the membrane is less than `half_width` from the threshold.
    """
    zero = one - one
    rest = threshold - threshold
    for t in range(x.shape[0]):
        for i in range(x.shape[1]):
            membrane = decay * v[i] + _widen(x[t, i])
            fired = membrane > threshold
            soft = abs(membrane - threshold) < half_width
            spikes[t, i] = one if fired else zero
            code[t, i] = (np.uint8(FIRED) if fired else np.uint8(0)) | (np.uint8(SOFT) if soft else np.uint8(0))
            v[i] = rest if fired else membrane


@njit(cache=True, nogil=True)
def lif_backward(
    grad_spikes: Floating, code: NDArray[np.uint8], grad_v: Floating, grad_x: Floating, decay: Any
) -> None:
    """Write the gradient of the input; `grad_v` comes as the gradient of the last membrane and ends as of the first."""
    zero = decay - decay
    for t in range(code.shape[0] - 1, -1, -1):
        for i in range(code.shape[1]):
            upstream, carried = _widen(grad_spikes[t, i]), grad_v[i]
            through_spike = upstream if code[t, i] & np.uint8(SOFT) else zero
            through_time = zero if code[t, i] & np.uint8(FIRED) else carried
            gradient = through_spike + through_time
            grad_x[t, i] = _narrow(gradient, grad_x[t, i])
            grad_v[i] = decay * gradient
