"""Prophesee RAW with EVT 2.0 words: 32 bits an event, and a TIME_HIGH word every 64 us."""

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

__all__ = ["EVT2", "is_evt2", "open_evt2", "read_evt2", "write_evt2"]


def _load_kernel() -> Kernel:
    from ._evt2_kernels import decode_evt2

    return decode_evt2


def _load_trigger_kernel() -> TriggerKernel:
    from ._evt2_kernels import find_evt2_triggers

    return find_evt2_triggers


EVT2 = Encoding(
    "evt2", np.dtype("<u4"), events_per_record=1, load_kernel=_load_kernel, load_trigger_kernel=_load_trigger_kernel
)


def is_evt2(head: bytes) -> bool:
    r"""Return whether the first bytes of a file are a RAW header that names EVT 2.0.

    Examples
    --------
    >>> is_evt2(b"% evt 2.0\n")
    True
    """
    return raw_encoding(head) == EVT2.name


def read_evt2(
    path: str | Path, *, sensor_size: SensorSize | None = None, policy: str = "repair"
) -> tuple[Events, ReadReport]:
    """Return all events of an EVT2 file, and what had to be repaired; parameters and errors as `read_dat`."""
    return open_evt2(Path(path), sensor_size, policy).read()


def open_evt2(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the words of an EVT2 file lie; raises as `read_evt2` does."""
    return open_raw(path, EVT2, sensor_size=sensor_size, policy=policy)


def write_evt2(
    path: str | Path,
    events: Events | Iterable[Events],
    sensor_size: SensorSize,
    *,
    date: str = "1970-01-01 00:00:00",
    synthetic: bool = False,
    triggers: Sequence[Triggers] = (),
) -> None:
    """Write events as RAW with EVT 2.0 words.

    Parameters
    ----------
    path : str or Path
        File to write; it appears when complete.
    events : Events or iterable of Events
        One batch or consecutive batches, in time order.
    sensor_size : SensorSize
        At most 2048 on both sides.
    date : str
        The date line; fixed by default, so that equal events give equal files.
    synthetic : bool
        Whether to mark the events as simulated, by a line that other readers pass over.
    triggers : sequence of Triggers
        External triggers, written before the first event with a later stamp. Batches that join the sequence while
        `events` are taken are written too.

    Raises
    ------
    OptionError
        When the events are out of order or off the sensor, a trigger comes too late or is on no channel of the
        format, or the sensor is too large.
    OutputError
        When the folder is missing or cannot be written.
    """
    from ._evt2_kernels import encode_evt2, encode_evt2_triggers

    # Two words an event at most: its own and a TIME_HIGH.
    layout = RawLayout(
        "2.0",
        EVT2.record_dtype,
        encode_evt2,
        encode_evt2_triggers,
        num_channels=32,
        words_per_event=2,
        filler_us=(1 << 33) - 64,
    )
    write_raw(Path(path), events, sensor_size, layout=layout, date=date, synthetic=synthetic, triggers=triggers)
