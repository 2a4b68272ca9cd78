"""Transforms of tonic on our events."""

import sys
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eventdet.bridges import apply_transform, load_transforms
from eventdet.errors import MissingExtraError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize

SIZE = SensorSize(30, 34)
EVENTS = Events.from_columns(t=[0, 10, 20, 30], x=[0, 1, 2, 33], y=[0, 0, 0, 29], p=[1, 0, 1, 0])


class Shift:
    """Moves and delays the events of the array that it is given, in place."""

    def __init__(self, **by: int) -> None:
        self.by = by

    def __call__(self, array: NDArray[np.void]) -> NDArray[np.void]:
        for name, step in self.by.items():
            array[name] += step * np.arange(len(array), dtype=array[name].dtype)
        return array


def test_transform_of_tonic_gives_events() -> None:
    transforms = pytest.importorskip("tonic.transforms")
    kept = apply_transform(EVENTS, transforms.CropTime(min=10, max=20), SIZE)
    assert isinstance(kept, Events)
    assert (kept.t.tolist(), kept.x.tolist(), kept.p.tolist()) == ([10, 20], [1, 2], [0, 1])


def test_transform_that_gives_frames_gives_them_as_they_are() -> None:
    transforms = pytest.importorskip("tonic.transforms")
    frames = apply_transform(EVENTS, transforms.ToImage(sensor_size=(34, 30, 2)), SIZE)
    assert frames.shape == (2, 30, 34)
    assert frames.sum() == 4


def test_transforms_are_composed_as_in_tonic() -> None:
    transforms = pytest.importorskip("tonic.transforms")
    compose = transforms.Compose([transforms.CropTime(min=0, max=20), transforms.RandomFlipPolarity(p=1)])
    assert apply_transform(EVENTS, compose, SIZE).p.tolist() == [0, 1, 0]


def test_transform_that_writes_into_its_array_leaves_the_events_alone() -> None:
    changed = apply_transform(EVENTS, Shift(x=-1, t=100), SIZE)
    assert (changed.x.tolist(), changed.t.tolist()) == ([0, 0, 0, 30], [0, 110, 220, 330])
    assert (EVENTS.x.tolist(), EVENTS.t.tolist()) == ([0, 1, 2, 33], [0, 10, 20, 30])


def test_events_that_overtake_each_other_are_put_in_order() -> None:
    def swap(array: NDArray[np.void]) -> NDArray[np.void]:
        array["t"] = [20, 10, 20, 0]
        return array

    changed = apply_transform(EVENTS, swap, SIZE)
    assert (changed.t.tolist(), changed.x.tolist()) == ([0, 10, 20, 20], [33, 1, 0, 2])


def test_stamps_with_a_fraction_are_microseconds() -> None:
    def stretch(array: NDArray[np.void]) -> NDArray[np.void]:
        wide = array.astype([("x", "i4"), ("y", "i4"), ("t", "f8"), ("p", "i1")])
        wide["t"] *= 1.13
        return wide

    assert apply_transform(EVENTS, stretch, SIZE).t.tolist() == [0, 11, 23, 34]


@pytest.mark.parametrize("shift", [{"x": 1}, {"y": -1}, {"t": -11}], ids=["x", "y", "t"])
def test_events_put_off_the_sensor_or_the_clock_raise(shift: dict[str, int]) -> None:
    with pytest.raises(OptionError, match=r"Shift put [1-3] of 4 events outside"):
        apply_transform(EVENTS, Shift(**shift), SIZE)


def test_no_events_stay_none() -> None:
    assert len(apply_transform(Events.empty(), Shift(t=1), SIZE)) == 0


def test_tonic_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: Any = None
    monkeypatch.setitem(sys.modules, "tonic", missing)
    with pytest.raises(MissingExtraError, match="'interop'"):
        load_transforms()
