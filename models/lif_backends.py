"""Which of its forms the neuron runs in: torch operations, the fused kernels of Numba, or those of Triton."""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NamedTuple

import torch
from torch import Tensor

from eventdet.errors import OptionError, check_option

__all__ = ["LIF_BACKENDS", "BackendChoice", "choose_lif_backend", "lif_backend_of", "use_lif_backend"]

LIF_BACKENDS = ("auto", "torch", "numba", "triton")
"""``auto`` is ``numba`` on the CPU, ``triton`` on CUDA where it is installed, else ``torch``. Spikes are the same."""

_MODULES = {"torch": "_lif_torch", "numba": "_lif_cpu", "triton": "_lif_triton"}

_CPU_DTYPES = (torch.float64, torch.float32, torch.bfloat16)
_CUDA_DTYPES = (torch.float32, torch.float16, torch.bfloat16)

_asked = "auto"


class BackendChoice(NamedTuple):
    """A form, and why it is taken."""

    name: str
    """``torch``, ``numba`` or ``triton``."""

    reason: str
    """For people."""


def use_lif_backend(name: str) -> None:
    """Set the form that neurons run in, in this process.

    Parameters
    ----------
    name : str
        One of `LIF_BACKENDS`.

    Raises
    ------
    OptionError
        When there is no such form, or Triton is asked for and not installed.
    """
    global _asked
    check_option("backend", name, LIF_BACKENDS)
    if name == "triton" and find_spec("triton") is None:
        raise OptionError(
            "LIF backend triton is not installed", hint="a torch for CUDA brings it; use the backend auto"
        )
    _asked = name
    choose_lif_backend.cache_clear()


@cache
def choose_lif_backend(device: str, dtype: torch.dtype) -> BackendChoice:
    """Return the form for tensors of a device type (``cpu``, ``cuda``, ...) and dtype.

    Raises
    ------
    OptionError
        When the form that was asked for does not take them.
    """
    able = {
        "numba": device == "cpu" and dtype in _CPU_DTYPES,
        "triton": device == "cuda" and dtype in _CUDA_DTYPES and find_spec("triton") is not None,
        "torch": True,
    }
    if _asked != "auto":
        if not able[_asked]:
            raise OptionError(f"LIF backend {_asked} does not take {dtype} on {device}", hint="use the backend auto")
        return BackendChoice(_asked, "asked for")
    if able["numba"]:
        return BackendChoice("numba", "fused kernels for the CPU")
    if able["triton"]:
        return BackendChoice("triton", "fused kernels for CUDA")
    missing = "; triton is not installed" if device == "cuda" and find_spec("triton") is None else ""
    return BackendChoice("torch", f"no kernel takes {dtype} on {device}{missing}")


def lif_backend_of(x: Tensor) -> ModuleType:
    """Return the functions ``forward``, ``forward_coded`` and ``backward`` for a tensor."""
    if torch.compiler.is_compiling():
        # What traces a network sees torch operations alone.
        return _module("torch")
    return _module(choose_lif_backend(x.device.type, x.dtype).name)


@cache
def _module(name: str) -> ModuleType:
    return import_module(f".{_MODULES[name]}", __package__)
