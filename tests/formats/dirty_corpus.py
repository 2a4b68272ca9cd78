"""Files that are not as they should be, built word by word, each with the events and counts that it must give.

What is expected is written out by hand from the format descriptions, never taken from a reader.
"""

import io
from dataclasses import dataclass, field

import numpy as np

from eventdet.geometry import SensorSize

from .reference import Row

__all__ = ["CASES", "DirtyFile"]


@dataclass(frozen=True)
class DirtyFile:
    name: str
    content: bytes
    rows: list[Row] | None = None
    """Events after repair; None for a file that no policy reads."""

    counts: dict[str, int] = field(default_factory=dict)
    """Non-zero counts of the report, without the number of events."""

    error: str = ""
    """What the message says when no policy reads it."""

    suffix: str = ".dat"
    sensor_size: SensorSize | None = None


# DAT: text, type and size of an event, then pairs of 32-bit words.
_DAT_TEXT = b"% Data file containing Event2D events\n% Version 2\n% Height 240\n% Width 304\n"
_DAT = _DAT_TEXT + b"\x00\x08"
_WRAP = 2**32
_GEN1 = SensorSize(240, 304)


def _dat(*events: Row) -> bytes:
    return b"".join((t % _WRAP | (x | y << 14 | p << 28) << 32).to_bytes(8, "little") for t, x, y, p in events)


_A, _B, _C = (10, 1, 2, 0), (20, 300, 4, 1), (30, 303, 239, 0)

