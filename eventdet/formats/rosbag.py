"""Bags of ROS 1 (``.bag``) and ROS 2 (a folder with ``metadata.yaml``, or one ``.db3`` or ``.mcap`` file of it).

The library rosbags finds the messages, their bytes are read here. A bag with one topic of events is read without more
words; of several, one is named behind the path: ``drive.bag:/dvs/left/events``.
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import EventdetError, FormatError, MissingExtraError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size
from eventdet.report import ReadReport
from eventdet.triggers import Triggers

from ._columns import column_encoding
from ._payload import Payload
from ._ros_messages import EVENT_TYPES, BrokenMessageError, EventMessage, RawMessage, parse_event_message
from ._text_header import read_head
from .decoder import Decoder
from .evt3 import EVT3

if TYPE_CHECKING:
    from rosbags.interfaces import Connection
    from rosbags.rosbag1 import Reader as Ros1Reader
    from rosbags.rosbag2 import Reader as Ros2Reader

__all__ = ["is_rosbag", "is_rosbag_folder", "open_rosbag", "rosbag_head_file", "split_topic"]

_ROS1_MAGIC = b"#ROSBAG V"
_ROS2_MAGICS = (b"SQLite format 3\0", b"\x89MCAP0\r\n", b"rosbag2_bagfile_information:")
_METADATA = "metadata.yaml"

_EVENTS = column_encoding("rosbag")
_ENCODINGS = {"events": _EVENTS, "mono": _EVENTS, "evt3": replace(EVT3, name=_EVENTS.name)}
"""How the events of a message are decoded, by what it says of them."""

_READ_EVENTS = 1 << 20
_REPAIR_HINT = "copy it again, or mend it with rosbag reindex or ros2 bag reindex"

_PYTHON_ERRORS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError, RuntimeError,
    TypeError, ValueError, struct.error,
)  # fmt: skip
"""What rosbags lets through beside its own errors when it trips over broken bytes."""


def is_rosbag(head: bytes) -> bool:
    r"""Return whether a file begins like a bag of ROS 1, a file of a ROS 2 bag, or the description of one.

    Examples
    --------
    >>> is_rosbag(b"#ROSBAG V2.0\n")
    True
    """
    return head.startswith((_ROS1_MAGIC, *_ROS2_MAGICS))


def is_rosbag_folder(path: str | Path) -> bool:
    """Return whether a folder looks like a bag of ROS 2."""
    return (Path(path) / _METADATA).is_file()


def split_topic(path: Path) -> tuple[Path, str]:
    """Return the path of a bag, and the topic that is named behind it, empty when none is.

    Examples
    --------
    >>> split_topic(Path("drive.bag:/dvs/events"))
    (PosixPath('drive.bag'), '/dvs/events')
    """
    bag, separator, topic = str(path).partition(":/")
    return (Path(bag), f"/{topic}") if separator and not path.exists() else (path, "")


def rosbag_head_file(path: Path) -> Path:
    """Return the file whose first bytes tell what a recording is: the path itself for all but bags of ROS 2."""
    bag, _ = split_topic(path)
    return bag / _METADATA if is_rosbag_folder(bag) else bag


def open_rosbag(path: Path, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return how to read the events of a bag; it is read up to the first sound message of events.

    Raises
    ------
    FormatError
        When it is broken or not indexed, has no topic of events or several, or packs them in an unknown way.
    GeometryError
        When no message tells the sensor size and `sensor_size` is None.
    MissingExtraError
        When the extra ``ros`` is not installed.
    """
    first = _first_message(path)
    if first.encoding not in _ENCODINGS:
        raise FormatError(
            f"{path}: encoding of its packets must be evt3 or mono, got {first.encoding!r}",
            hint="publish them as dvs_msgs with event_camera_tools",
        )
    try:
        header = None if first.sensor_size is None else check_sensor_size(first.sensor_size)
    except OptionError as error:
        raise FormatError(f"{path}: {error}, in its first message") from error
    size = resolve_sensor_size(str(path), header=header, given=sensor_size)
    return _RosbagPayload(path, _ENCODINGS[first.encoding], 0, size, policy, {})


