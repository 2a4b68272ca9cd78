"""Every preset is a street."""

import numpy as np
import pytest

from eventdet import OptionError
from eventdet.simulation import PRESETS, Renderer, make_scene
from eventdet.simulation.presets import pick_preset


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", range(3))
def test_light_of_every_preset_is_finite_and_positive(preset: str, seed: int) -> None:
    light = Renderer(make_scene(seed, 3_000_000, preset=preset)).light(1_500_000)
    assert np.isfinite(light).all()
    assert light.min() >= 0
    assert light.max() > 0


@pytest.mark.parametrize("preset", PRESETS)
def test_boxes_are_the_extent_of_what_the_picture_shows(preset: str) -> None:
    # Where an object is alone, light changes inside its box only, when the object is taken away.
    scene = make_scene(4, 3_000_000, preset=preset)
    renderer = Renderer(scene)
    boxes = renderer.boxes(1_000_000)
    for identity, box in zip(boxes.track_id.tolist(), boxes.xyxy.astype(int), strict=True):
        y, x = np.nonzero(renderer.owners(1_000_000) == identity)
        assert (x.min(), y.min(), x.max() + 1, y.max() + 1) == tuple(box)


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"preset must be .*plain"):
        make_scene(1, 1000, preset="noon")


def test_a_mixed_preset_takes_each_of_its_members() -> None:
    taken = {pick_preset("mixed", seed).summary for seed in range(60)}
    assert taken == {PRESETS[name].summary for name in PRESETS["mixed"].members}
