"""Dirty files of EVT 2.0 and EVT 3.0, as in `dirty_corpus`."""

import numpy as np

from .dirty_file import DirtyFile

__all__ = ["CASES"]


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

CASES = [*_EVT2_CASES, *_EVT3_CASES]
