"""Dirty files of EVT 2.1, EVT 4.0, Event Stream, 40-bit AER, AEDAT 2.0, AEDAT4, DAT 1 and ROS, as in `dirty_corpus`."""

import struct

import numpy as np

from eventdet.formats._aedat4_layout import pack_events, pack_header
from eventdet.formats._frames import lz4_compress
from eventdet.geometry import GEN1, SensorSize

from . import dirty_corpus
from .dirty_file import DirtyFile
from .reference import Row, random_events, rows
from .reference_ros import Message, array, bag_bytes, packet

__all__ = ["CASES"]

_GEN1_RAW = b"% geometry 304x240\n% end\n"


def _upper(kind: int, low: int, x: int, y: int) -> int:
    return kind << 28 | low << 22 | x << 11 | y


def _evt21(*words: tuple[int, int], swapped: bool = False, head: bytes = b"% evt 2.1\n") -> bytes:
    """`words` are pairs of upper half and mask."""
    halves = [word if swapped else word[::-1] for word in words]
    return head + _GEN1_RAW + np.array(halves, "<u4").tobytes()


_TIME21 = (8 << 28, 0)
# A vector whose first column is 288: bits 0 and 15 are on the 304 columns of the sensor, bit 16 is not.
_EDGE = (_upper(1, 5, 288, 3), 1 | 1 << 15 | 1 << 16)
_EVT21_WORDS = [(_upper(0, 0, 0, 0), 1), _TIME21, _EDGE, (_upper(0, 4, 32, 240), 3), (10 << 28, 0), (14 << 28, 7)]
_EVT21_COUNTS = {
    "before_time_dropped": 1, "out_of_range_dropped": 3, "backward_clamped": 1, "trigger_words": 1, "skipped_words": 1,
    "unknown_words": 1,
}  # fmt: skip
_EVT21_MORE = [(_upper(1, 4, 64, 7), 2), (3 << 28, 0)]
_EVT21_ROWS = [(5, 288, 3, 1), (5, 303, 3, 1), (5, 65, 7, 1)]

_EVT21_CASES = [
    DirtyFile("evt21-all-faults", _evt21(*_EVT21_WORDS, *_EVT21_MORE), _EVT21_ROWS, _EVT21_COUNTS, suffix=".raw"),
    DirtyFile(
        "evt21-swapped-all-faults",
        _evt21(*_EVT21_WORDS, *_EVT21_MORE, swapped=True),
        _EVT21_ROWS,
        _EVT21_COUNTS,
        suffix=".raw",
    ),
    DirtyFile(
        "evt21-header-lies-about-the-order",
        _evt21(_TIME21, _EDGE, head=b"% format EVT21;endianness=legacy\n"),
        _EVT21_ROWS[:2],
        {"out_of_range_dropped": 1},
        suffix=".raw",
    ),
    DirtyFile(
        "evt21-cut-word", _evt21(_TIME21, (_upper(1, 5, 0, 3), 1))[:-3], [], {"trailing_bytes": 5}, suffix=".raw"
    ),
    DirtyFile(
        "evt21-repeat",
        _evt21(_TIME21, (_upper(1, 5, 0, 3), 1), (_upper(1, 5, 0, 3), 3)),
        [(5, 0, 3, 1), (5, 0, 3, 1), (5, 1, 3, 1)],
        {"duplicates_kept": 1},
        suffix=".raw",
    ),
]


def _evt4(*words: int) -> bytes:
    return b"% evt 4.0\n" + _GEN1_RAW + np.array(words, "<u4").tobytes()


_EVT4_CASES = [
    DirtyFile(
        "evt4-all-faults",
        _evt4(
            _upper(10, 0, 0, 0), 14 << 28, _upper(13, 5, 288, 3), 1 | 1 << 16, _upper(11, 4, 7, 8),
            9 << 28, 2**32 - 1, 5,
        ),
        [(5, 288, 3, 1), (5, 7, 8, 1)],
        {
            "before_time_dropped": 1, "out_of_range_dropped": 1, "backward_clamped": 1, "trigger_words": 1,
            "skipped_words": 1, "unknown_words": 1,
        },
        suffix=".raw",
    ),
    DirtyFile(
        "evt4-vector-without-mask",
        _evt4(14 << 28, _upper(10, 1, 2, 3), _upper(12, 1, 0, 0)),
        [(1, 2, 3, 0)],
        {"trailing_bytes": 4},
        suffix=".raw",
    ),
]  # fmt: skip

_ES = b"Event Stream\x02\x00\x00\x01" + struct.pack("<HH", 304, 240)


