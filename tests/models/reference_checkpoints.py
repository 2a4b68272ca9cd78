"""Checkpoints as EMS-YOLO's released code pickles them, built from the names of their tensors alone."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from eventdet.models import Detector
from eventdet.models.reference_keys import reference_anchors_key, reference_keys

_LAYERS = (
    "Conv_2", "ConcatBlock_ms", "BasicBlock_ms", "BasicBlock_1", "BasicBlock_2", "Concat_res2", "Conv", "Concat",
    "Snn_Conv2d", "batch_norm_2d", "batch_norm_2d1", "BatchNorm3d1", "mem_update", "Sample",
)  # fmt: skip


@pytest.fixture
def released_code(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[nn.Module]]:
    """Stand in for the modules that a checkpoint names, for as long as one is written."""
    classes: dict[str, type[nn.Module]] = {}
    for module_name, names in (("models.common", _LAYERS), ("models.yolo", ("Detect", "Model"))):
        module = ModuleType(module_name)
        for name in names:
            classes[name] = type(name, (nn.Module,), {"__module__": module_name})
            setattr(module, name, classes[name])
        monkeypatch.setitem(sys.modules, module_name, module)
    monkeypatch.setitem(sys.modules, "models", ModuleType("models"))
    return classes


def reference_tensors(detector: Detector, dtype: torch.dtype = torch.float16) -> dict[str, Tensor]:
    """Return a detector's numbers under the names of the released code, in the half precision of a release."""
    values = detector.state_dict()
    tensors = {theirs: values[ours] for ours, theirs in reference_keys(detector).items()}
    strides = torch.tensor(detector.config.strides)[:, None, None]
    tensors[reference_anchors_key(detector)] = detector.detect.anchors / strides
    return {name: value.to(dtype) if value.is_floating_point() else value for name, value in tensors.items()}


def reference_network(
    detector: Detector, tensors: dict[str, Tensor], classes: dict[str, type[nn.Module]], *, narrow: str
) -> nn.Module:
    """Return a network of the stood-in classes that holds the tensors; `narrow` is the class of its blocks."""
    network = classes["Model"]()
    for path, value in tensors.items():
        module: nn.Module = network
        parents = path.split(".")[:-1]
        for depth, name in enumerate(parents, start=1):
            if name not in dict(module.named_children()):
                module.add_module(name, _module(parents[:depth], classes, narrow))
            module = module.get_submodule(name)
        _hold(module, path.rpartition(".")[2], value)
    layers = network.get_submodule("model")
    last = max(int(name) for name in dict(layers.named_children()))
    layers.add_module(str(last - 3), nn.Upsample(scale_factor=2))
    layers.add_module(str(last - 2), classes["Concat"]())
    detection = classes["Detect"]()
    detection.__dict__.update(layers.get_submodule(str(last)).__dict__)
    detection.stride = torch.tensor(detector.config.strides, dtype=torch.float32)
    setattr(layers, str(last), detection)
    network.__dict__["names"] = list(detector.config.class_names)
    network.__dict__["yaml"] = {"nc": detector.config.classes, "anchors": [[10, 14]]}
    return network


def write_checkpoint(path: Path, network: Any, **entries: Any) -> Path:
    """Write what a stripped release holds beside its network, which is ``best.pt``'s form."""
    content = {
        "epoch": -1,
        "best_fitness": np.array([0.31]),
        "model": network,
        "ema": None,
        "updates": None,
        "optimizer": None,
        "wandb_id": None,
        "date": "2023-10-15T12:00:00",
    }
    torch.save(content | entries, path)
    return path


def _module(path: list[str], classes: dict[str, type[nn.Module]], narrow: str) -> nn.Module:
    name = path[-1]
    if len(path) == 1 or name in ("residual_function", "shortcut"):
        sequence = nn.Sequential()
        if len(path) > 1:
            sequence.add_module("0", classes["mem_update"]())
        return sequence
    if len(path) == 2:  # model.LAYER
        return classes[narrow]()
    if name == "bn":
        return classes["BatchNorm3d1" if path[-2] == "bn" or path[-2].isdigit() else "batch_norm_2d"]()
    return nn.ModuleList() if name == "m" else classes["Snn_Conv2d"]()


def _hold(module: nn.Module, name: str, value: Tensor) -> None:
    if name in ("weight", "bias"):
        module.register_parameter(name, nn.Parameter(value, requires_grad=False))
    else:
        module.register_buffer(name, value)
