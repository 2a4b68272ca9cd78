"""Where our weights stand in a checkpoint of EMS-YOLO's released code, layer by layer.

The reference numbers the layers of a network as they stand in its list: the encoding layer is 0, then the blocks, then
the neck, where the upsampling and the concatenation take two numbers without weights, then the detection.
"""

from torch import nn

from eventdet.errors import OptionError

from .blocks import ConvSiLU, EMSBlock1, MSBlock
from .detector import Detector

__all__ = ["reference_anchors_key", "reference_keys"]

_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")

_NECK = {"reduce": 0, "coarse": 1, "lateral": 2, "fine": 5}
"""Layers of the neck, counted from its first; 3 raises and 4 concatenates."""

_DETECTION = 6

_SCALES = (0, 1)
"""Strides 16 and 32, in the order of both."""


def reference_keys(detector: Detector) -> dict[str, str]:
    """Return the name of each of our tensors in a checkpoint of the reference.

    Parameters
    ----------
    detector : Detector
        Of an ``ems``, ``ms`` or ``wide`` network with two heads; its weights are not looked at.

    Returns
    -------
    dict
        Theirs by ours, for every entry of the state dict. Shapes are equal: the reference normalises over volumes,
        with one value a channel too. Of the wide networks the names of the blocks with SiLU and of those that
        concatenate are not known from a file, but taken to follow the others.

    Raises
    ------
    OptionError
        When the reference has no such network, or the names of its tensors are not known.
    """
    config = detector.config
    if config.network.family == "sew" or config.heads != len(_SCALES):
        raise OptionError(
            f"reference keys are known of ems, ms and wide networks with 2 heads, got {config.name} with {config.heads}"
        )
    first = _first_of_neck(detector)
    layers = dict(enumerate(_backbone_blocks(detector), start=1))
    layers |= {first + offset: f"neck.{name}" for name, offset in _NECK.items()}
    keys = _conv_norm("backbone.stem", "model.0.conv", "model.0.bn.bn")
    for layer, name in layers.items():
        is_wide = config.network.family.startswith("wide")
        keys |= _block(name, detector.get_submodule(name), f"model.{layer}", is_wide=is_wide)
    for scale in _SCALES:
        for part in ("weight", "bias"):
            keys[f"detect.convs.{scale}.{part}"] = f"model.{first + _DETECTION}.m.{scale}.{part}"
    return keys


def reference_anchors_key(detector: Detector) -> str:
    """Return the name of the anchors, shape (2, 3, 2), in cells: times the stride they are our input pixels."""
    return f"model.{_first_of_neck(detector) + _DETECTION}.anchors"


def _first_of_neck(detector: Detector) -> int:
    return 1 + sum(detector.config.network.blocks)


def _backbone_blocks(detector: Detector) -> list[str]:
    return [
        f"backbone.stages.{stage}.blocks.{index}"
        for stage, count in enumerate(detector.config.network.blocks)
        for index in range(count)
    ]


def _block(ours: str, block: nn.Module, theirs: str, *, is_wide: bool) -> dict[str, str]:
    if isinstance(block, ConvSiLU):
        return _conv_norm(f"{ours}.conv", f"{theirs}.conv", f"{theirs}.bn.bn")
    residual = f"{theirs}.residual_function"
    keys = _conv_norm(f"{ours}.residual.first", f"{residual}.1", f"{residual}.2.bn")
    keys |= _conv_norm(f"{ours}.residual.last", f"{residual}.4", f"{residual}.5.bn")
    if not isinstance(block, MSBlock):
        # Pool and neurons stand before the convolution there, else one of the two.
        place = 2 if is_wide and isinstance(block, EMSBlock1) else 1
        keys |= _conv_norm(f"{ours}.shortcut", f"{theirs}.shortcut.{place}", f"{theirs}.shortcut.{place + 1}.bn")
    return keys


def _conv_norm(ours: str, conv: str, norm: str) -> dict[str, str]:
    return {f"{ours}.conv.weight": f"{conv}.weight"} | {f"{ours}.norm.{part}": f"{norm}.{part}" for part in _NORM}