_DAT_CASES = [
    DirtyFile("dat-clean", _DAT + _dat(_A, _B, _C), [_A, _B, _C]),
    DirtyFile("dat-cd-type", _DAT_TEXT + b"\x0c\x08" + _dat(_A), [_A]),
    DirtyFile("dat-header-alone", _DAT_TEXT, []),
    DirtyFile("dat-no-events", _DAT, []),
    DirtyFile("dat-three-trailing-bytes", _DAT + _dat(_A) + b"\x01\x02\x03", [_A], {"trailing_bytes": 3}),
    DirtyFile("dat-seven-bytes-and-no-event", _DAT + bytes(7), [], {"trailing_bytes": 7}),
    DirtyFile("dat-one-step-back", _DAT + _dat(_B, _A, _C), [_B, (20, *_A[1:]), _C], {"backward_clamped": 1}),
    DirtyFile(
        "dat-run-of-steps-back",
        _DAT + _dat((50, 0, 0, 0), (10, 1, 0, 0), (49, 2, 0, 0), (50, 3, 0, 0)),
        [(50, 0, 0, 0), (50, 1, 0, 0), (50, 2, 0, 0), (50, 3, 0, 0)],
        {"backward_clamped": 2},
    ),
    DirtyFile(
        "dat-counter-overflow",
        _DAT + _dat((_WRAP - 2, 0, 0, 0), (_WRAP - 1, 0, 0, 0), (_WRAP + 4, 1, 0, 1)),
        [(_WRAP - 2, 0, 0, 0), (_WRAP - 1, 0, 0, 0), (_WRAP + 4, 1, 0, 1)],
        {"time_wraps": 1},
    ),
    DirtyFile(
        "dat-late-event-across-the-overflow",
        _DAT
        + _dat(
            (_WRAP - 3, 0, 0, 1), (_WRAP - 2, 0, 0, 0), (_WRAP - 1, 0, 0, 0),
            (_WRAP + 4, 1, 0, 1), (_WRAP - 3, 2, 0, 0), (_WRAP + 5, 3, 0, 0),
        ),
        [
            (_WRAP - 3, 0, 0, 1), (_WRAP - 2, 0, 0, 0), (_WRAP - 1, 0, 0, 0),
            (_WRAP + 4, 1, 0, 1), (_WRAP + 4, 2, 0, 0), (_WRAP + 5, 3, 0, 0),
        ],
        {"time_wraps": 1, "backward_clamped": 1},
    ),
    DirtyFile(
        # One wrong bit: believed, it would raise everything behind it by half an hour.
        "dat-stamp-leaps-alone",
        _DAT + _dat(_A, (2_000_000_000, 1, 0, 1), _B, _C),
        [_A, _B, _C],
        {"time_jump_dropped": 1},
    ),
    DirtyFile(
        "dat-stamp-falls-back-alone-as-if-it-wrapped",
        _DAT + _dat((3_000_000_000, 0, 0, 0), (3_000_000_001, 0, 0, 0), (5, 1, 0, 1), (3_000_000_002, 0, 0, 0)),
        [(3_000_000_000, 0, 0, 0), (3_000_000_001, 0, 0, 0), (3_000_000_002, 0, 0, 0)],
        {"time_jump_dropped": 1},
    ),
    DirtyFile(
        "dat-silence-of-a-minute",
        _DAT + _dat(_A, (60_000_000, 1, 0, 1), (60_000_001, 0, 0, 0)),
        [_A, (60_000_000, 1, 0, 1), (60_000_001, 0, 0, 0)],
    ),
    DirtyFile("dat-column-outside", _DAT + _dat(_A, (15, 304, 0, 0), _B), [_A, _B], {"out_of_range_dropped": 1}),
    DirtyFile("dat-row-outside", _DAT + _dat(_A, (15, 0, 16383, 0), _B), [_A, _B], {"out_of_range_dropped": 1}),
    DirtyFile(
        # A record off the sensor is not believed: its stamp must not raise those after it.
        "dat-outside-with-a-wild-stamp",
        _DAT + _dat(_A, (2_000_000_000, 304, 0, 0), _B),
        [_A, _B],
        {"out_of_range_dropped": 1},
    ),
    DirtyFile(
        "dat-header-claims-a-smaller-sensor",
        _DAT.replace(b"Width 304", b"Width 40") + _dat(_A, _B, _C),
        [_A],
        {"out_of_range_dropped": 2},
    ),
    DirtyFile(
        "dat-polarity-beyond-one",
        _DAT + _dat((1, 0, 0, 2), (2, 0, 0, 15)),
        [(1, 0, 0, 0), (2, 0, 0, 1)],
        {"polarity_repaired": 2},
    ),
    DirtyFile("dat-repeat", _DAT + _dat(_A, _A, _B), [_A, _A, _B], {"duplicates_kept": 1}),
    DirtyFile(
        "dat-repeats-apart-beyond-column-255",
        _DAT + _dat((5, 300, 7, 1), (5, 2, 7, 1), (5, 300, 7, 1), (5, 300, 7, 0), (6, 300, 7, 1)),
        [(5, 300, 7, 1), (5, 2, 7, 1), (5, 300, 7, 1), (5, 300, 7, 0), (6, 300, 7, 1)],
        {"duplicates_kept": 1},
    ),
    DirtyFile(
        "dat-raised-stamp-makes-a-repeat",
        _DAT + _dat((9, 3, 3, 1), (8, 3, 3, 1)),
        [(9, 3, 3, 1), (9, 3, 3, 1)],
        {"backward_clamped": 1, "duplicates_kept": 1},
    ),
    DirtyFile(
        # A block that was never written: the records stand at time 0, pixel (0, 0), OFF.
        "dat-zeros-at-the-end",
        _DAT + _dat(_A) + bytes(24),
        [_A, (10, 0, 0, 0), (10, 0, 0, 0), (10, 0, 0, 0)],
        {"backward_clamped": 3, "duplicates_kept": 2},
    ),
    DirtyFile(
        "dat-no-header", _dat(_A, _B, _C), [_A, _B, _C], {"missing_header": 1}, sensor_size=_GEN1
    ),
    DirtyFile(
        "dat-no-header-and-trailing-bytes",
        _dat(_A, _B, _C) + b"\xff",
        [_A, _B, _C],
        {"missing_header": 1, "trailing_bytes": 1},
        sensor_size=_GEN1,
    ),
    DirtyFile("dat-no-header-and-no-size", _dat(_A, _B, _C), error="unknown format at byte 0"),
    DirtyFile(
        "dat-no-size-in-the-header",
        b"% Data file containing CD events\n% Version 2\n\x0c\x08" + _dat(_A),
        [_A],
        sensor_size=_GEN1,
    ),
    DirtyFile(
        "dat-no-size-anywhere",
        b"% Data file containing CD events\n% Version 2\n\x0c\x08" + _dat(_A),
        error="sensor size is not in the header",
    ),
    DirtyFile("dat-size-in-words", _DAT.replace(b"240", b"many"), error="Height and Width must be numbers"),
    DirtyFile("dat-size-zero", _DAT.replace(b"240", b"0"), error="sensor_size must be"),
    DirtyFile("dat-size-absurd", _DAT.replace(b"240", b"9" * 30), error="sensor_size must be"),
    DirtyFile("dat-triggers-instead-of-events", _DAT_TEXT + b"\x0e\x08", error="external triggers"),
    DirtyFile("dat-other-event-size", _DAT_TEXT + b"\x00\x10", error="event size must be 8, got 16"),
    DirtyFile("dat-cut-in-the-type", _DAT_TEXT + b"\x00", error="cut within the event type"),
    DirtyFile(
        "dat-all-at-once",
        _DAT + _dat(_B, _B, _A, (21, 400, 0, 0), (22, 1, 1, 4)) + b"\x00\x00",
        [_B, _B, (20, *_A[1:]), (22, 1, 1, 0)],
        {
            "duplicates_kept": 1, "backward_clamped": 1, "out_of_range_dropped": 1, "polarity_repaired": 1,
            "trailing_bytes": 2,
        },
    ),
    DirtyFile("no-bytes", b"", error="file is empty"),
    DirtyFile("other-bytes", bytes(range(256)), error="unknown format"),
]  # fmt: skip