@dataclass(frozen=True)
class _RosbagPayload(Payload):
    """The messages of a topic, read one at a time."""

    @property
    def trailing_bytes(self) -> int:
        """None: a bag says how much it holds."""
        return 0

    def read_into(self, report: ReadReport) -> Events:
        """Return all events; counts are added to `report`."""
        return Events.concatenate(self.iter_events(report, num_events=_READ_EVENTS))

    def _decoder(
        self, report: ReadReport, *, offset: int, on_triggers: Callable[[Triggers], None] | None = None
    ) -> Decoder:
        where = f"{self.path}, in its messages"
        return Decoder(
            self.encoding, self.sensor_size, policy=self.policy, where=where, report=report, on_triggers=on_triggers
        )

    def pieces(self, position: int, report: ReadReport, *, num_bytes: int) -> Iterator[tuple[int, NDArray[np.integer]]]:
        """Yield number and records of each message from number `position` on, whatever `num_bytes` says.

        A broken one gives nothing and is counted, so are gaps in their numbers.
        """
        expected = None
        for place, raw in enumerate(_raw_messages(self.path)):
            if place < position:
                continue
            try:
                message = parse_event_message(raw)
                if _ENCODINGS.get(message.encoding) is not self.encoding:
                    raise BrokenMessageError(f"its encoding changes to {message.encoding!r}")  # noqa: TRY301
            except BrokenMessageError as error:
                if self.rules.faults == "strict":
                    raise FormatError(
                        f"{self.path}: message cannot be read ({error}), at message {place}",
                        hint="read it with policy repair",
                    ) from error
                report.packets_dropped += 1
                continue
            if message.number is not None:
                report.packets_missing += max(0, message.number - (message.number if expected is None else expected))
                expected = message.number + 1
            yield place, message.records


def _first_message(path: Path) -> EventMessage:
    """Return the first sound message, an empty one when there is none."""
    for raw in _raw_messages(path):
        with suppress(BrokenMessageError):
            return parse_event_message(raw)
    return EventMessage(None, "events", None, np.empty(0, np.int64))


def _raw_messages(path: Path) -> Iterator[RawMessage]:
    """Yield the messages of events in the order of the bag; errors of the library become errors of the file."""
    bag, topic = split_topic(path)
    is_cdr = not read_head(rosbag_head_file(bag)).startswith(_ROS1_MAGIC)
    reader_class, errors = _library(path, is_cdr=is_cdr)
    try:
        with reader_class(bag) as reader:
            connections = _connections_of(path, topic, reader.connections)
            for connection, _, data in reader.messages(connections):
                yield RawMessage(data, EVENT_TYPES[connection.msgtype], is_cdr)
    except EventdetError:
        raise
    except errors as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(f"{path}: broken bag ({reason}), at byte 0", hint=_REPAIR_HINT) from error


def _library(path: Path, *, is_cdr: bool) -> tuple["type[Ros1Reader | Ros2Reader]", tuple[type[Exception], ...]]:
    """Return the class that reads a bag, and what it raises on a broken one."""
    try:
        import apsw
        from backports import zstd
        from rosbags import rosbag1, rosbag2
    except ImportError as error:
        raise MissingExtraError(f"{path}: reading bags of ROS", extra="ros") from error
    readers = rosbag1.ReaderError, rosbag2.ReaderError
    return (rosbag2.Reader if is_cdr else rosbag1.Reader), (*readers, apsw.Error, zstd.ZstdError, *_PYTHON_ERRORS)


def _connections_of(path: Path, topic: str, connections: "list[Connection]") -> "list[Connection]":
    """Return the connections of the one topic of events, or of the named one."""
    known = [connection for connection in connections if connection.msgtype in EVENT_TYPES]
    topics = sorted({connection.topic for connection in known})
    if not topics:
        types = ", ".join(sorted({connection.msgtype for connection in connections}))
        raise FormatError(
            f"{path}: no topic of events, got {types or 'no topics'}",
            hint=f"readable messages: {', '.join(EVENT_TYPES)}",
        )
    if topic not in topics and (topic or len(topics) > 1):
        listed = ", ".join(topics)
        raise FormatError(
            f"{path}: topic of events must be one of {listed}, got {topic or 'none'}",
            hint=f"name it: {split_topic(path)[0]}:{topics[0]}",
        )
    return [connection for connection in known if connection.topic == (topic or topics[0])]
