from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import FormatError, InputError, OptionError
from eventdet.events import Events
from eventdet.filters import (
    Background,
    Crop,
    Downsample,
    EventFilter,
    Flip,
    HotPixels,
    Mask,
    Polarity,
    RateLimit,
    Refractory,
    Region,
    Rotate,
    Scale,
    Transpose,
    move_boxes,
    start_filters,
)
from eventdet.geometry import SensorSize

from . import references
from .references import Row, events_of, rows_of

SIZE = SensorSize(4, 5)

event_rows = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 4), st.integers(0, 3), st.integers(0, 1)), max_size=60
).map(lambda rows: sorted(rows, key=lambda row: row[0]))
cuts = st.lists(st.integers(0, 60), max_size=5)

STATEFUL: dict[str, tuple[EventFilter, Callable[[list[Row]], list[Row]]]] = {
    "background": (Background(time_us=7), lambda rows: references.background(rows, within_us=7)),
    "refractory": (Refractory(time_us=5), lambda rows: references.refractory(rows, rest_us=5)),
    "hot": (
        HotPixels(rate=200_000.0, ratio=2, period_us=10),
        lambda rows: references.hot_pixels(rows, limit=2, ratio=2, period_us=10),
    ),
    "downsample": (Downsample(2), lambda rows: references.scale(rows, size=SIZE, target=(2, 2))),
    "scale": (Scale(2, 3), lambda rows: references.scale(rows, size=SIZE, target=(3, 2))),
    "rate": (RateLimit(rate=150_000, burst=3), lambda rows: references.rate_limit(rows, rate=150_000, burst=3)),
}

STATELESS: dict[str, tuple[EventFilter, Callable[[Row], Row | None]]] = {
    "roi": (Region(1, 2, 3, 1), lambda row: row if 1 <= row[1] < 4 and row[2] == 2 else None),
    "roi-over-the-edge": (Region(-2, 2, 9, 9), lambda row: row if row[2] >= 2 else None),
    "polarity-on": (Polarity("on"), lambda row: row if row[3] == 1 else None),
    "polarity-off": (Polarity("off"), lambda row: row if row[3] == 0 else None),
    "crop": (
        Crop(1, 2, 3, 2),
        lambda row: (row[0], row[1] - 1, row[2] - 2, row[3]) if 1 <= row[1] < 4 and row[2] >= 2 else None,
    ),
    "transpose": (Transpose(), lambda row: (row[0], row[2], row[1], row[3])),
    "flip-x": (Flip("x"), lambda row: (row[0], 4 - row[1], row[2], row[3])),
    "flip-y": (Flip("y"), lambda row: (row[0], row[1], 3 - row[2], row[3])),
    # Clockwise: what was the left column, from bottom to top, becomes the top row from left to right.
    "rotate-90": (Rotate(90), lambda row: (row[0], 3 - row[2], row[1], row[3])),
    "rotate-180": (Rotate(180), lambda row: (row[0], 4 - row[1], 3 - row[2], row[3])),
    "rotate-270": (Rotate(270), lambda row: (row[0], row[2], 4 - row[1], row[3])),
}


def run_in_parts(one: EventFilter, rows: list[Row], where: list[int]) -> list[Row]:
    run = start_filters([one], SIZE)
    edges = [0, *sorted(min(cut, len(rows)) for cut in where), len(rows)]
    return [row for start, stop in pairwise(edges) for row in rows_of(run(events_of(rows[start:stop])))]


@pytest.mark.parametrize("name", STATEFUL)
@given(rows=event_rows, where=cuts)
def test_filter_agrees_with_reference_however_cut(name: str, rows: list[Row], where: list[int]) -> None:
    one, reference = STATEFUL[name]
    assert run_in_parts(one, rows, where) == reference(rows)


@pytest.mark.parametrize("name", STATELESS)
@given(rows=event_rows, where=cuts)
def test_filter_of_single_events_agrees_with_its_rule(name: str, rows: list[Row], where: list[int]) -> None:
    one, rule = STATELESS[name]
    expected = [kept for row in rows if (kept := rule(row)) is not None]
    assert run_in_parts(one, rows, where) == expected


@pytest.mark.parametrize("one", [pair[0] for pair in (*STATEFUL.values(), *STATELESS.values())], ids=repr)
def test_filter_keeps_the_rules_of_events(one: EventFilter) -> None:
    generator = np.random.default_rng(3)
    rows = sorted(
        (int(t), int(x), int(y), int(p))
        for t, x, y, p in zip(
            generator.integers(0, 100, 300), generator.integers(0, 5, 300), generator.integers(0, 4, 300),
            generator.integers(0, 2, 300), strict=True,
        )
    )  # fmt: skip
    given_events = events_of(rows)
    for column in given_events:
        column.flags.writeable = False
    passed = start_filters([one], SIZE)(given_events)
    size = one.output_size(SIZE)
    assert rows_of(given_events) == rows
    assert passed.is_sorted()
    assert passed.x.max() < size.width
    assert passed.y.max() < size.height
    assert len(start_filters([one], SIZE)(Events.empty())) == 0


