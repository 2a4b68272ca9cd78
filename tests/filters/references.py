"""The filters written out one event at a time, on lists and dictionaries: the plain references of the kernels."""

from collections import Counter
from fractions import Fraction
from typing import TypeAlias

from eventdet.events import Events

Row: TypeAlias = tuple[int, int, int, int]


def events_of(rows: list[Row]) -> Events:
    t, x, y, p = zip(*rows, strict=True) if rows else ([], [], [], [])
    return Events.from_columns(t=t, x=x, y=y, p=p)


def rows_of(events: Events) -> list[Row]:
    return list(zip(*(column.tolist() for column in events), strict=True))


def background(rows: list[Row], *, within_us: int) -> list[Row]:
    kept = []
    for index, (t, x, y, _) in enumerate(rows):
        backed = any(
            t - t2 <= within_us and (x2, y2) != (x, y) and abs(x2 - x) <= 1 and abs(y2 - y) <= 1
            for t2, x2, y2, _ in rows[:index]
        )
        if backed:
            kept.append(rows[index])
    return kept


def refractory(rows: list[Row], *, rest_us: int) -> list[Row]:
    last: dict[tuple[int, int], int] = {}
    kept = []
    for row in rows:
        t, x, y, _ = row
        if (x, y) not in last or t - last[x, y] >= rest_us:
            last[x, y] = t
            kept.append(row)
    return kept


def hot_pixels(rows: list[Row], *, limit: int, ratio: int, period_us: int) -> list[Row]:
    counts = Counter((t // period_us, x, y) for t, x, y, _ in rows)

    def is_hot(period: int, x: int, y: int) -> bool:
        own = counts[period, x, y]
        around = sum(counts[period, x + dx, y + dy] for dx in (-1, 0, 1) for dy in (-1, 0, 1)) - own
        return own > limit and Fraction(own) > ratio * Fraction(around, 8)

    return [row for row in rows if not is_hot(row[0] // period_us - 1, row[1], row[2])]


def scale(rows: list[Row], *, size: tuple[int, int], target: tuple[int, int]) -> list[Row]:
    height, width = size
    rows_out = []
    credit: dict[tuple[int, int, int], Fraction] = {}
    for t, x, y, p in rows:
        place = (x * target[1] // width, y * target[0] // height, p)
        credit[place] = credit.get(place, Fraction(0)) + Fraction(target[0] * target[1], height * width)
        if credit[place] >= 1:
            credit[place] -= 1
            rows_out.append((t, *place))
    return rows_out


def rate_limit(rows: list[Row], *, rate: int, burst: int) -> list[Row]:
    content = Fraction(burst)
    last = 0
    kept = []
    for row in rows:
        content = min(content + Fraction((row[0] - last) * rate, 10**6), Fraction(burst))
        last = row[0]
        if content >= 1:
            content -= 1
            kept.append(row)
    return kept
