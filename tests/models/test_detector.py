"""The network: its size, its shapes, its arithmetic against a plain restatement, and its state."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from eventdet.errors import OptionError
from eventdet.geometry import SensorSize
from eventdet.models import Detector, DetectorConfig, build_detector
from eventdet.models.config import COCO_ANCHORS
from eventdet.models.lif import LIF


def count(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def counts_of(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(0, 12, shape, generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return build_detector().eval().requires_grad_(requires_grad=False)


# EMS-YOLO's published sizes; see shared/spec/ems_yolo.md, section 2.1.
@pytest.mark.parametrize(
    ("name", "classes", "parameters"),
    [
        ("ems-res10", 2, 6_207_050),
        ("ems-res18", 2, 9_343_370),
        ("ems-res34", 2, 14_399_306),
        ("ems-res10", 80, 6_387_230),
        ("ems-res18", 80, 9_523_550),
        ("ems-res34", 80, 14_579_486),
    ],
)
def test_parameters_of_each_network_are_those_published(name: str, classes: int, parameters: int) -> None:
    detector = build_detector(name, classes=classes, channels=3)
    assert count(detector) == parameters
    # One input channel is 32 kernels of 3x3.
    assert count(build_detector(name, classes=classes, channels=2)) == parameters - 288


def test_parameters_of_each_layer_are_those_published() -> None:
    detector = build_detector("ems-res34", channels=3)
    assert count(detector.backbone.stem) == 928
    stages = [
        [count(block) for block in stage.get_submodule("blocks").children()] for stage in detector.backbone.stages
    ]
    assert stages == [
        [28_928] + [37_056] * 2,
        [115_200] + [147_840] * 3,
        [459_776] + [590_592] * 5,
        [1_837_056] + [2_360_832] * 2,
    ]
    neck = detector.neck
    assert [count(block) for block in (neck.reduce, neck.coarse, neck.lateral, neck.fine)] == [
        1_017_088,
        1_837_056,
        57_984,
        836_864,
    ]
    assert count(detector.detect) == 16_170


def test_normalisation_starts_at_the_gains_of_the_paper() -> None:
    gains = {name: norm.weight for name, norm in build_detector().named_modules() if isinstance(norm, nn.BatchNorm2d)}
    for name, gain in gains.items():
        assert torch.all(gain == (0.1 if name.endswith("residual.last.norm") else 0.5)), name


# The published counts of LIF layers (shared neurons once): 21 with code shortcuts, five of them computed twice.
@pytest.mark.parametrize(
    ("options", "layers"),
    [({}, 20), ({"shortcut_lif": False, "pool_first": False}, 16), ({"shortcut_lif": False}, 20)],
    ids=["paper", "released code", "paper's pooling alone"],
)
def test_neurons_that_share_their_input_are_built_once(options: dict[str, bool], layers: int) -> None:
    detector = build_detector("ems-res10", **options)
    assert sum(isinstance(module, LIF) for module in detector.modules()) == layers


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


def plain_network(detector: Detector, counts: Tensor) -> list[Tensor]:
    """Restate the paper's network in float64: a loop over the steps in each layer, no folding, no sharing."""
    weights = {name: value.double() for name, value in detector.state_dict().items()}

    def neurons(steps: list[Tensor]) -> list[Tensor]:
        spikes: list[Tensor] = []
        membrane = torch.zeros_like(steps[0])
        for t, current in enumerate(steps):
            membrane = current if t == 0 else 0.25 * membrane * (1 - spikes[-1]) + current
            spikes.append((membrane > 0.5).double())
        return spikes

    def convolve(name: str, steps: list[Tensor], stride: int = 1) -> list[Tensor]:
        kernel = weights[f"{name}.conv.weight"]
        mean, variance, gain, bias = (
            weights[f"{name}.norm.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        outputs = []
        for step in steps:
            current = functional.conv2d(step, kernel, None, stride, kernel.shape[-1] // 2)
            outputs.append(functional.batch_norm(current, mean, variance, gain, bias, eps=1e-5))
        return outputs

    def residual(name: str, steps: list[Tensor], stride: int) -> list[Tensor]:
        hidden = convolve(f"{name}.residual.first", neurons(steps), stride)
        return convolve(f"{name}.residual.last", neurons(hidden))

    def add(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        return [one + other for one, other in zip(a, b, strict=True)]

    def narrow(name: str, steps: list[Tensor]) -> list[Tensor]:
        return add(residual(name, steps, 1), convolve(f"{name}.shortcut", neurons(steps)))

    def widen(name: str, steps: list[Tensor], stride: int) -> list[Tensor]:
        pooled = [functional.max_pool2d(step, stride) for step in steps]
        new = convolve(f"{name}.shortcut", neurons(pooled))
        shortcut = [torch.cat(pair, 1) for pair in zip(new, pooled, strict=True)]
        return add(residual(name, steps, stride), shortcut)

    x = convolve("backbone.stem", list(counts.clamp(max=10).double() / 10), 2)
    features = []
    for stage, blocks in enumerate(detector.backbone.stages):
        x = widen(f"backbone.stages.{stage}.blocks.0", x, 2)
        for block in range(1, len(list(blocks.get_submodule("blocks").children()))):
            name = f"backbone.stages.{stage}.blocks.{block}"
            x = add(residual(name, x, 1), x)
        features.append(x)
    reduced = narrow("neck.reduce", features[3])
    raised = [step.repeat_interleave(2, 2).repeat_interleave(2, 3) for step in narrow("neck.lateral", reduced)]
    fine = narrow("neck.fine", [torch.cat(pair, 1) for pair in zip(raised, features[2], strict=True)])
    outputs = []
    for index, steps in enumerate((fine, widen("neck.coarse", reduced, 1))):
        head = [weights[f"detect.convs.{index}.{part}"] for part in ("weight", "bias")]
        outputs.append(torch.stack([functional.conv2d(step, *head) for step in steps]).mean(0))
    return outputs


def spread_statistics(detector: Detector) -> Detector:
    """Give the normalisation other statistics than its start's, so that a wrong one shows."""
    generator = torch.Generator().manual_seed(5)
    for norm in detector.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.normal_(0, 0.05, generator=generator)
            norm.running_var.uniform_(0.02, 0.2, generator=generator)
    return detector


@pytest.mark.parametrize("name", ["ems-res10", "ems-res18"])
@pytest.mark.parametrize("steps", [1, 3])
def test_logits_equal_a_plain_restatement_in_float64(name: str, steps: int) -> None:
    torch.manual_seed(3)
    detector = spread_statistics(build_detector(name).eval().double().requires_grad_(requires_grad=False))
    counts = counts_of(steps, 1, 2, 64, 64, seed=7)
    for ours, plain in zip(detector(counts).logits, plain_network(detector, counts), strict=True):
        torch.testing.assert_close(ours, plain, rtol=0, atol=1e-9)


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


def test_input_of_the_raw_gen1_sensor_is_refused_with_the_size_to_pad_to(detector: Detector) -> None:
    with pytest.raises(OptionError) as caught:
        detector.step(torch.zeros(1, 2, 240, 304, dtype=torch.uint8))
    assert "256x320" in caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        {"name": "resnet"},
        {"classes": 0},
        {"heads": 4},
        {"depth": 3},
        {"class_names": ("car",)},
        {"anchors": ()},
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
