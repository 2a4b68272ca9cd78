"""Prophesee RAW with EVT 2.1 words: 64 bits for up to 32 pixels of a row, and a TIME_HIGH word every 64 us.

The GenX320 sends the two halves of a word in little-endian order, the IMX636 the other way round ("legacy" in
Metavision's headers). Files do not always say which, so the words themselves are asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._payload import Payload
from ._raw_header import open_raw, raw_encoding, read_raw_header
from ._raw_writer import RawLayout, write_raw
from .decoder import Encoding, Kernel, TriggerKernel

__all__ = ["EVT21", "EVT21_SWAPPED", "is_evt21", "open_evt21", "read_evt21", "write_evt21"]

_PROBE_BYTES = 1 << 15
_EVENT_TYPES = (0x0, 0x1)
_TIME_HIGH = 0x8
_OTHER_TYPES = (_TIME_HIGH, 0xA, 0xE, 0xF)


def _load_kernel() -> Kernel:
    from ._evt21_kernels import decode_evt21

    return decode_evt21


def _load_swapped_kernel() -> Kernel:
    from ._evt21_kernels import decode_evt21_swapped

    return decode_evt21_swapped


def _load_trigger_kernel() -> TriggerKernel:
    from ._evt21_kernels import find_evt21_triggers

    return find_evt21_triggers


def _load_swapped_trigger_kernel() -> TriggerKernel:
    from ._evt21_kernels import find_evt21_swapped_triggers

    return find_evt21_swapped_triggers


EVT21 = Encoding("evt21", np.dtype("<i8"), 32, _load_kernel, _load_trigger_kernel)
"""Little-endian words, as the GenX320 sends them."""

EVT21_SWAPPED = Encoding("evt21", np.dtype("<i8"), 32, _load_swapped_kernel, _load_swapped_trigger_kernel)
"""Words with their upper half first, as the IMX636 sends them."""


def is_evt21(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are a RAW header that names EVT 2.1.

    Examples
    --------
    >>> is_evt21(b"% format EVT21;height=320;width=320\n")
    True
    """
    return raw_encoding(head) == EVT21.name


def read_evt21(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an EVT 2.1 file, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_evt21(Path(path), sensor_size, policy).read()


def open_evt21(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the words of an EVT 2.1 file lie and in which order; raises as `read_evt21` does."""
    payload = open_raw(path, EVT21, sensor_size=sensor_size, policy=policy)
    with path.open("rb") as file:
        file.seek(payload.data_offset)
        words = EVT21.records(file.read(_PROBE_BYTES)).view(np.uint32).reshape(-1, 2)
    straight = _evidence(words[:, 1], words[:, 0], payload.sensor_size)
    swapped = _evidence(words[:, 0], words[:, 1], payload.sensor_size)
    named_legacy = "endianness=legacy" in read_raw_header(path).fields.get("format", "")
    if swapped > straight or (swapped == straight and named_legacy):
        return replace(payload, encoding=EVT21_SWAPPED)
    return payload


def write_evt21(
    path: str | Path,
    events: Events | Iterable[Events],
    sensor_size: SensorSize,
    *,
    date: str = "1970-01-01 00:00:00",
    synthetic: bool = False,
    triggers: Sequence[Triggers] = (),
) -> None:
    """Write events as RAW with EVT 2.1 words in little-endian order; parameters and errors as `write_evt2`."""
    from ._evt21_kernels import encode_evt21, encode_evt21_triggers

    # Two words an event at most: its own and a TIME_HIGH.
    layout = RawLayout(
        "2.1",
        np.dtype("<u8"),
        encode_evt21,
        encode_evt21_triggers,
        num_channels=32,
        words_per_event=2,
        filler_us=(1 << 33) - 64,
    )
    write_raw(Path(path), events, sensor_size, layout=layout, date=date, synthetic=synthetic, triggers=triggers)


def _evidence(upper: NDArray[np.uint32], mask: NDArray[np.uint32], size: SensorSize) -> tuple[int, int]:
    """Return how many words are those of time, and how many make sense at all.

    A TIME_HIGH word has an empty lower half, which an event read in the wrong order would only have at pixel (0, 0).
    What makes sense is a known type, and for events a block of 32 columns that is on the sensor.
    """
    kind, column, row = upper >> 28, (upper >> 11) & 0x7FF, upper & 0x7FF
    is_block = (mask != 0) & (column % 32 == 0) & (column < size.width) & (row < size.height)
    makes_sense = np.isin(kind, _EVENT_TYPES) & is_block | np.isin(kind, _OTHER_TYPES)
    return int(np.count_nonzero((kind == _TIME_HIGH) & (mask == 0))), int(np.count_nonzero(makes_sense))
