import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.evaluation import Results, boxes_at


def _results(stamps: list[int], *, latency_us: int | None = None, empty: tuple[int, ...] = ()) -> Results:
    """Return results with one box each, but for the stamps in `empty`."""
    boxed = [stamp for stamp in stamps if stamp not in empty]
    latency = None if latency_us is None else np.full(len(stamps), latency_us)
    return Results(Boxes.from_xyxy([[0, 0, 9, 9]] * len(boxed), t=boxed), np.array(stamps, np.int64), latency)


def _stamps(results: Results, label_us: int, *, matching: str, tolerance_us: int | None = None) -> list[int]:
    found, _ = boxes_at(results, np.array([label_us]), matching=matching, tolerance_us=tolerance_us)
    return [int(stamp) for stamp in found[0].t]


def test_exact_takes_results_of_the_very_stamp_alone() -> None:
    results = _results([100, 200, 300])
    assert _stamps(results, 200, matching="exact") == [200]
    assert _stamps(results, 201, matching="exact") == []


def test_all_in_window_takes_both_edges_of_the_tolerance() -> None:
    results = _results([100, 149, 150, 200, 250, 251])
    assert _stamps(results, 200, matching="all-in-window", tolerance_us=50) == [150, 200, 250]


def test_newest_before_takes_a_result_at_the_label_and_none_after_it() -> None:
    results = _results([100, 200, 300])
    assert _stamps(results, 300, matching="newest-before") == [300]
    assert _stamps(results, 299, matching="newest-before") == [200]
    assert _stamps(results, 99, matching="newest-before") == []


def test_newest_before_takes_an_empty_result_rather_than_an_older_one() -> None:
    assert _stamps(_results([100, 200], empty=(200,)), 250, matching="newest-before") == []


def test_newest_before_with_a_tolerance_drops_what_has_expired() -> None:
    results = _results([100])
    assert _stamps(results, 150, matching="newest-before", tolerance_us=50) == [100]
    assert _stamps(results, 151, matching="newest-before", tolerance_us=50) == []


def test_latency_keeps_back_what_was_not_finished() -> None:
    results = _results([100, 200], latency_us=30)
    assert _stamps(results, 229, matching="newest-before") == [100]
    assert _stamps(results, 230, matching="newest-before") == [200]


def test_a_late_result_holds_up_those_behind_it() -> None:
    boxes = Boxes.from_xyxy([[0, 0, 9, 9]] * 2, t=[100, 200])
    results = Results(boxes, np.array([100, 200]), np.array([500, 10]))
    # The first is there at 600, and the second not before it.
    assert _stamps(results, 599, matching="newest-before") == []
    assert _stamps(results, 600, matching="newest-before") == [200]


@pytest.mark.parametrize(
    ("matching", "tolerance_us", "without"),
    [("exact", None, 2), ("all-in-window", 50, 1), ("newest-before", None, 1), ("newest-before", 25, 2)],
)
def test_label_times_without_a_result_are_counted(matching: str, tolerance_us: int | None, without: int) -> None:
    labels = np.array([50, 150, 200])
    results = _results([200]) if matching == "exact" else _results([120, 180])
    assert boxes_at(results, labels, matching=matching, tolerance_us=tolerance_us)[1] == without


def test_results_of_boxes_are_sorted_by_time() -> None:
    results = Results.of_boxes(Boxes.from_xyxy([[0, 0, 1, 1]] * 3, t=[300, 100, 300], score=[0.1, 0.2, 0.3]))
    assert results.t_us.tolist() == [100, 300]
    assert results.at(300).score.tolist() == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(
    ("matching", "tolerance_us", "message"),
    [
        ("nearest", None, "matching must be one of exact, all-in-window, newest-before"),
        ("all-in-window", None, "needs a tolerance"),
        ("newest-before", -1, "tolerance_us must be >= 0, got -1"),
    ],
)
def test_a_matching_out_of_its_rules_is_refused(matching: str, tolerance_us: int | None, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        boxes_at(_results([100]), np.array([100]), matching=matching, tolerance_us=tolerance_us)


@pytest.mark.parametrize(
    ("t_us", "boxes_t", "latency"),
    [([200, 100], [], None), ([100, 100], [], None), ([100], [200], None), ([100], [100], [1, 2])],
    ids=["falling", "repeated", "foreign box", "too many latencies"],
)
def test_results_that_contradict_themselves_are_refused(
    t_us: list[int], boxes_t: list[int], latency: list[int] | None
) -> None:
    boxes = Boxes.from_xyxy([[0, 0, 1, 1]] * len(boxes_t), t=boxes_t or 0)
    with pytest.raises(OptionError):
        Results(boxes, np.array(t_us), None if latency is None else np.array(latency))


@given(
    st.lists(st.integers(0, 40), unique=True, max_size=12).map(sorted),
    st.lists(st.integers(0, 40), max_size=6),
    st.integers(0, 10),
)
def test_any_stamps_match_as_plain_loops_say(stamps: list[int], labels: list[int], tolerance_us: int) -> None:
    results = _results(stamps)
    for label in labels:
        near = [stamp for stamp in stamps if abs(stamp - label) <= tolerance_us]
        newest = [stamp for stamp in stamps if label - tolerance_us <= stamp <= label][-1:]
        assert _stamps(results, label, matching="all-in-window", tolerance_us=tolerance_us) == near
        assert _stamps(results, label, matching="newest-before", tolerance_us=tolerance_us) == newest
        assert _stamps(results, label, matching="exact") == [stamp for stamp in stamps if stamp == label]