# EVT 2.0: 32-bit words. A TIME_HIGH of n stands for n * 64 us.
_EVT2 = b"% evt 2.0\n% format EVT2;height=240;width=304\n% end\n"


def _cd(low: int, x: int, y: int, p: int) -> int:
    return p << 28 | low << 22 | x << 11 | y


def _high2(value: int) -> int:
    return 0x8 << 28 | value


def _evt2(*words: int, head: bytes = _EVT2) -> bytes:
    return head + np.array(words, "<u4").tobytes()


_EVT2_CASES = [
    DirtyFile("evt2-clean", _evt2(_high2(1), _cd(2, 3, 4, 1), _cd(5, 6, 7, 0)), [(66, 3, 4, 1), (69, 6, 7, 0)]),
    DirtyFile("evt2-no-words", _EVT2, []),
    DirtyFile("evt2-time-alone", _evt2(_high2(1), _high2(2)), []),
    DirtyFile(
        "evt2-begins-mid-stream",
        _evt2(_cd(1, 1, 1, 1), _cd(2, 1, 1, 1), _high2(9), _cd(3, 1, 1, 1)),
        [(579, 1, 1, 1)],
        {"before_time_dropped": 2},
    ),
    DirtyFile(
        "evt2-counter-overflow",
        _evt2(_high2(2**28 - 1), _cd(63, 0, 0, 0), _high2(0), _cd(1, 0, 0, 0)),
        [(2**34 - 1, 0, 0, 0), (2**34 + 1, 0, 0, 0)],
        {"time_wraps": 1},
    ),
    DirtyFile(
        "evt2-time-steps-back",
        _evt2(_high2(5), _cd(0, 0, 0, 0), _high2(4), _cd(1, 1, 0, 0), _high2(5), _cd(2, 2, 0, 0)),
        [(320, 0, 0, 0), (320, 1, 0, 0), (322, 2, 0, 0)],
        {"backward_clamped": 1},
    ),
    DirtyFile(
        "evt2-low-bits-step-back",
        _evt2(_high2(0), _cd(9, 0, 0, 0), _cd(8, 1, 0, 0)),
        [(9, 0, 0, 0), (9, 1, 0, 0)],
        {"backward_clamped": 1},
    ),
    DirtyFile(
        "evt2-outside",
        _evt2(_high2(0), _cd(1, 304, 0, 0), _cd(2, 0, 240, 0), _cd(3, 303, 239, 1)),
        [(3, 303, 239, 1)],
        {"out_of_range_dropped": 2},
    ),
    DirtyFile(
        "evt2-triggers-between-events",
        _evt2(_high2(0), 0xA << 28 | 1 << 22 | 1, _cd(2, 1, 1, 0), 0xA << 28 | 3 << 22),
        [(2, 1, 1, 0)],
        {"trigger_words": 2},
    ),
    DirtyFile(
        "evt2-vendor-words",
        _evt2(_high2(0), 0xD << 28, 0xE << 28 | 7, 0xF << 28 | 9, _cd(1, 1, 1, 1)),
        [(1, 1, 1, 1)],
        {"skipped_words": 3},
    ),
    DirtyFile(
        "evt2-undefined-words",
        _evt2(_high2(0), *(kind << 28 for kind in (2, 3, 4, 5, 6, 7, 9, 0xB, 0xC)), _cd(1, 1, 1, 1)),
        [(1, 1, 1, 1)],
        {"unknown_words": 9},
    ),
    DirtyFile(
        "evt2-trailing-bytes", _evt2(_high2(0), _cd(1, 1, 1, 1)) + b"\x00\x00\x00", [(1, 1, 1, 1)],
        {"trailing_bytes": 3},
    ),
    DirtyFile(
        "evt2-repeat", _evt2(_high2(0), _cd(1, 1, 1, 1), _cd(1, 1, 1, 1)), [(1, 1, 1, 1), (1, 1, 1, 1)],
        {"duplicates_kept": 1},
    ),
    DirtyFile(
        # Words of zeros are OFF events of pixel (0, 0) with low bits 0.
        "evt2-zeros-at-the-end",
        _evt2(_high2(1), _cd(1, 1, 1, 1), 0, 0),
        [(65, 1, 1, 1), (65, 0, 0, 0), (65, 0, 0, 0)],
        {"backward_clamped": 2, "duplicates_kept": 1},
    ),
    DirtyFile(
        "evt2-size-by-the-camera",
        _evt2(_high2(0), _cd(1, 639, 479, 1), _cd(2, 640, 0, 1), head=b"% evt 2.0\n% plugin_name hal_gen3_fx3\n"),
        [(1, 639, 479, 1)],
        {"out_of_range_dropped": 1},
    ),
    DirtyFile("evt2-no-size-anywhere", _evt2(head=b"% evt 2.0\n% end\n"), error="sensor size is not in the header"),
]  # fmt: skip


