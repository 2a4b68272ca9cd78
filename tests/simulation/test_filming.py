"""Any pictures before the synthetic camera."""

import dataclasses
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet import Events, OptionError, SensorSize
from eventdet.simulation import ATIS, NOISE_FREE, film, to_grey

ONE = SensorSize(1, 1)


def picture(light: float) -> NDArray[np.float32]:
    return np.full((1, 1), light, np.float32)


def test_pictures_far_apart_give_the_crossings_of_a_straight_logarithm() -> None:
    model = dataclasses.replace(NOISE_FREE, dark_light=1e-3)
    ratio = math.exp(3.5 * model.threshold_on)
    events = Events.concatenate(film([(0, picture(0.1)), (35_000, picture(0.101 * ratio - 0.001))], model, size=ONE))
    assert events.t.tolist() == pytest.approx([10_000, 20_000, 30_000], abs=3)
    assert events.p.tolist() == [1, 1, 1]


def test_steps_between_pictures_let_the_low_pass_work() -> None:
    # At 60 Hz a step of light is followed within milliseconds; a single straight line would take all of 100 ms.
    model = dataclasses.replace(NOISE_FREE, cutoff_hz=60.0)
    batches = list(film([(0, picture(0.1)), (100_000, picture(0.5)), (200_000, picture(0.5))], model, size=ONE))
    assert len(batches[0]) == 0
    assert Events.concatenate(batches).is_sorted()
    assert sum(len(batch) for batch in batches) == 6
    # What the filter still owes comes in the first milliseconds after the light stands still.
    assert all(batch.t[-1] < 110_000 for batch in batches if len(batch))


def test_batches_follow_each_other_in_time() -> None:
    rng = np.random.default_rng(1)
    pictures = [(10_000 * k, rng.random((20, 30), np.float32)) for k in range(4)]
    batches = list(film(pictures, ATIS, size=SensorSize(20, 30), seed=3))
    assert len(batches) == 4
    for k in (1, 2, 3):
        assert batches[k].t.min() > 10_000 * (k - 1)
        assert batches[k].t.max() <= 10_000 * k


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(OptionError, match=r"pictures must be of shape \(1, 1\), got \(2, 2\) at 5 us"):
        list(film([(0, picture(0.5)), (5, np.zeros((2, 2), np.float32))], ATIS, size=ONE))


def test_grey_is_the_root_of_the_light_up_to_its_brightest() -> None:
    light = np.zeros((10, 10), np.float32)
    light[0, :5] = 0.5
    light[1, 0] = 0.125
    grey = to_grey(light)
    assert grey.dtype == np.uint8
    assert grey[0, :5].tolist() == [255] * 5
    # The root of a quarter is a half.
    assert grey[1, 0] == 127
    assert grey[5, 5] == 0
    assert (to_grey(np.zeros((3, 3), np.float32)) == 0).all()