def _es(step: int, x: int, y: int, p: int) -> bytes:
    return struct.pack("<BHH", step << 1 | p, x, 239 - y if y < 240 else y)


_ES_CASES = [
    DirtyFile("es-no-events", _ES, [], suffix=".es"),
    DirtyFile(
        "es-resets-and-overflows",
        _ES + b"\xfe" + _es(3, 5, 7, 1) + b"\xff\xfe\xff" + _es(1, 6, 8, 0),
        [(3, 5, 7, 1), (258, 6, 8, 0)],
        {"skipped_words": 2},
        suffix=".es",
    ),
    DirtyFile(
        "es-outside",
        _ES + _es(3, 304, 7, 1) + _es(1, 5, 240, 0) + _es(1, 5, 0, 0),
        [(5, 5, 0, 0)],
        {"out_of_range_dropped": 2},
        suffix=".es",
    ),
    DirtyFile("es-cut", _ES + _es(3, 5, 7, 1) + b"\x02\x05", [(3, 5, 7, 1)], {"trailing_bytes": 2}, suffix=".es"),
    DirtyFile("es-atis", _ES[:15] + b"\x02" + _ES[16:], error="event type must be 1 (DVS), got 2 (ATIS)", suffix=".es"),
    DirtyFile("es-version-1", _ES[:12] + b"\x01" + _ES[13:], error="Event Stream version must be 2", suffix=".es"),
    DirtyFile("es-header-cut", _ES[:-1], error="header is cut, at byte 19", suffix=".es"),
]


def _aer40(*events: Row) -> bytes:
    return b"".join((x << 32 | y << 24 | p << 23 | t).to_bytes(5, "big") for t, x, y, p in events)


# As many as the format is recognised by.
_RUN: list[Row] = [(step, 7, 9, step % 2) for step in range(40)]
_DIGITS = SensorSize(34, 34)

_AER40_CASES = [
    DirtyFile(
        "aer40-marks-of-time",
        _aer40(*_RUN, (0, 0, 240, 0), (5, 1, 2, 0)),
        [*_RUN, (8197, 1, 2, 0)],
        {"time_wraps": 1},
        suffix=".bin",
        sensor_size=_DIGITS,
    ),
    DirtyFile(
        "aer40-back-and-outside",
        _aer40(*_RUN, (20, 1, 2, 0), (50, 34, 2, 0), (50, 1, 34, 0)),
        [*_RUN, (39, 1, 2, 0)],
        {"backward_clamped": 1, "out_of_range_dropped": 2},
        suffix=".bin",
        sensor_size=_DIGITS,
    ),
    DirtyFile(
        "aer40-cut", _aer40(*_RUN) + b"\x01", _RUN, {"trailing_bytes": 1}, suffix=".bin", sensor_size=_DIGITS
    ),
    DirtyFile("aer40-without-a-size", _aer40(*_RUN), error="sensor size is not in the header", suffix=".bin"),
]  # fmt: skip


def _aedat2(*records: tuple[int, int], camera: bytes = b"Davis346blue") -> bytes:
    head = b"#!AER-DAT2.0\r\n# AEChip: eu.seebetter.ini.chips.davis." + camera + b"\r\n"
    return head + np.array(records, ">u4").tobytes()


def _davis(x: int, y: int, p: int) -> int:
    return (259 - y) % 512 << 22 | x << 12 | p << 11


_AEDAT2_CASES = [
    DirtyFile(
        "aedat2-all-faults",
        _aedat2(
            (_davis(1, 2, 1), 50), (1 << 31, 51), (1 << 10, 52), (_davis(3, 4, 0), 40), (_davis(346, 4, 0), 60),
            (_davis(3, 300, 0), 60),
        ) + b"\x00\x01",
        [(50, 1, 2, 1), (50, 3, 4, 0)],
        {
            "skipped_words": 1, "trigger_words": 1, "backward_clamped": 1, "out_of_range_dropped": 2,
            "trailing_bytes": 2,
        },
        suffix=".aedat",
    ),
    DirtyFile(
        "aedat2-wrap",
        _aedat2((_davis(1, 2, 1), 2**32 - 5), (_davis(1, 2, 1), 5)),
        [(2**32 - 5, 1, 2, 1), (2**32 + 5, 1, 2, 1)],
        {"time_wraps": 1},
        suffix=".aedat",
    ),
    DirtyFile("aedat2-no-events", _aedat2(), [], suffix=".aedat"),
    DirtyFile(
        "aedat2-unknown-camera", _aedat2(camera=b"Cochlea"), error="camera is not named", suffix=".aedat"
    ),
]  # fmt: skip


