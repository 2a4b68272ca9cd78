"""The family of networks: sizes, names, anchors, and the reference's names of their weights."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eventdet.errors import OptionError
from eventdet.models import DetectorConfig, boxes_from_logits, build_detector, repeat_image
from eventdet.models._layout import channels_last
from eventdet.models.blocks import EMSBlock1, PointwiseConv2d, SEWBlock
from eventdet.models.config import COCO_ANCHORS, FOUR_SCALE_ANCHORS, GEN1_ANCHORS, NETWORKS
from eventdet.models.lif import LIF, Neurons, SiLUNeurons
from eventdet.models.loss import DetectionLoss
from eventdet.models.loss_terms import Targets
from eventdet.models.reference_keys import reference_anchors_key, reference_keys


def count(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


# shared/spec/ems_yolo.md, section 2.1: the paper's tables and the released configurations, 3 input channels.
@pytest.mark.parametrize(
    ("name", "classes", "heads", "parameters"),
    [
        ("ems-res10", 2, 2, 6_207_050),
        ("ems-res18", 2, 2, 9_343_370),
        ("ems-res34", 2, 2, 14_399_306),
        ("ems-res10", 80, 2, 6_387_230),
        ("ems-res18", 80, 2, 9_523_550),
        ("ems-res34", 80, 2, 14_579_486),
        ("sew-res18", 80, 2, 9_743_134),
        ("ms-res18", 80, 2, 9_677_598),
        ("sew-res18", 2, 2, 9_562_954),
        ("ms-res18", 2, 2, 9_497_418),
        ("ems-res18", 2, 4, 9_738_484),
        ("wide-res10", 2, 2, 17_381_482),
        ("wide-res18", 2, 2, 15_247_594),
        ("wide-res34", 2, 2, 33_847_274),
        ("wide-res34", 80, 2, 34_027_454),
        ("wide-res34-cat", 2, 2, 25_268_842),
        ("wide-res34-cat", 80, 2, 25_449_022),
    ],
)
def test_parameters_of_each_network_are_those_published(name: str, classes: int, heads: int, parameters: int) -> None:
    with torch.device("meta"):
        assert count(build_detector(name, classes=classes, heads=heads, channels=3)) == parameters
        # An input channel is a kernel of the encoding layer for each of its channels.
        stem = 64 * 7 * 7 if name.startswith("wide") else 32 * 3 * 3
        assert count(build_detector(name, classes=classes, heads=heads, channels=2)) == parameters - stem
        assert count(build_detector(name, classes=classes, heads=heads, channels=1)) == parameters - 2 * stem


@pytest.mark.parametrize(("depth", "more"), [("res10", (0, 0, 0, 0)), ("res18", (1, 1, 1, 1)), ("res34", (2, 3, 5, 2))])
def test_parameters_of_each_layer_are_those_published(depth: str, more: tuple[int, ...]) -> None:
    detector = build_detector(f"ems-{depth}", channels=3)
    assert count(detector.backbone.stem) == 928
    stages = [
        [count(block) for block in stage.get_submodule("blocks").children()] for stage in detector.backbone.stages
    ]
    first, further = (28_928, 115_200, 459_776, 1_837_056), (37_056, 147_840, 590_592, 2_360_832)
    assert stages == [[a, *[b] * n] for a, b, n in zip(first, further, more, strict=True)]
    neck = detector.neck
    assert [count(block) for block in (neck.reduce, neck.coarse, neck.lateral, neck.fine)] == [
        1_017_088,
        1_837_056,
        57_984,
        836_864,
    ]
    assert count(detector.detect) == 16_170
    assert count(build_detector(f"ems-{depth}", classes=80).detect) == 196_350


@pytest.mark.parametrize("family", ["ms", "sew"])
def test_parameters_of_blocks_that_add_their_shortcut_are_those_published(family: str) -> None:
    detector = build_detector(f"{family}-res18", channels=3)
    firsts = [count(stage.get_submodule("blocks.0")) for stage in detector.backbone.stages]
    assert firsts == [30_016, 119_424, 476_416, 1_903_104]
    # The second kernel of a SEW-Block stays 3x3 where the first is 1x1.
    assert count(detector.neck.lateral) == (123_520 if family == "sew" else 57_984)


# 21 layers with the released code's shortcuts, five of them the same as another; 3 more with the paper's.
@pytest.mark.parametrize(
    ("name", "options", "layers"),
    [
        ("ems-res10", {}, 20),
        ("ems-res10", {"shortcut_lif": False, "pool_first": False}, 16),
        ("ems-res10", {"shortcut_lif": False}, 20),
        ("ems-res18", {"pool_first": False}, 24),
        ("ems-res34", {"pool_first": False}, 40),
        ("ems-res10", {"detection": "spiking"}, 22),
        ("ems-res10", {"heads": 4, "detection": "spiking"}, 32),
    ],
    ids=str,
)
def test_neurons_that_share_their_input_are_built_once(name: str, options: dict[str, Any], layers: int) -> None:
    detector = build_detector(name, **options)
    assert sum(isinstance(module, LIF) for module in detector.modules()) == layers == len(detector.state_names)


def test_ms_networks_convolve_currents_in_their_shortcuts_and_ems_networks_spikes() -> None:
    for name, spikes in (("ms-nano", False), ("ems-nano", True)):
        blocks = [block for block in build_detector(name).modules() if isinstance(block, EMSBlock1)]
        assert blocks
        assert all((block.shares_lif or block.shortcut_lif is not None) == spikes for block in blocks)


def test_sew_networks_spike_but_in_the_released_form() -> None:
    spiking, released = build_detector("sew-nano"), build_detector("sew-nano", neurons="silu")
    assert not any(isinstance(module, SiLUNeurons) for module in spiking.modules())
    assert not any(isinstance(module, LIF) for module in released.modules())
    block = spiking.get_submodule("backbone.stages.0.blocks.0")
    assert isinstance(block, SEWBlock)
    assert count(spiking) == count(released)


def test_width_scales_every_channel_to_a_multiple_of_eight() -> None:
    nano, quarter = build_detector("ems-nano"), build_detector("ems-res10", width=0.25)
    assert nano.backbone.channels == quarter.backbone.channels == (16, 32, 64, 128)
    assert count(nano) == count(quarter)
    for detector in (build_detector("ems-res10", width=0.3), build_detector("ems-nano", width=0.1)):
        assert all(channels % 8 == 0 and channels >= 8 for channels in detector.backbone.channels)
        detector.eval()(torch.zeros(1, 1, 2, 32, 32, dtype=torch.uint8))


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_names_of_the_state_follow_the_order_in_which_neurons_run(name: str) -> None:
    detector = build_detector(name, heads=4, width=0.125, detection="spiking").eval()
    ran: list[str] = []
    for path, module in detector.named_modules():
        if isinstance(module, Neurons):
            module.register_forward_hook(lambda *_, path=path: ran.append(path.replace(".", "_")))
    state: Any = detector.step(torch.zeros(1, 2, 32, 32, dtype=torch.uint8)).state
    assert state._fields == detector.state_names == tuple(ran)
    assert getattr(state, ran[3]) is state[3]


@pytest.mark.parametrize(
    ("options", "anchors"),
    [
        ({}, GEN1_ANCHORS),
        ({"classes": 80}, COCO_ANCHORS),
        ({"heads": 4}, FOUR_SCALE_ANCHORS),
        ({"classes": 80, "heads": 4}, FOUR_SCALE_ANCHORS),
        ({"heads": 4, "anchors": (((1.0, 2.0),),) * 4}, (((1.0, 2.0),),) * 4),
    ],
    ids=str,
)
def test_anchors_follow_the_heads_and_classes_unless_given(options: dict[str, Any], anchors: Any) -> None:
    detector = build_detector("ems-nano", **options)
    assert detector.config.anchors == anchors
    assert detector.detect.anchors.tolist() == torch.tensor(anchors).tolist()


def test_four_scales_give_maps_boxes_and_a_loss_at_strides_4_to_32() -> None:
    torch.manual_seed(0)
    detector = build_detector("ems-nano", heads=4)
    output = detector(torch.randint(0, 9, (2, 1, 2, 64, 96), dtype=torch.uint8), readout="steps")
    assert [tuple(scale.shape[-2:]) for scale in output.logits] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    rows = np.array([[1, 0, 1, 3, 4, 12, 17], [1, 0, 0, 10, 5, 80, 60]], np.float32)
    terms = DetectionLoss(detector.config)(output.logits, Targets(rows, np.array([[False], [True]])))
    terms.total.backward()  # type: ignore[no-untyped-call] # torch is untyped here
    assert all(conv.get_parameter("weight").grad is not None for conv in detector.detect.convs)
    (boxes,) = boxes_from_logits([scale[-1].detach().numpy() for scale in output.logits], detector.config, conf=0.0)
    assert len(boxes) == 300


def test_four_scale_logits_of_one_cell_decode_to_its_anchor() -> None:
    config = DetectorConfig(heads=4)
    maps = [np.full((1, 21, 64 // stride, 64 // stride), -9, np.float32) for stride in config.strides]
    # Zero is the middle: the centre of the cell and the size of the anchor. The second anchor of stride 8.
    maps[1][0, 7:11, 2, 3] = 0
    maps[1][0, 11:13, 2, 3] = 9
    (boxes,) = boxes_from_logits(maps, config)
    width, height = FOUR_SCALE_ANCHORS[1][1]
    centre = np.array([3.5 * 8, 2.5 * 8])
    half = np.array([width, height]) / 2
    np.testing.assert_allclose(boxes.xyxy, [[*(centre - half), *(centre + half)]], atol=1e-4)


def test_repeated_image_is_the_same_at_every_step() -> None:
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    steps = repeat_image(images, 4)
    assert steps.shape == (4, 2, 3, 32, 32)
    assert all(torch.equal(step, images) for step in steps)
    detector = build_detector("ems-nano", classes=80, channels=3, count_clip=255).eval()
    assert detector.encode(steps).max() <= 1
    with pytest.raises(OptionError, match="images must be"):
        repeat_image(images[0], 4)


def test_reference_keys_name_every_tensor_once() -> None:
    detector = build_detector("ems-res10", channels=3)
    keys = reference_keys(detector)
    assert keys.keys() == detector.state_dict().keys()
    # A released EMS-Res10 has 155 entries, the anchors among them.
    assert len({*keys.values(), reference_anchors_key(detector)}) == 155
    assert keys["backbone.stem.norm.running_var"] == "model.0.bn.bn.running_var"
    assert keys["backbone.stages.3.blocks.0.residual.last.conv.weight"] == "model.4.residual_function.4.weight"
    assert keys["neck.coarse.shortcut.norm.bias"] == "model.6.shortcut.2.bn.bias"
    assert keys["detect.convs.1.bias"] == "model.11.m.1.bias"


# Layers of the first block of the neck, of the last block, and of the detection.
@pytest.mark.parametrize(
    ("name", "layers"),
    [("ems-res18", (9, 14, 15)), ("ems-res34", (17, 22, 23)), ("ms-res18", (9, 14, 15)), ("wide-res34-cat", (17, 22))],
)
def test_reference_keys_count_layers_as_the_reference_does(name: str, layers: tuple[int, ...]) -> None:
    with torch.device("meta"):
        detector = build_detector(name)
    keys = reference_keys(detector)
    assert keys.keys() == detector.state_dict().keys()
    assert len(set(keys.values())) == len(keys)
    reduce, fine, *_ = layers
    assert keys["neck.reduce.residual.first.conv.weight"] == f"model.{reduce}.residual_function.1.weight"
    if name.startswith("wide"):
        # Pool, neurons, convolution in this order; the first stage's is the same block.
        assert keys["neck.reduce.shortcut.conv.weight"] == f"model.{reduce}.shortcut.2.weight"
        assert keys["neck.fine.conv.norm.weight"] == f"model.{fine}.bn.bn.weight"
    else:
        assert keys["neck.fine.shortcut.conv.weight"] == f"model.{fine}.shortcut.1.weight"
    assert reference_anchors_key(detector) == f"model.{fine + 1}.anchors"


@pytest.mark.parametrize("options", [{"name": "sew-res18"}, {"name": "ems-res18", "heads": 4}], ids=str)
def test_reference_keys_of_what_the_reference_lacks_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="reference keys are known"):
        reference_keys(build_detector(**options))


def test_a_pointwise_convolution_with_a_stride_is_torchs_on_any_layout() -> None:
    torch.manual_seed(0)
    ours = PointwiseConv2d(8, 16, 1, stride=2, bias=False)
    x = torch.randn(2, 8, 10, 14)
    plain = x.clone().requires_grad_()
    torch.nn.functional.conv2d(plain, ours.weight, stride=2).square().sum().backward()  # type: ignore[no-untyped-call]
    wanted = ours.weight.grad
    ours.zero_grad()
    dense = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    channels_last(ours)(dense).square().sum().backward()
    for got, expected in ((dense.grad, plain.grad), (ours.weight.grad, wanted)):
        assert got is not None
        assert expected is not None
        torch.testing.assert_close(got, expected)


def test_narrow_networks_that_add_spikes_learn_in_channels_last() -> None:
    torch.manual_seed(0)
    detector = channels_last(build_detector("sew-nano"))
    for _ in range(5):
        output = detector(torch.randint(0, 3, (2, 2, 2, 128, 160)))
        torch.stack([scale.square().mean() for scale in output.logits]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(weights.grad is not None and weights.grad.isfinite().all() for weights in detector.parameters())