# EVT 3.0: 16-bit words with memory. A TIME_HIGH of n stands for n * 4096 us.
_EVT3 = b"% evt 3.0\n% format EVT3;height=240;width=304\n% end\n"


def _evt3(*words: int, head: bytes = _EVT3) -> bytes:
    return head + np.array(words, "<u2").tobytes()


def _y(row: int) -> int:
    return row


def _x(column: int, p: int = 0) -> int:
    return 0x2000 | p << 11 | column


def _base(column: int, p: int = 0) -> int:
    return 0x3000 | p << 11 | column


def _low(value: int) -> int:
    return 0x6000 | value


def _high3(value: int) -> int:
    return 0x8000 | value


_EVT3_CASES = [
    DirtyFile(
        "evt3-clean",
        _evt3(_high3(1), _low(2), _y(3), _x(4, 1), _base(8), 0x4003, 0x5001),
        [(4098, 4, 3, 1), (4098, 8, 3, 0), (4098, 9, 3, 0), (4098, 20, 3, 0)],
    ),
    DirtyFile("evt3-no-words", _EVT3, []),
    DirtyFile(
        "evt3-begins-mid-stream",
        _evt3(_low(7), _y(1), _x(1), _base(0), 0x4FFF, _high3(1), _x(2)),
        [(4096, 2, 1, 0)],
        {"before_time_dropped": 13},
    ),
    DirtyFile(
        "evt3-counter-overflow",
        _evt3(_high3(4095), _low(4095), _x(0), _high3(0), _low(1), _x(0)),
        [(2**24 - 1, 0, 0, 0), (2**24 + 1, 0, 0, 0)],
        {"time_wraps": 1},
    ),
    DirtyFile(
        "evt3-late-word-across-the-overflow",
        _evt3(_high3(4095), _x(0), _high3(0), _x(1), _high3(4095), _x(2), _high3(0), _x(3)),
        [(4095 << 12, 0, 0, 0), (1 << 24, 1, 0, 0), (1 << 24, 2, 0, 0), (1 << 24, 3, 0, 0)],
        {"time_wraps": 1, "backward_clamped": 1},
    ),
    DirtyFile(
        # What real sensors do every millisecond, and what some readers take for an overflow.
        "evt3-low-bits-step-back",
        _evt3(_high3(0), _low(811), _x(0), _low(800), _x(1), _low(812), _x(2)),
        [(811, 0, 0, 0), (811, 1, 0, 0), (812, 2, 0, 0)],
        {"backward_clamped": 1},
    ),
    DirtyFile(
        "evt3-time-high-repeated",
        _evt3(_high3(3), _low(5), _high3(3), _x(0), _high3(3), _x(1)),
        [(3 * 4096 + 5, 0, 0, 0), (3 * 4096 + 5, 1, 0, 0)],
    ),
    DirtyFile(
        # Columns 300 to 311 of a 304-column sensor: eight pixels of the vector do not exist.
        "evt3-vector-over-the-edge",
        _evt3(_high3(0), _base(300, 1), 0x4FFF),
        [(0, 300, 0, 1), (0, 301, 0, 1), (0, 302, 0, 1), (0, 303, 0, 1)],
        {"out_of_range_dropped": 8},
    ),
    DirtyFile("evt3-row-outside", _evt3(_high3(0), _y(240), _x(0), 0x5003), [], {"out_of_range_dropped": 3}),
    DirtyFile(
        "evt3-triggers-between-events",
        _evt3(_high3(0), 0xA101, _x(0), 0xA100, 0xAF01),
        [(0, 0, 0, 0)],
        {"trigger_words": 3},
    ),
    DirtyFile(
        "evt3-padding-and-vendor-words",
        _evt3(0x9999, _high3(0), 0x9999, 0x7001, 0xD000, 0xE000, 0xF123, _x(0)),
        [(0, 0, 0, 0)],
        {"skipped_words": 6},
    ),
    DirtyFile(
        "evt3-undefined-words",
        _evt3(_high3(0), 0x1000, 0x9000, 0xB000, 0xC000, _x(0)),
        [(0, 0, 0, 0)],
        {"unknown_words": 4},
    ),
    DirtyFile("evt3-trailing-byte", _evt3(_high3(0), _x(0)) + b"\x01", [(0, 0, 0, 0)], {"trailing_bytes": 1}),
    DirtyFile(
        "evt3-repeat-by-vector",
        _evt3(_high3(0), _x(5), _base(5), 0x4001),
        [(0, 5, 0, 0), (0, 5, 0, 0)],
        {"duplicates_kept": 1},
    ),
    # Zeros are ADDR_Y words of row 0: they say nothing.
    DirtyFile("evt3-zeros-at-the-end", _evt3(_high3(0), _y(9), _x(1), 0, 0, 0), [(0, 1, 9, 0)]),
    DirtyFile(
        "evt3-old-header",
        _evt3(_high3(0), _x(1279), _x(1280), head=b"% evt 3.0\n% sensor_name IMX636\n"),
        [(0, 1279, 0, 0)],
        {"out_of_range_dropped": 1},
    ),
    DirtyFile(
        "evt3-big-endian",
        _evt3(head=b"% format EVT3;height=240;width=304;endianness=big\n% end\n"),
        error="words must be little-endian, got 'big'",
    ),
    DirtyFile(
        "evt3-size-in-words", _evt3(head=b"% format EVT3;height=x;width=y\n% end\n"), error="sensor size must look like"
    ),
]


