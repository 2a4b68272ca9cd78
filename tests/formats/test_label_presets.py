"""Label presets: each rule at its edge, and the count of what it dropped."""

import pytest

from eventdet.boxes import Boxes
from eventdet.formats.label_presets import LABEL_PRESETS
from eventdet.geometry import GEN1

# x, y, w, h: 18 * 24 has the diagonal 30; 28 * 10 has 29.7; 40 * 9 is low; 274 is more than 9 * 304 // 10 = 273.
_XYWH = [
    [0, 0, 18, 24],
    [0, 0, 28, 10],
    [0, 0, 40, 9],
    [0, 0, 274, 40],
    [0, 0, 273, 40],
    [-5, 0, 30, 40],
    [310, 0, 9, 9],
]


@pytest.mark.parametrize(
    ("name", "training", "kept", "dropped"),
    [
        ("none", True, [0, 1, 2, 3, 4, 5, 6], {}),
        # The last two stand partly and wholly off the sensor, which only a crop sees.
        ("prophesee", True, [0, 3, 4, 5], {"small": 3}),
        ("rvt", True, [0, 4, 5], {"small": 2, "wide": 1, "outside": 1}),
        ("rvt", False, [0, 3, 4, 5], {"small": 2, "outside": 1}),
        ("rvt-1mpx", False, [0, 1, 2, 3, 4, 5], {"outside": 1}),
        ("side20", True, [3, 4, 5], {"small": 4}),
    ],
    ids=["none", "prophesee", "rvt training", "rvt testing", "rvt-1mpx", "side20"],
)
def test_preset_keeps_what_its_rules_allow_and_counts_the_rest(
    name: str, training: bool, kept: list[int], dropped: dict[str, int]
) -> None:
    boxes = Boxes.from_xywh(_XYWH, t=500_001, track_id=list(range(7)))
    got, counts = LABEL_PRESETS[name].apply(boxes, GEN1, training=training)
    assert got.track_id.tolist() == kept
    assert counts == dropped


def test_prophesee_skips_the_first_half_second_and_its_last_microsecond() -> None:
    boxes = Boxes.from_xywh([[0, 0, 40, 40]] * 2, t=[500_000, 500_001])
    got, counts = LABEL_PRESETS["prophesee"].apply(boxes, GEN1)
    assert got.t.tolist() == [500_001]
    assert counts == {"early": 1}


def test_boxes_without_rules_may_stand_at_any_time() -> None:
    assert len(LABEL_PRESETS["none"].apply(Boxes.from_xywh([[0, 0, 1, 1]], t=-5), GEN1)[0]) == 1


def test_rvt_crops_to_the_last_column_and_row_before_it_measures() -> None:
    # 30 wide and 40 high, of which columns 290 to 303 and rows 200 to 239 are left, 13 and 39 in RVT's measure.
    boxes = Boxes.from_xywh([[290, 200, 30, 45]])
    got, _ = LABEL_PRESETS["rvt"].apply(boxes, GEN1)
    assert got.xywh.tolist() == [[290, 200, 13, 39]]
    assert boxes.xywh.tolist() == [[290, 200, 30, 45]]


def test_1_mpx_of_rvt_keeps_its_first_three_classes() -> None:
    boxes = Boxes.from_xywh([[0, 0, 40, 40]] * 4, class_id=[0, 2, 3, 6])
    got, counts = LABEL_PRESETS["rvt-1mpx"].apply(boxes, GEN1)
    assert got.class_id.tolist() == [0, 2]
    assert counts == {"class": 2}


@pytest.mark.parametrize("name", LABEL_PRESETS)
def test_no_boxes_stay_no_boxes(name: str) -> None:
    got, counts = LABEL_PRESETS[name].apply(Boxes.empty(), GEN1, training=True)
    assert (len(got), counts) == (0, {})
