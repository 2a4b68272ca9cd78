"""Prophesee RAW with EVT 3.0 words: 16 bits, row and time only when they change, vectors for neighbours.

The clock is the file's own: no shift to zero, so that two readers of one file, or a reader and a trigger list, agree.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._payload import Payload
from ._raw_header import open_raw, raw_encoding
from ._raw_writer import RawLayout, write_raw
from .decoder import Encoding, Kernel, TriggerKernel

__all__ = ["EVT3", "is_evt3", "open_evt3", "read_evt3", "write_evt3"]


def _load_kernel() -> Kernel:
    from ._evt3_kernels import decode_evt3

    return decode_evt3


def _load_trigger_kernel() -> TriggerKernel:
    from ._evt3_kernels import find_evt3_triggers

    return find_evt3_triggers


EVT3 = Encoding(
    "evt3", np.dtype("<u2"), events_per_record=12, load_kernel=_load_kernel, load_trigger_kernel=_load_trigger_kernel
)


def is_evt3(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are a RAW header that names EVT 3.0.

    Examples
    --------
    >>> is_evt3(b"% evt 3.0\n")
    True
    """
    return raw_encoding(head) == EVT3.name


def read_evt3(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an EVT3 file, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_evt3(Path(path), sensor_size, policy).read()


def open_evt3(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the words of an EVT3 file lie; raises as `read_evt3` does."""
    return open_raw(path, EVT3, sensor_size=sensor_size, policy=policy)


def write_evt3(
    path: str | Path,
    events: Events | Iterable[Events],
    sensor_size: SensorSize,
    *,
    date: str = "1970-01-01 00:00:00",
    synthetic: bool = False,
    triggers: Sequence[Triggers] = (),
) -> None:
    """Write events as RAW with EVT 3.0 words; parameters and errors as `write_evt2`.

    Five or more events of one row, stamp and polarity in a block of 32 columns become a vector, as sensors send it.
    Stamps count from zero: every 16.8 s of silence, before the first event too, cost three words.
    """
    from ._evt3_kernels import encode_evt3, encode_evt3_triggers

    # Four words an event at most: TIME_HIGH, TIME_LOW, ADDR_Y and its own.
    layout = RawLayout(
        "3.0",
        EVT3.record_dtype,
        encode_evt3,
        encode_evt3_triggers,
        num_channels=16,
        words_per_event=4,
        filler_us=1 << 21,
    )
    write_raw(Path(path), events, sensor_size, layout=layout, date=date, synthetic=synthetic, triggers=triggers)
