"""Files that are not as they should be, built word by word, each with the events and counts that it must give.

What is expected is written out by hand from the format descriptions, never taken from a reader.
"""

import io

import numpy as np

from eventdet.geometry import SensorSize

from . import dirty_evt
from .dirty_file import DirtyFile
from .reference import Row

__all__ = ["CASES"]


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

CASES = [*_DAT_CASES, *dirty_evt.CASES, *_COLUMN_CASES]
