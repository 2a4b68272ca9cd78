"""Bags of ROS, serialised and written by rosbags from the public definitions of the messages: it reads none of ours."""

import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rosbags import rosbag1, rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from eventdet.events import Events
from eventdet.formats import write_evt3
from eventdet.geometry import GEN1, SensorSize

from .reference import Row, rows

__all__ = ["EVENTS", "PACKET", "Message", "array", "bag_bytes", "evt3_words", "packet", "write_bag", "write_events"]

EVENTS = "dvs_msgs/msg/EventArray"
PROPHESEE_EVENTS = "prophesee_event_msgs/msg/EventArray"
PACKET = "event_camera_msgs/msg/EventPacket"
STRING = "std_msgs/msg/String"

_EVENT = "uint16 x\nuint16 y\nbuiltin_interfaces/Time ts\nbool polarity\n"
_ARRAY = "std_msgs/Header header\nuint32 height\nuint32 width\nEvent[] events\n"
_PACKET = (
    "std_msgs/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\nstring encoding\n"
    "bool is_bigendian\nuint8[] events\n"
)
_DEFINITIONS = {
    "dvs_msgs/msg/Event": _EVENT,
    EVENTS: _ARRAY,
    "prophesee_event_msgs/msg/Event": _EVENT,
    PROPHESEE_EVENTS: _ARRAY,
    PACKET: _PACKET,
    "event_array_msgs/msg/EventArray": _PACKET,
}


class Message(NamedTuple):
    fields: dict[str, Any] | bytes
    """Values by name without the header, or bytes to write as they are."""

    type: str = EVENTS
    topic: str = "/dvs/events"


def array(events: Sequence[Row], *, size: SensorSize = GEN1, type: str = EVENTS, topic: str = "/dvs/events") -> Message:  # noqa: A002
    return Message({"height": size.height, "width": size.width, "events": list(events)}, type, topic)


def packet(
    content: bytes, *, encoding: str = "evt3", number: int = 0, time_base: int = 0, is_bigendian: bool = False,
    size: SensorSize = GEN1, type: str = PACKET,  # noqa: A002
) -> Message:  # fmt: skip
    fields = {
        "height": size.height, "width": size.width, "seq": number, "time_base": time_base, "encoding": encoding,
        "is_bigendian": is_bigendian, "events": np.frombuffer(content, np.uint8),
    }  # fmt: skip
    return Message(fields, type)


def evt3_words(events: Events, size: SensorSize = GEN1) -> NDArray[np.uint16]:
    with TemporaryDirectory() as folder:
        write_evt3(Path(folder) / "a.raw", events, size)
        content = (Path(folder) / "a.raw").read_bytes()
    return np.frombuffer(content[content.index(b"% end\n") + 6 :], "<u2")


def write_bag(path: Path, messages: Sequence[Message]) -> None:
    """The ending says which bag it is: ``.bag``, one ``.mcap`` or ``.db3`` file, or a folder."""
    if path.suffix == ".bag":
        _write(rosbag1.Writer(path), messages, ros=1)
        return
    plugin = rosbag2.StoragePlugin.MCAP if "mcap" in path.name else rosbag2.StoragePlugin.SQLITE3
    folder = path.with_suffix("")
    _write(rosbag2.Writer(folder, version=9, storage_plugin=plugin), messages, ros=2)
    if path.suffix:
        shutil.move(folder / path.name, path)
        shutil.rmtree(folder)


def bag_bytes(*messages: Message) -> bytes:
    with TemporaryDirectory() as folder:
        write_bag(Path(folder) / "a.bag", messages)
        return (Path(folder) / "a.bag").read_bytes()


def write_events(path: Path, events: Events, size: SensorSize) -> None:
    # The topic that eventcv looks for.
    topic = "/davis/left/events"
    write_bag(path, [array(rows(part), size=size, topic=topic) for part in (events[:10], events[10:])])


def _write(writer: Any, messages: Sequence[Message], *, ros: int) -> None:
    store = _typestore(ros)
    with writer:
        connections: dict[tuple[str, str], Any] = {}
        for number, message in enumerate(messages):
            key = message.topic, message.type
            if key not in connections:
                connections[key] = writer.add_connection(*key, typestore=store)
            data = message.fields if isinstance(message.fields, bytes) else _serialise(store, message, ros)
            writer.write(connections[key], number, data)


def _serialise(store: Any, message: Message, ros: int) -> bytes:
    types = store.types
    time = types["builtin_interfaces/msg/Time"]
    values: dict[str, Any] = dict(message.fields) if isinstance(message.fields, dict) else {}
    if message.type != STRING:
        count = {"seq": 5} if ros == 1 else {}
        values["header"] = types["std_msgs/msg/Header"](**count, stamp=time(sec=7, nanosec=8), frame_id="camera")
    if message.type in (EVENTS, PROPHESEE_EVENTS):
        event = types[message.type.replace("EventArray", "Event")]
        values["events"] = [
            # 999 ns beyond: the reader rounds down.
            event(x=x, y=y, ts=time(sec=t // 10**6, nanosec=t % 10**6 * 1000 + 999), polarity=p)
            for t, x, y, p in values["events"]
        ]
    content = types[message.type](**values)
    serialise = store.serialize_ros1 if ros == 1 else store.serialize_cdr
    return bytes(serialise(content, message.type))


@cache
def _typestore(ros: int) -> Any:
    store = get_typestore(Stores.ROS1_NOETIC if ros == 1 else Stores.ROS2_HUMBLE)
    types: dict[str, Any] = {}
    for name, text in _DEFINITIONS.items():
        types |= get_types_from_msg(text if ros == 2 else text.replace("builtin_interfaces/Time", "time"), name)
    store.register(types)
    return store
