"""The network: its size, its shapes, its arithmetic against a plain restatement, and its state."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eventdet.errors import OptionError
from eventdet.geometry import SensorSize
from eventdet.models import Detector, DetectorConfig, build_detector
from eventdet.models.config import COCO_ANCHORS

from .networks import spread_statistics
from .references import PlainNetwork


def counts_of(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 12, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return build_detector().eval().requires_grad_(requires_grad=False)


def test_normalisation_starts_at_the_gains_of_the_paper() -> None:
    gains = {name: norm.weight for name, norm in build_detector().named_modules() if isinstance(norm, nn.BatchNorm2d)}
    for name, gain in gains.items():
        assert torch.all(gain == (0.1 if name.endswith("residual.last.norm") else 0.5)), name


@pytest.mark.parametrize("readout", ["mean", "steps"])
def test_logits_have_a_map_for_each_scale(detector: Detector, readout: str) -> None:
    output = detector(counts_of(3, 2, 2, 64, 96), readout=readout)
    lead = (2,) if readout == "mean" else (3, 2)
    assert [tuple(scale.shape) for scale in output.logits] == [(*lead, 21, 4, 6), (*lead, 21, 2, 3)]


def test_mean_readout_equals_the_mean_of_the_logits(detector: Detector) -> None:
    counts = counts_of(4, 1, 2, 64, 64)
    mean, steps = detector(counts).logits, detector(counts, readout="steps").logits
    for one, every in zip(mean, steps, strict=True):
        torch.testing.assert_close(one, every.mean(0), rtol=0, atol=1e-5)


def test_steps_one_by_one_equal_one_call(detector: Detector) -> None:
    counts = counts_of(3, 2, 2, 64, 64)
    whole = detector(counts, readout="steps")
    state = None
    for t in range(3):
        output = detector.step(counts[t], state)
        state = output.state
        for one, every in zip(output.logits, whole.logits, strict=True):
            torch.testing.assert_close(one, every[t], rtol=0, atol=1e-5)
    for ours, reference in zip(state or (), whole.state, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-5)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_stream_split_anywhere_equals_the_unsplit_one(detector: Detector, cut: int) -> None:
    counts = counts_of(4, 1, 2, 64, 64, seed=1)
    whole = detector(counts, readout="steps").logits
    first = detector(counts[:cut], readout="steps")
    second = detector(counts[cut:], first.state, readout="steps")
    for before, after, unsplit in zip(first.logits, second.logits, whole, strict=True):
        torch.testing.assert_close(torch.cat((before, after)), unsplit, rtol=0, atol=1e-5)


def test_pictures_of_a_batch_do_not_touch_each_other(detector: Detector) -> None:
    counts = counts_of(2, 3, 2, 64, 64, seed=2)
    together = detector(counts).logits
    for index in range(3):
        alone = detector(counts[:, index : index + 1]).logits
        for one, batch in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], batch[index], rtol=0, atol=1e-5)


def test_encode_clips_at_the_count_and_scales_to_one() -> None:
    counts = torch.tensor([0, 1, 5, 10, 11, 255], dtype=torch.uint8)
    torch.testing.assert_close(build_detector().encode(counts), torch.tensor([0, 0.1, 0.5, 1, 1, 1]))


@pytest.mark.parametrize("name", ["ems-res10", "ems-res18", "ems-res34"])
@pytest.mark.parametrize("steps", [1, 5])
def test_logits_equal_a_plain_restatement_in_float64(name: str, steps: int) -> None:
    assert_equals_restatement(name, steps=steps, channels=2)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "ems-nano", "shortcut_lif": False, "pool_first": False},
        {"name": "ems-nano", "pool_first": False, "heads": 4, "channels": 1},
        {"name": "ems-nano", "detection": "spiking", "classes": 80},
        {"name": "ms-nano", "channels": 3},
        {"name": "ms-nano", "shortcut_lif": True},
        {"name": "sew-nano", "heads": 4},
        {"name": "sew-nano", "neurons": "silu", "detection": "spiking"},
        {"name": "wide-res10", "width": 0.125},
        {"name": "wide-res18", "width": 0.125},
        {"name": "wide-res34", "width": 0.125, "heads": 4},
        {"name": "wide-res34-cat", "width": 0.125, "pool_first": True},
    ],
    ids=lambda options: " ".join(str(value) for value in options.values()),
)
def test_logits_of_every_option_equal_a_plain_restatement(options: dict[str, Any]) -> None:
    assert_equals_restatement(steps=3, **options)


def assert_equals_restatement(name: str, *, steps: int, channels: int = 2, **options: Any) -> None:
    torch.manual_seed(3)
    detector = build_detector(name, channels=channels, **options)
    spread_statistics(detector.eval().double().requires_grad_(requires_grad=False))
    counts = counts_of(steps, 1, channels, 64, 64, seed=7)
    restated = PlainNetwork(detector)(np.minimum(counts.numpy(), 10) / 10)
    for ours, plain in zip(detector(counts).logits, restated, strict=True):
        # A spike more or less in a layer shows in the first digit; rounding alone is seen here.
        torch.testing.assert_close(ours, torch.from_numpy(plain), rtol=0, atol=1e-9)


def test_float32_logits_equal_the_plain_restatement() -> None:
    torch.manual_seed(3)
    detector = spread_statistics(build_detector().eval().requires_grad_(requires_grad=False))
    counts = counts_of(5, 1, 2, 64, 64, seed=7)
    restated = PlainNetwork(detector)(np.minimum(counts.numpy(), 10) / 10)
    for ours, plain in zip(detector(counts).logits, restated, strict=True):
        torch.testing.assert_close(ours.double(), torch.from_numpy(plain), rtol=0, atol=1e-5)


def test_normalisation_over_folded_steps_equals_that_over_steps_and_batch() -> None:
    currents = torch.randn(3, 2, 4, 5, 6, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    folded = nn.BatchNorm2d(4, dtype=torch.float64)(currents.flatten(0, 1)).view_as(currents)
    # BatchNorm3d over (B, C, T, H, W), as the paper's released code has it.
    volume = nn.BatchNorm3d(4, dtype=torch.float64)(currents.permute(1, 2, 0, 3, 4)).permute(2, 0, 1, 3, 4)
    torch.testing.assert_close(folded, volume, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 1, 2, 240, 304), "multiples of 32, got 240x304"),
        ((1, 1, 3, 64, 64), "2 channels, got 3"),
        ((1, 2, 64, 64), "T, B, C, H, W"),
        ((0, 1, 2, 64, 64), "without a zero"),
    ],
)
def test_input_of_another_shape_is_refused(detector: Detector, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        detector(torch.zeros(shape, dtype=torch.uint8))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_input_that_is_no_number_is_refused(detector: Detector, value: float) -> None:
    x = torch.zeros(1, 1, 2, 64, 64)
    x[0, 0, 1, 5, 7] = value
    with pytest.raises(OptionError, match="x must be finite"):
        detector(x)


def test_input_of_the_raw_gen1_sensor_is_refused_with_the_size_to_pad_to(detector: Detector) -> None:
    with pytest.raises(OptionError) as caught:
        detector.step(torch.zeros(1, 2, 240, 304, dtype=torch.uint8))
    assert "256x320" in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"name": "resnet"},
        {"classes": 0},
        {"heads": 3},
        {"depth": 3},
        {"class_names": ("car",)},
        {"anchors": (((10, 14),), ((20, 28), (40, 56)))},
        {"anchors": (((10, 14),), ((float("nan"), 28),))},
        {"anchors": (((10, 14),),)},
        {"count_clip": 256},
        {"width": 0.0},
        {"width": float("nan")},
        {"neurons": "silu"},
        {"detection": "rate"},
        {"input_size": SensorSize(240, 304)},
    ],
    ids=str,
)
def test_build_detector_with_a_wrong_option_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        build_detector(**options)  # type: ignore[arg-type] # wrong on purpose


def test_config_survives_its_dictionary() -> None:
    config = DetectorConfig("ems-res18", classes=80, channels=3, anchors=COCO_ANCHORS)
    assert DetectorConfig.from_dict(config.to_dict()) == config
