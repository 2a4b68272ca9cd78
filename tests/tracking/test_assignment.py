from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from eventdet.errors import OptionError
from eventdet.tracking import assign

GAINS = arrays(
    np.float64,
    array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=6),
    elements=st.one_of(st.floats(-1, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0])),
)


def plain_best(gain: NDArray[np.float64]) -> float:
    """Try every way of giving rows different columns; leaving a row out is a column that is worth nothing."""
    worth = np.hstack([np.maximum(gain, 0), np.zeros((len(gain), len(gain)))])
    return max(
        sum(float(worth[row, column]) for row, column in enumerate(order))
        for order in permutations(range(worth.shape[1]), len(gain))
    )


@given(GAINS.filter(lambda gain: len(gain) <= 3 and gain.shape[1] <= 4))
def test_assign_gains_as_much_as_the_best_of_all_ways(gain: NDArray[np.float64]) -> None:
    rows, columns = assign(gain)
    assert gain[rows, columns].sum() == pytest.approx(plain_best(gain))


@given(GAINS)
def test_assign_gains_what_scipy_gains(gain: NDArray[np.float64]) -> None:
    scipy = pytest.importorskip("scipy.optimize", reason="SciPy comes with packages of the extra dev")
    worth = np.maximum(gain, 0)
    rows, columns = assign(gain)
    assert worth[rows, columns].sum() == pytest.approx(worth[scipy.linear_sum_assignment(-worth)].sum())
    assert len(set(rows.tolist())) == len(rows) == len(set(columns.tolist()))
    assert (gain[rows, columns] > 0).all()
    assert (np.diff(rows) > 0).all()


def test_assign_of_many_boxes_gains_what_scipy_gains() -> None:
    scipy = pytest.importorskip("scipy.optimize", reason="SciPy comes with packages of the extra dev")
    for shape in ((120, 90), (90, 120)):
        gain = np.random.default_rng(0).uniform(-0.5, 1, shape)
        worth = np.maximum(gain, 0)
        assert gain[assign(gain)].sum() == pytest.approx(worth[scipy.linear_sum_assignment(-worth)].sum())


def test_what_gains_nothing_is_no_pair() -> None:
    rows, columns = assign(np.array([[0.0, -1.0], [0.0, 0.3]]))
    assert (rows.tolist(), columns.tolist()) == ([1], [1])


@pytest.mark.parametrize("gain", [np.zeros(3), np.array([[np.nan]]), np.array([[np.inf, 0.0]])])
def test_gains_that_are_no_finite_table_are_refused(gain: NDArray[np.float64]) -> None:
    with pytest.raises(OptionError, match="gain must be finite"):
        assign(gain)
