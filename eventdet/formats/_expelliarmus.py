"""DAT and EVT 2.0 files as expelliarmus decodes them, for a second opinion or for results that were made with it.

It is asked for events alone. The header, the size of the sensor, trailing bytes and triggers are read here, and its
events pass the same checks as those of any other column. What it repairs on its own (words before the first time word,
overflows of the clock) it does not count, so those counts of the report stay zero.

EVT 3.0 is refused: expelliarmus 1.1.12 takes each step back of a few microseconds, which real cameras make, for an
overflow, and stretches the recording.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import FormatError, MissingExtraError, OptionError
from eventdet.triggers import Triggers

from ._columns import BLOCK_EVENTS, ColumnPayload, column_encoding, from_first_event, pack_columns
from ._payload import Payload
from .dat import DAT, DAT1
from .evt2 import EVT2
from .evt3 import EVT3

__all__ = ["open_by_expelliarmus"]

_SUFFIXES = {DAT: ".dat", EVT2: ".raw"}
"""The only endings of names that it takes."""

_REFUSED = {
    DAT1.name: "it takes version 1 for version 2",
    EVT3.name: "it takes small steps back in time for overflows",
}


@dataclass(frozen=True, kw_only=True)
class _ExpelliarmusPayload(ColumnPayload):
    own: Payload
    """The same file as eventdet reads it, for all but the events."""

    @property
    def reader(self) -> str:
        """Who decodes the events."""
        return "expelliarmus"

    @property
    def trailing_bytes(self) -> int:
        """Bytes after the last whole record."""
        return self.own.trailing_bytes

    def read_triggers(self) -> Triggers:
        """Return all external triggers; expelliarmus passes over them."""
        return self.own.read_triggers()


def open_by_expelliarmus(own: Payload) -> Payload:
    """Return a payload whose events expelliarmus decodes.

    Parameters
    ----------
    own : Payload
        The opened file.

    Raises
    ------
    OptionError
        When expelliarmus does not read the format right, or not under this name.
    MissingExtraError
        When it is not installed.
    """
    name = own.encoding.name
    fault = _find_fault(own)
    if fault:
        raise OptionError(f"{own.path}: reader expelliarmus {fault}", hint="use reader eventdet")
    try:
        from expelliarmus import Wizard
    except ImportError as error:
        raise MissingExtraError("reader expelliarmus", extra="interop") from error

    def blocks() -> Iterator[NDArray[np.int64]]:
        # In a file that ends within its header, it would look for the end of the line for ever.
        if not len(own.records):
            return
        wizard = Wizard(encoding=name, fpath=own.path, chunk_size=BLOCK_EVENTS)
        num_events = 0
        for array in wizard.read_chunk():
            num_events += len(array)
            yield pack_columns([array[field] for field in ("t", "x", "y", "p")], in_seconds=False)
        _check_finished(own.path, wizard, num_events)

    return _ExpelliarmusPayload(
        own.path,
        column_encoding(name),
        own.data_offset,
        own.sensor_size,
        own.policy,
        own.fields,
        blocks=from_first_event(blocks),
        own=own,
    )


def _find_fault(own: Payload) -> str:
    """Return why expelliarmus would not read a file right, an empty string when it would."""
    if own.encoding not in _SUFFIXES:
        reason = _REFUSED.get(own.encoding.name, "it does not read the format")
        return f"is for DAT version 2 and EVT 2.0, got {own.encoding.name} ({reason})"
    if own.path.suffix != _SUFFIXES[own.encoding] or not own.has_header:
        return f"needs a header and a name that ends in {_SUFFIXES[own.encoding]}"
    if own.encoding is EVT2 and bytes(own.records[:1].view(np.uint8)[:1]) == b"%":
        return "takes the first record for a line of the header, since it begins with '%'"
    return ""


def _check_finished(path: Path, wizard: Any, num_events: int) -> None:
    """Check that it came to the end of the file: at a word that it does not know it stops without an error."""
    if not wizard.cargo.events_info.finished:
        raise FormatError(
            f"{path}: expelliarmus gave up after {num_events} events, at byte {wizard.cargo.events_info.start_byte} or "
            "behind",
            hint="use reader eventdet, which goes on",
        )