def _aedat4(*contents: bytes, compression: int = 0) -> bytes:
    packets = b"".join(struct.pack("<ii", 0, len(content)) + content for content in contents)
    return b"#!AER-DAT4.0\r\n" + bytes(pack_header(GEN1, compression=compression, synthetic=False)) + packets


_EVENTS = random_events(4)
_DIRTY_EVENTS = bytearray(pack_events(_EVENTS))
for _place, _event in enumerate([(50, 3, 4, 9), (40, 5, 6, 0), (60, -1, 0, 0), (60, 304, 0, 0)]):
    struct.pack_into("<qhhB", _DIRTY_EVENTS, 32 + 16 * _place, *_event)

_AEDAT4_CASES = [
    DirtyFile(
        "aedat4-dirty-events",
        _aedat4(bytes(_DIRTY_EVENTS)),
        [(50, 3, 4, 1), (50, 5, 6, 0)],
        {"polarity_repaired": 1, "backward_clamped": 1, "out_of_range_dropped": 2},
        suffix=".aedat4",
    ),
    DirtyFile(
        "aedat4-broken-packet",
        _aedat4(lz4_compress(pack_events(_EVENTS)), b"no frame", compression=1),
        rows(_EVENTS),
        {"packets_dropped": 1},
        suffix=".aedat4",
    ),
    DirtyFile(
        "aedat4-cut-packet",
        _aedat4(lz4_compress(pack_events(_EVENTS)), bytes(50), compression=1)[:-50],
        rows(_EVENTS),
        {"trailing_bytes": 8},
        suffix=".aedat4",
    ),
    DirtyFile("aedat4-no-packets", _aedat4(), [], suffix=".aedat4"),
    DirtyFile("aedat4-header-cut", _aedat4()[:300], error="broken header", suffix=".aedat4"),
]

_DAT1_CASES = [
    DirtyFile(
        "dat1-outside-and-back",
        b"% Version 1\n% Height 120\n% Width 304\n\x00\x08"
        + np.array([(9, 1 << 17 | 119 << 9 | 303), (8, 304), (8, 120 << 9), (8, 5)], "<u4").tobytes(),
        [(9, 303, 119, 1), (9, 5, 0, 0)],
        {"out_of_range_dropped": 2, "backward_clamped": 1},
    ),
]

_EVT3_TIME_AND_ROW = np.array([0x8001, 0x6002, 0x0003], "<u2").tobytes()
_EVT3_EVENT = np.array([0x2804], "<u2").tobytes()

_ROS_CASES = [
    DirtyFile(
        "bag-dirty-events",
        bag_bytes(array([(50, 3, 4, 1), (40, 5, 6, 0)]), array([(60, 304, 0, 0), (60, 0, 240, 0), (50, 3, 4, 1)])),
        [(50, 3, 4, 1), (50, 5, 6, 0), (50, 3, 4, 1)],
        {"backward_clamped": 1, "out_of_range_dropped": 2, "duplicates_kept": 1},
        suffix=".bag",
    ),
    DirtyFile(
        # ROS 1: count, time and frame of the header, height, width, one event that must be 13 bytes.
        "bag-message-cut",
        bag_bytes(Message(struct.pack("<7I", 0, 0, 0, 0, 240, 304, 1) + bytes(12)), array([(50, 3, 4, 1)])),
        [(50, 3, 4, 1)],
        {"packets_dropped": 1},
        suffix=".bag",
    ),
    DirtyFile(
        # The packet between time and event is lost; its number is missing.
        "bag-packet-lost",
        bag_bytes(packet(_EVT3_EVENT, number=1), packet(_EVT3_TIME_AND_ROW, number=2), packet(_EVT3_EVENT, number=4)),
        [(4098, 4, 3, 1)],
        {"before_time_dropped": 1, "packets_missing": 1},
        suffix=".bag",
    ),
    DirtyFile("bag-no-events", bag_bytes(array([])), [], suffix=".bag"),
    DirtyFile("bag-cut", bag_bytes(array([(50, 3, 4, 1)]))[:-100], error="broken bag (", suffix=".bag"),
]

CASES = [
    *dirty_corpus.CASES, *_DAT1_CASES, *_EVT21_CASES, *_EVT4_CASES, *_ES_CASES, *_AER40_CASES, *_AEDAT2_CASES,
    *_AEDAT4_CASES, *_ROS_CASES,
]  # fmt: skip
