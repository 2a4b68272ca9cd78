"""The state of a training run in one safetensors file: what it takes to go on as if nothing had happened.

One file, renamed into place, cannot be half of one step and half of another. Nothing is pickled.
"""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eventdet.errors import InputError

from .detector import Detector

__all__ = ["load_checkpoint", "save_checkpoint"]


def save_checkpoint(
    path: Path, detector: Detector, optimizer: torch.optim.Optimizer, average: dict[str, Tensor], *, step: int
) -> None:
    """Write a run to `path`; an older file there is replaced in one go.

    Parameters
    ----------
    path : Path
        Where to.
    detector : Detector
        With the raw weights.
    optimizer : Optimizer
        Its moments are kept.
    average : dict
        Averaged weights by name.
    step : int
        Steps done.
    """
    tensors = {f"detector/{name}": value for name, value in detector.state_dict().items()}
    tensors |= {f"average/{name}": value for name, value in average.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in moments.items() if value is not None}
    metadata = {"step": str(step), "config": json.dumps(detector.config.to_dict(), sort_keys=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    save_file({name: value.contiguous() for name, value in tensors.items()}, unfinished, metadata)
    unfinished.replace(path)


def load_checkpoint(path: Path, detector: Detector, optimizer: torch.optim.Optimizer) -> tuple[int, dict[str, Tensor]]:
    """Fill `detector` and `optimizer` from `path`, and return the steps done and the averaged weights.

    Parameters
    ----------
    path : Path
        What :func:`save_checkpoint` wrote.
    detector : Detector
        Of the same configuration.
    optimizer : Optimizer
        Over the same parameters.

    Returns
    -------
    step : int
        Steps done.
    average : dict
        Averaged weights by name.

    Raises
    ------
    InputError
        When the file is broken, or is of a detector of another configuration.
    """
    groups: dict[str, dict[str, Tensor]] = {"detector": {}, "average": {}, "optimizer": {}}
    device = str(next(detector.parameters()).device)
    try:
        with safe_open(path, framework="pt", device=device) as stored:
            metadata = stored.metadata() or {}
            for name in stored.keys():  # noqa: SIM118 # not a dict
                group, _, rest = name.partition("/")
                groups[group][rest] = stored.get_tensor(name)
    except (SafetensorError, OSError, KeyError) as error:
        raise InputError(f"{path}: not a checkpoint of eventdet: {error}", hint="remove it to start anew") from error
    if metadata.get("config") != json.dumps(detector.config.to_dict(), sort_keys=True):
        raise InputError(
            f"{path}: checkpoint of another detector than {detector.config.name}", hint="choose another path"
        )
    detector.load_state_dict(groups["detector"])
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in groups["optimizer"].items():
        index, _, moment = name.partition("/")
        moments.setdefault(int(index), {})[moment] = _laid_out_as(weights[int(index)], value)
    optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"]), groups["average"]


def _laid_out_as(weight: Tensor, value: Tensor) -> Tensor:
    # Fused optimisers walk the memory of a weight and of its moments side by side.
    return torch.empty_like(weight, dtype=value.dtype).copy_(value) if value.shape == weight.shape else value
