"""Plain references of the binary formats beside DAT, EVT2 and EVT3, written from their descriptions."""

from .reference import Decoded


def admit(out: Decoded, clock: int, event: tuple[int, int, int, int], width: int, height: int) -> int:
    """Append one event unless it is off the sensor; return the running maximum of the stamps."""
    stamp, x, y, p = event
    if not (0 <= x < width and 0 <= y < height):
        out.counts["out_of_range_dropped"] += 1
        return clock
    out.counts["backward_clamped"] += stamp < clock
    clock = max(clock, stamp)
    out.rows.append((clock, x, y, p))
    return clock


class _HighTime:
    """The 28 bits of TIME_HIGH that EVT 2.1 and 4.0 share with EVT 2.0."""

    def __init__(self, out: Decoded) -> None:
        self.out, self.high, self.epoch = out, -1, 0

    def take(self, high: int) -> None:
        if self.high >= high + 2**27:
            self.epoch += 1
            self.out.counts["time_wraps"] += 1
        elif high >= self.high + 2**27 and self.epoch > 0:
            self.epoch -= 1
            self.out.counts["time_wraps"] -= 1
        self.high = high

    def stamp(self, low: int) -> int:
        return self.epoch * 2**34 + self.high * 64 + low


def _admit_mask(
    out: Decoded, clock: int, time: _HighTime, upper: int, mask: int, *, width: int, height: int, p: int
) -> int:
    x, y = upper // 2**11 % 2**11, upper % 2**11
    for bit in range(32):
        if not mask >> bit & 1:
            continue
        if time.high < 0:
            out.counts["before_time_dropped"] += 1
        else:
            clock = admit(out, clock, (time.stamp(upper // 2**22 % 64), x + bit, y, p), width, height)
    return clock


def decode_evt21(words: list[int], width: int, height: int) -> Decoded:
    out = Decoded()
    time = _HighTime(out)
    clock = 0
    for word in words:
        upper, mask = divmod(word, 2**32)
        kind = upper // 2**28
        if kind in (0, 1):
            clock = _admit_mask(out, clock, time, upper, mask, width=width, height=height, p=kind)
        elif kind == 8:
            time.take(upper % 2**28)
        else:
            out.counts[{10: "trigger_words", 14: "skipped_words", 15: "skipped_words"}.get(kind, "unknown_words")] += 1
    return out


def decode_evt4(words: list[int], width: int, height: int) -> Decoded:
    out = Decoded()
    time = _HighTime(out)
    clock = 0
    names = {9: "trigger_words", 6: "skipped_words", 7: "skipped_words", 15: "skipped_words"}
    rest = iter(words)
    for word in rest:
        kind = word // 2**28
        if kind in (10, 11, 12, 13):
            mask = 1 if kind < 12 else next(rest, None)
            if mask is None:
                out.counts["trailing_bytes"] += 4
                break
            clock = _admit_mask(out, clock, time, word, mask, width=width, height=height, p=kind % 2)
        elif kind == 14:
            time.take(word % 2**28)
        else:
            out.counts[names.get(kind, "unknown_words")] += 1
    return out


def decode_es(data: bytes, width: int, height: int) -> Decoded:
    out = Decoded()
    stamp = clock = i = 0
    while i < len(data):
        if data[i] in (0xFE, 0xFF):
            stamp += 127 if data[i] == 0xFF else 0
            out.counts["skipped_words"] += data[i] == 0xFE
            i += 1
            continue
        event = data[i : i + 5]
        i += 5
        if len(event) < 5:
            out.counts["trailing_bytes"] += len(event)
            break
        stamp += event[0] // 2
        x, y = event[1] + 256 * event[2], event[3] + 256 * event[4]
        clock = admit(out, clock, (stamp, x, height - 1 - y, event[0] % 2), width, height)
    return out


def decode_aer40(data: bytes, width: int, height: int) -> Decoded:
    out = Decoded()
    clock = marks = 0
    for start in range(0, len(data), 5):
        event = data[start : start + 5]
        if len(event) < 5:
            out.counts["trailing_bytes"] += len(event)
        elif event[1] == 240:
            marks += 1
            out.counts["time_wraps"] += 1
        else:
            stamp = marks * 8192 + event[2] % 128 * 65536 + event[3] * 256 + event[4]
            clock = admit(out, clock, (stamp, event[0], event[1], event[2] // 128), width, height)
    return out


def decode_aedat2(records: list[tuple[int, int]], width: int, height: int, *, davis: bool) -> Decoded:
    """`records` are pairs of address and stamp."""
    out = Decoded()
    clock = 0
    for address, raw in records:
        if davis and address >> 31:
            out.counts["skipped_words"] += 1
            continue
        if address >> (10 if davis else 15) & 1:
            out.counts["trigger_words"] += 1
            continue
        x, y, p = (
            (address >> 12 & 1023, address >> 22 & 511, address >> 11 & 1)
            if davis
            else (address >> 1 & 127, address >> 8 & 127, address & 1)
        )
        epoch, low = divmod(clock, 2**32)
        if raw < low - 2**31:
            epoch += 1
        elif raw > low + 2**31 and epoch > 0:
            epoch -= 1
        before = clock
        clock = admit(out, clock, (epoch * 2**32 + raw, x, height - 1 - y, p), width, height)
        out.counts["time_wraps"] += clock // 2**32 > before // 2**32
    return out
