import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.boxes import Boxes, pairwise_iou
from eventdet.errors import OptionError
from eventdet.geometry import GEN1


def test_xywh_becomes_exclusive_corners_and_back() -> None:
    boxes = Boxes.from_xywh([[10, 20, 30, 40], [0, 0, 5, 5]], t=[1, 2], class_id=[0, 1])
    assert boxes.xyxy.tolist() == [[10, 20, 40, 60], [0, 0, 5, 5]]
    assert boxes.xywh.tolist() == [[10, 20, 30, 40], [0, 0, 5, 5]]


def test_from_xywh_leaves_the_callers_array_alone() -> None:
    given = np.array([[10, 20, 30, 40]], np.float32)
    Boxes.from_xywh(given)
    assert given.tolist() == [[10, 20, 30, 40]]


def test_one_value_stands_for_all_rows() -> None:
    boxes = Boxes.from_xyxy(np.zeros((3, 4)), t=7, class_id=1, score=0.5, track_id=9)
    assert boxes.t.tolist() == [7, 7, 7]
    assert boxes.score.tolist() == [0.5] * 3


def test_at_and_between_choose_by_time() -> None:
    boxes = Boxes.from_xyxy(np.zeros((3, 4)), t=[10, 20, 30])
    assert len(boxes.at(20)) == 1
    assert boxes.between(10, 30).t.tolist() == [10, 20]


def test_clipped_drops_what_lies_outside() -> None:
    boxes = Boxes.from_xyxy([[-5, -5, 10, 10], [300, 230, 400, 400], [305, 0, 310, 10]])
    assert boxes.clipped(GEN1).xyxy.tolist() == [[0, 0, 10, 10], [300, 230, 304, 240]]


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(OptionError, match=r"boxes\.t must be int64 of shape \(2,\)"):
        Boxes.from_xyxy(np.zeros((2, 4)), t=[1, 2, 3])


def test_concatenate_of_nothing_is_empty() -> None:
    assert Boxes.concatenate([]).xyxy.shape == (0, 4)
    assert len(Boxes.concatenate([Boxes.empty(), Boxes.from_xyxy([[0, 0, 1, 1]])])) == 1


@given(
    st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=4),
    st.lists(st.tuples(*[st.integers(0, 12)] * 4), max_size=4),
)
def test_pairwise_iou_counts_pixels(a: list[tuple[int, ...]], b: list[tuple[int, ...]]) -> None:
    def pixels(box: tuple[int, ...]) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box[0], box[2]) for y in range(box[1], box[3])}

    def corners(boxes: list[tuple[int, ...]]) -> NDArray[np.float64]:
        ordered = [(min(x, r), min(y, b), max(x, r), max(y, b)) for x, y, r, b in boxes]
        return np.array(ordered, np.float64).reshape(-1, 4)

    of_a, of_b = corners(a), corners(b)
    expected = np.zeros((len(a), len(b)))
    for row, box in enumerate(of_a.astype(int).tolist()):
        for column, other in enumerate(of_b.astype(int).tolist()):
            union = pixels(box) | pixels(other)
            expected[row, column] = len(pixels(box) & pixels(other)) / len(union) if union else 0.0
    np.testing.assert_allclose(pairwise_iou(of_a, of_b), expected)