# Text and NumPy files, which follow no standard.
def _npy(values: list[tuple[float, ...]], fields: list[tuple[str, str]]) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(values, fields))
    return file.getvalue()


_FIELDS = [("x", "<i2"), ("y", "<i2"), ("polarity", "?"), ("timestamp", "<i8")]

_COLUMN_CASES = [
    DirtyFile("csv-clean", b"# 304x240\nt,x,y,p\n10,1,2,0\n20,300,4,1\n", [_A, _B], suffix=".csv"),
    DirtyFile(
        "csv-named-in-another-order", b"x;y;p;ts\n1;2;0;10\n300;4;1;20\n", [_A, _B], suffix=".csv", sensor_size=_GEN1
    ),
    DirtyFile("txt-in-seconds", b"304 240\n0.000010 1 2 0\n0.000020 300 4 1\n", [_A, _B], suffix=".txt"),
    DirtyFile("txt-windows-lines-and-blank-ones", b"10\t1\t2\t0\r\n\r\n20\t300\t4\t1", [_A, _B], sensor_size=_GEN1),
    DirtyFile("csv-signed-polarity", b"# 304x240\n10,1,2,-1\n20,300,4,1\n", [_A, _B]),
    DirtyFile("csv-no-events", b"# 304x240\nt,x,y,p\n", []),
    DirtyFile(
        "csv-lines-that-are-no-events",
        b"# 304x240\n10,1,2,0\nhello\n1,2\n20,300,4,nan\n20,300,4,1\n",
        [_A, _B],
        {"unknown_words": 3},
    ),
    DirtyFile("csv-polarity-beyond-one", b"# 304x240\n10,1,2,-7\n20,300,4,2\n", [_A, _B], {"polarity_repaired": 2}),
    DirtyFile(
        "csv-outside-the-sensor",
        b"# 304x240\n10,1,2,0\n11,-1,0,0\n12,304,0,0\n13,0,99999,0\n",
        [_A],
        {"out_of_range_dropped": 3},
    ),
    DirtyFile(
        "csv-time-before-zero-and-back",
        b"# 304x240\n-5,1,2,0\n20,300,4,1\n10,1,2,0\n",
        [(0, 1, 2, 0), _B, (20, 1, 2, 0)],
        {"backward_clamped": 2},
    ),
    DirtyFile("csv-no-size-anywhere", b"t,x,y,p\n10,1,2,0\n", error="sensor size is not in the header"),
    DirtyFile("csv-names-of-something-else", b"name,age\nAda,36\n", error="unknown format"),
    DirtyFile("npy-clean", _npy([(1, 2, False, 10), (300, 4, True, 20)], _FIELDS), [_A, _B], sensor_size=_GEN1),
    DirtyFile(
        "npy-step-back-outside-and-repeat",
        _npy([(300, 4, True, 20), (1, 2, False, 10), (-3, 0, True, 21), (1, 2, False, 20)], _FIELDS),
        [_B, (20, 1, 2, 0), (20, 1, 2, 0)],
        {"backward_clamped": 1, "out_of_range_dropped": 1, "duplicates_kept": 1},
        sensor_size=_GEN1,
    ),
    DirtyFile(
        "npy-cut", _npy([(1, 2, False, 10)], _FIELDS)[:-1], error="cut, 1 of its rows are left", sensor_size=_GEN1
    ),
    DirtyFile("npy-of-labels", _npy([(1.0, 2.0)], [("x", "<f4"), ("w", "<f4")]), error="no events", sensor_size=_GEN1),
]

CASES = [*_DAT_CASES, *_EVT2_CASES, *_EVT3_CASES, *_COLUMN_CASES]
