"""Slots of the state array that every decoding kernel carries from one call to the next.

One ``int64`` array holds it all, because a kernel cannot keep objects: the first slots are common to the formats,
the last ones belong to the stream formats EVT2 and EVT3.
"""

__all__ = [
    "BACKWARD",
    "BAD_POLARITY",
    "BASE_X",
    "BEFORE_TIME",
    "CLOCK",
    "EPOCH",
    "FAULT_KIND",
    "FAULT_RECORD",
    "HELD",
    "HIGH",
    "IS_LAST",
    "LEAPT",
    "LIMITS",
    "NUM_HELD",
    "NUM_SLOTS",
    "OUT_OF_RANGE",
    "POLARITY",
    "SKIPPED",
    "STAMP",
    "TRIGGERS",
    "UNKNOWN",
    "WRAPS",
    "Y",
]

CLOCK = 0
"""Running maximum of the stamps, microseconds: what an event that steps back is raised to."""

BACKWARD = 1
OUT_OF_RANGE = 2
BEFORE_TIME = 3
UNKNOWN = 4
"""These four count repairs; each is also the value of FAULT_KIND when it was the first repair of a call."""

WRAPS = 5
SKIPPED = 6
TRIGGERS = 7
"""These three count what is legal."""

FAULT_RECORD = 8
"""Index of the first record of the call that needed a repair, -1 when none did."""

FAULT_KIND = 9

HIGH = 10
"""Last TIME_HIGH value, -1 before the first."""

EPOCH = 11
"""Microseconds that earlier overflows of TIME_HIGH amount to."""

STAMP = 12
"""Stamp in force as the stream gives it, before it is raised to CLOCK."""

Y = 13
BASE_X = 14
POLARITY = 15

BAD_POLARITY = 16
"""Counts repairs, as the first four do."""

HELD = 17
"""Bytes of an event that spans records and is not whole yet, lowest first."""

NUM_HELD = 18
"""How many bytes of HELD count; at the end of a file they are what is left of a cut event."""

LEAPT = 19
"""Counts repairs, as the first four do."""

IS_LAST = 20
"""1 when nothing comes after the records of the call, so that none can wait for those that follow it."""

NUM_SLOTS = 21

_TIME = (0, (1 << 63) - 1)
_NO_COUNT = (0, 0)
LIMITS = (
    _TIME, *(_NO_COUNT,) * 9, (-1, 1 << 28), _TIME, _TIME, (0, 1 << 14), (0, 1 << 40), (0, 1), _NO_COUNT,
    (0, (1 << 40) - 1), (0, 4), _NO_COUNT, _NO_COUNT,
)  # fmt: skip
"""Lowest and highest value of each slot of `eventdet.formats.decoder.Decoder.snapshot`.

Kernels take a state as it is. One that was kept in a file is held against these: a row below zero would pass their
test for rows of the sensor, and more than four held bytes would never become an event.
"""
