"""Decoders written straight from the format descriptions, one event at a time: the plain references of the kernels."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from eventdet.events import Events

Row: TypeAlias = tuple[int, int, int, int]


@dataclass
class Decoded:
    rows: list[Row] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


def rows(events: Events) -> list[Row]:
    return list(zip(*(column.tolist() for column in events), strict=True))


def random_events(
    num_events: int, *, width: int = 304, height: int = 240, last_us: int = 100_000, seed: int = 0
) -> Events:
    generator = np.random.default_rng(seed)
    return Events.from_columns(
        t=np.sort(generator.integers(0, last_us + 1, num_events)),
        x=generator.integers(0, width, num_events),
        y=generator.integers(0, height, num_events),
        p=generator.integers(0, 2, num_events),
    )


def dat_stamp(raw: int, clock: int) -> int:
    epoch, low = divmod(clock, 2**32)
    if raw < low - 2**31:
        epoch += 1
    elif raw > low + 2**31 and epoch > 0:
        epoch -= 1
    return epoch * 2**32 + raw


def leap_is_confirmed(stamp: int, clock: int, following: list[int]) -> bool:
    """Tell whether half of the stamps behind a leap of more than 10 s come after it on the circle of the counter."""
    confirming = 0
    for raw in following:
        never_steps_back = clock % 2**32 <= stamp % 2**32 <= raw
        # Either may be late: the circle begins 10 s before the clock, and 10 s before the leap suffices.
        forward = (raw - (clock - 10_000_000)) % 2**32
        confirming += never_steps_back or forward >= stamp - clock
    return 2 * confirming >= len(following)


def decode_dat(records: list[tuple[int, int]], width: int, height: int) -> Decoded:
    """`records` are pairs of the stamp and the packed word."""
    out = Decoded()
    clock = 0

    def is_on_sensor(word: int) -> bool:
        return word % 2**14 < width and word // 2**14 % 2**14 < height

    for number, (raw, word) in enumerate(records, 1):
        x, y, p = word % 2**14, word // 2**14 % 2**14, word // 2**28 % 2
        if not is_on_sensor(word):
            out.counts["out_of_range_dropped"] += 1
            continue
        stamp = dat_stamp(raw, clock)
        following = [later for later, other in records[number : number + 8] if is_on_sensor(other)]
        if stamp > clock + 10_000_000 and not leap_is_confirmed(stamp, clock, following):
            out.counts["time_jump_dropped"] += 1
            continue
        if stamp < clock:
            out.counts["backward_clamped"] += 1
            stamp = clock
        if stamp // 2**32 > clock // 2**32:
            out.counts["time_wraps"] += 1
        out.counts["polarity_repaired"] += word // 2**28 > 1
        clock = stamp
        out.rows.append((clock, x, y, p))
    return out


def decode_evt2(words: list[int], width: int, height: int) -> Decoded:
    out = Decoded()
    clock, high, epoch = 0, -1, 0
    for word in words:
        kind = word // 2**28
        if kind in (0, 1):
            x, y = word // 2**11 % 2**11, word % 2**11
            if high < 0:
                out.counts["before_time_dropped"] += 1
            elif x >= width or y >= height:
                out.counts["out_of_range_dropped"] += 1
            else:
                stamp = epoch * 2**34 + high * 64 + word // 2**22 % 64
                out.counts["backward_clamped"] += stamp < clock
                clock = max(clock, stamp)
                out.rows.append((clock, x, y, kind))
        elif kind == 8:
            new = word % 2**28
            if high >= new + 2**27:
                epoch += 1
                out.counts["time_wraps"] += 1
            elif new >= high + 2**27 and epoch > 0:
                epoch -= 1
                out.counts["time_wraps"] -= 1
            high = new
        else:
            out.counts[{10: "trigger_words", 13: "skipped_words", 14: "skipped_words", 15: "skipped_words"}.get(
                kind, "unknown_words"
            )] += 1  # fmt: skip
    return out


def decode_evt3(words: list[int], width: int, height: int) -> Decoded:
    out = Decoded()
    clock, high, low, loop = 0, -1, 0, 0
    y = x = p = 0
    for word in words:
        kind, value = word // 2**12, word % 2**12
        columns: list[int] = []
        if kind == 0:
            y = value % 2**11
        elif kind in (2, 3):
            x, p = value % 2**11, value // 2**11
            columns = [x] if kind == 2 else []
        elif kind in (4, 5):
            bits = 12 if kind == 4 else 8
            columns = [x + bit for bit in range(bits) if value >> bit & 1]
            x += bits
        elif kind == 6:
            low = value
        elif kind == 8 and value != high:
            if high >= value + 2048:
                loop += 1
                out.counts["time_wraps"] += 1
            elif value >= high + 4080 and loop > 0:
                loop -= 1
                out.counts["time_wraps"] -= 1
            high, low = value, 0
        elif kind == 10:
            out.counts["trigger_words"] += 1
        elif kind in (7, 13, 14, 15) or word == 0x9999:
            out.counts["skipped_words"] += 1
        elif kind != 8:
            out.counts["unknown_words"] += 1
        stamp = (loop * 4096 + high) * 4096 + low
        if high >= 0:
            clock = max(clock, stamp)
        for column in columns:
            if high < 0:
                out.counts["before_time_dropped"] += 1
            elif column >= width or y >= height:
                out.counts["out_of_range_dropped"] += 1
            else:
                out.counts["backward_clamped"] += stamp < clock
                out.rows.append((clock, column, y, p))
    return out