def test_hot_pixel_passes_until_a_period_has_shown_it() -> None:
    # 30 events of one pixel in the first 100 ms, 5 in the second, then a silent period, then 5 again.
    rows = [(1000 * i, 2, 2, 1) for i in range(30)]
    rows += [(100_000 + i, 2, 2, 1) for i in range(5)] + [(300_000 + i, 2, 2, 1) for i in range(5)]
    one = HotPixels(rate=100.0, ratio=10, period_us=100_000)
    assert rows_of(start_filters([one], SIZE)(events_of(rows))) == rows[:30] + rows[35:]


def test_scale_by_half_passes_one_of_four_events() -> None:
    rows = [(t, 0, 0, 1) for t in range(8)]
    scaled = start_filters([Scale(2, 2)], SensorSize(4, 4))(events_of(rows))
    assert rows_of(scaled) == [(3, 0, 0, 1), (7, 0, 0, 1)]


def test_mask_keeps_the_pixels_that_are_not_zero(tmp_path: Path) -> None:
    np.save(tmp_path / "mask.npy", np.arange(20, dtype=np.uint8).reshape(4, 5) % 2)
    rows = [(0, 0, 0, 1), (1, 1, 0, 1), (2, 0, 1, 1), (3, 4, 3, 0)]
    assert run_in_parts(Mask(tmp_path / "mask.npy"), rows, [2]) == [rows[1], rows[2], rows[3]]


def test_mask_that_does_not_fit_or_is_none_raises(tmp_path: Path) -> None:
    np.save(tmp_path / "small.npy", np.zeros((2, 2)))
    np.save(tmp_path / "line.npy", np.zeros(20))
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(OptionError, match=r"mask must be \(4, 5\) like the sensor, got \(2, 2\)"):
        start_filters([Mask(tmp_path / "small.npy")], SIZE)
    with pytest.raises(FormatError, match="one array of two axes"):
        start_filters([Mask(tmp_path / "line.npy")], SIZE)
    with pytest.raises(FormatError, match=r"cannot be read as \.npy"):
        start_filters([Mask(tmp_path / "text.npy")], SIZE)
    with pytest.raises(InputError, match="cannot be read"):
        start_filters([Mask(tmp_path / "none.npy")], SIZE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Background(0), "time_us must be > 0"),
        (lambda: Refractory(-1), "time_us must be > 0"),
        (lambda: HotPixels(ratio=0), "ratio must be > 0"),
        (lambda: HotPixels(rate=float("nan")), "rate must be > 0"),
        (lambda: RateLimit(rate=0.5), "rate must be > 0"),
        (lambda: Refractory(1 << 64), "time_us must be at most 1e\\+12"),
        (lambda: HotPixels(ratio=9 * 10**18), "ratio must be at most 1e\\+12"),
        (lambda: HotPixels(rate=1e12, period_us=10**14), "period_us must be at most 1e\\+12"),
        (lambda: RateLimit(rate=float("inf")), "rate must be"),
        (lambda: Region(0, 0, 0, 5), "w must be > 0"),
        (lambda: Polarity("both"), "keep must be one of on, off"),
        (lambda: Flip("z"), "axis must be one of x, y"),
        (lambda: Rotate(45), "degrees must be one of 90, 180, 270"),
        (lambda: Scale(0, 3), "width must be > 0"),
        (lambda: Scale(6, 3).start(SIZE), "scale must not be larger than the 5x4 sensor"),
        (lambda: Downsample(0), "factor must be > 0"),
        (lambda: Downsample(5).start(SIZE), "downsample factor must not exceed the sides of the 5x4 sensor"),
        (lambda: Crop(3, 0, 3, 1).start(SIZE), "crop must lie on the 5x4 sensor"),
        (lambda: Crop(-1, 0, 3, 1).start(SIZE), "crop must lie on the 5x4 sensor"),
    ],
)
def test_bad_parameters_raise(make: Callable[[], object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize(
    "one",
    [Crop(1, 1, 4, 3), Transpose(), Flip("x"), Flip("y"), Rotate(90), Rotate(180), Rotate(270)],
    ids=repr,
)
def test_boxes_move_with_the_events_inside_them(one: EventFilter) -> None:
    # A box around one pixel holds the event of that pixel, before and after.
    for x, y in [(1, 1), (4, 3), (2, 1)]:
        (_, x_after, y_after, _), = rows_of(one.start(SIZE)(events_of([(0, x, y, 1)])))  # fmt: skip
        moved = one.move_boxes(Boxes.from_xywh([[x, y, 1, 1]], t=5, class_id=1), SIZE)
        assert moved.xyxy.tolist() == [[x_after, y_after, x_after + 1, y_after + 1]]
        assert (moved.t.tolist(), moved.class_id.tolist()) == ([5], [1])


def test_boxes_move_through_filters_in_order() -> None:
    boxes = Boxes.from_xywh([[0, 0, 2, 2], [4, 3, 1, 1]])
    # The crop to the right half of 5x4 leaves 2x4; scaled to 1x2, the second box is half as large.
    moved = move_boxes([Crop(3, 0, 2, 4), Scale(1, 2)], boxes, SIZE)
    assert moved.xyxy.tolist() == [[0.5, 1.5, 1.0, 2.0]]
