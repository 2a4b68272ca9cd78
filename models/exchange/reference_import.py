"""From a checkpoint of EMS-YOLO's released code to a detector of ours: which network it is, and its numbers."""

from typing import NamedTuple

import torch
from torch import Tensor

from eventdet.errors import FormatError, OptionError
from eventdet.models.config import NETWORKS, DetectorConfig
from eventdet.models.detector import Detector
from eventdet.models.head import BOX_VALUES
from eventdet.models.reference_keys import reference_anchors_key, reference_keys

from .reference_pickle import ReferenceCheckpoint

__all__ = ["detector_of_reference"]

_HEADS = 2
"""Output scales of every released network."""

_SHORTCUT_NEURONS = frozenset({"BasicBlock_1", "BasicBlock_2"})
"""Classes of the released code with neurons before the convolution of a narrowing shortcut."""


class _Misfit(NamedTuple):
    network: str
    fitting: int
    reason: str


def detector_of_reference(checkpoint: ReferenceCheckpoint, *, readout_steps: int = 5) -> Detector:
    """Return a detector with the numbers of a checkpoint, in evaluation mode.

    The network is found by trying: names and shapes of the tensors fit one of ours, or none. Where paper and released
    code differ it is built as released, since its weights learnt that.

    Parameters
    ----------
    checkpoint : ReferenceCheckpoint
        What was read.
    readout_steps : int
        Steps that the network was trained on; the file does not say.

    Returns
    -------
    Detector
        Anchors and class names are those of the file.

    Raises
    ------
    FormatError
        When it fits no network; the message names the closest and its first difference.
    """
    misfits = []
    for name, shape in NETWORKS.items():
        if shape.family == "sew":
            continue
        detector = _candidate(name, checkpoint, readout_steps)
        keys = reference_keys(detector)
        misfit = _compare(name, detector, keys, checkpoint)
        if misfit is None:
            return _filled(detector, keys, checkpoint)
        misfits.append(misfit)
    closest = max(misfits, key=lambda misfit: misfit.fitting)
    raise FormatError(
        f"fits no network; closest is {closest.network}, where {closest.reason}",
        hint="known are ems, ms and wide networks with two output scales",
    )


def _candidate(name: str, checkpoint: ReferenceCheckpoint, readout_steps: int) -> Detector:
    """Return the network of that name without memory, for as many classes and channels as the file has."""
    detection = max(checkpoint.kinds)
    bias = checkpoint.tensors.get(f"model.{detection}.m.0.bias")
    anchors = checkpoint.tensors.get(f"model.{detection}.anchors")
    kernel = checkpoint.tensors.get("model.0.conv.weight")
    if bias is None or kernel is None or anchors is None or anchors.ndim != 3 or kernel.ndim != 4:
        raise FormatError(
            "must begin with a convolution and end with a detection layer, "
            f"has {checkpoint.kinds[min(checkpoint.kinds)]} and {checkpoint.kinds[detection]}"
        )
    classes = len(bias) // anchors.shape[1] - BOX_VALUES
    try:
        config = DetectorConfig(
            name,
            classes=classes,
            channels=kernel.shape[1],
            heads=_HEADS,
            readout_steps=readout_steps,
            class_names=checkpoint.class_names if len(checkpoint.class_names) == classes else (),
            shortcut_lif=bool(_SHORTCUT_NEURONS & set(checkpoint.kinds.values())),
            pool_first=False,
        )
    except OptionError as error:
        raise FormatError(f"its detection layer is no network's: {error.message}") from error
    with torch.device("meta"):
        return Detector(config)


def _compare(name: str, detector: Detector, keys: dict[str, str], checkpoint: ReferenceCheckpoint) -> _Misfit | None:
    wanted = {keys[ours]: tuple(value.shape) for ours, value in detector.state_dict().items()}
    wanted[reference_anchors_key(detector)] = tuple(detector.detect.anchors.shape)
    found = {theirs: tuple(value.shape) for theirs, value in checkpoint.tensors.items()}
    fitting = sum(found.get(theirs) == shape for theirs, shape in wanted.items())
    for theirs, shape in wanted.items():
        if theirs not in found:
            return _Misfit(name, fitting, f"{theirs} of shape {shape} is missing")
        if found[theirs] != shape:
            return _Misfit(name, fitting, f"{theirs} must have the shape {shape}, has {found[theirs]}")
    extra = sorted(found.keys() - wanted.keys() - _unused(detector))
    if extra:
        return _Misfit(name, fitting, f"{extra[0]} has no place")
    if checkpoint.strides and checkpoint.strides != tuple(detector.config.strides):
        return _Misfit(name, fitting, f"strides must be {detector.config.strides}, are {checkpoint.strides}")
    return None


def _unused(detector: Detector) -> set[str]:
    """Return buffers of older detection layers that hold nothing of their own: the anchors once more, laid out."""
    return {reference_anchors_key(detector).replace("anchors", "anchor_grid")}


def _filled(detector: Detector, keys: dict[str, str], checkpoint: ReferenceCheckpoint) -> Detector:
    anchors = checkpoint.tensors[reference_anchors_key(detector)].double()
    scaled = [
        tuple((float(w), float(h)) for w, h in scale * stride)
        for scale, stride in zip(anchors, detector.config.strides, strict=True)
    ]
    values = detector.config.to_dict() | {"anchors": scaled}
    filled = Detector(DetectorConfig.from_dict(values))
    filled.load_state_dict({ours: _widened(checkpoint.tensors[theirs]) for ours, theirs in keys.items()})
    return filled.eval()


def _widened(value: Tensor) -> Tensor:
    """Return released half-precision values as the single precision that networks compute in."""
    return value.float() if value.is_floating_point() else value
