"""Prophesee RAW with EVT 4.0 words: 32 bits an event, or 64 bits for up to 32 pixels of a row. Read only."""

from pathlib import Path

import numpy as np

from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport

from ._payload import Payload
from ._raw_header import open_raw, raw_encoding
from .decoder import Encoding, Kernel, TriggerKernel

__all__ = ["EVT4", "is_evt4", "open_evt4", "read_evt4"]


def _load_kernel() -> Kernel:
    from ._evt4_kernels import decode_evt4

    return decode_evt4


def _load_trigger_kernel() -> TriggerKernel:
    from ._evt4_kernels import find_evt4_triggers

    return find_evt4_triggers


EVT4 = Encoding("evt4", np.dtype("<u4"), 32, _load_kernel, _load_trigger_kernel)


def is_evt4(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are a RAW header that names EVT 4.0.

    Examples
    --------
    >>> is_evt4(b"% evt 4.0\n")
    True
    """
    return raw_encoding(head) == EVT4.name


def read_evt4(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an EVT 4.0 file, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_evt4(Path(path), sensor_size, policy).read()


def open_evt4(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the words of an EVT 4.0 file lie; raises as `read_evt4` does."""
    return open_raw(path, EVT4, sensor_size=sensor_size, policy=policy)
