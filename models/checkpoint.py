"""The state of a training run in one safetensors file: what it takes to go on as if nothing had happened.

One file, renamed into place, cannot be half of one step and half of another. Nothing is pickled: numbers and names lie
as JSON in its header, the optimiser's moments among the tensors. A digest over all of it finds what safetensors, which
has no checksum, would load.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from eventdet.errors import InputError, OutputError

from .detector import Detector

__all__ = ["Checkpoint", "load_checkpoint", "optimizer_tensors", "restore", "save_checkpoint"]

_DIGEST = "sha256"
_HINT = "remove it to start anew"


class Checkpoint(NamedTuple):
    """What a checkpoint holds."""

    tensors: dict[str, dict[str, Tensor]]
    """By group, ``detector``, ``average``, ``optimizer`` or ``membranes``, and by name."""

    about: dict[str, Any]
    """Values that JSON can hold: the detector's configuration, the recipe, how far the run has come."""


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint to `path`; an older file there is replaced in one go.

    Raises
    ------
    OutputError
        When it cannot be written.
    """
    tensors = {
        f"{group}/{name}": value.detach().cpu().contiguous()
        for group, members in checkpoint.tensors.items()
        for name, value in members.items()
    }
    about = json.dumps(checkpoint.about, sort_keys=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, unfinished, {"about": about, _DIGEST: _digest(tensors, about)})
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(
            f"{path}: checkpoint cannot be written: {getattr(error, 'strerror', None) or error}"
        ) from error


def load_checkpoint(path: Path, *, device: str = "cpu") -> Checkpoint:
    """Return what :func:`save_checkpoint` wrote.

    Parameters
    ----------
    path : Path
        Of the file.
    device : str
        Where its tensors go.

    Raises
    ------
    InputError
        When the file is cut, changed, or something else.
    """
    tensors: dict[str, Tensor] = {}
    try:
        with safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            for name in stored.keys():  # noqa: SIM118 # not a dict
                tensors[name] = stored.get_tensor(name)
        about = json.loads(metadata["about"])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        reason = "it has no description" if isinstance(error, KeyError) else str(error).splitlines()[0]
        raise InputError(f"{path}: not a checkpoint of eventdet: {reason}", hint=_HINT) from error
    if metadata.get(_DIGEST) != _digest(tensors, metadata["about"]):
        raise InputError(f"{path}: contents of the checkpoint do not match its sha256", hint=_HINT)
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        group, _, rest = name.partition("/")
        groups.setdefault(group, {})[rest] = value.to(device)
    return Checkpoint(groups, about)


def restore(
    checkpoint: Checkpoint, path: Path, detector: Detector, optimizer: torch.optim.Optimizer
) -> dict[str, Tensor]:
    """Fill `detector` and `optimizer` from a checkpoint, and return the averaged weights.

    Parameters
    ----------
    checkpoint : Checkpoint
        Its ``about`` has the detector's configuration as ``config``.
    path : Path
        Where it comes from, for messages.
    detector : Detector
        Of the same configuration.
    optimizer : Optimizer
        Over the parameters of `detector`.

    Raises
    ------
    InputError
        When it is of a detector of another configuration, or lacks a part.
    """
    found, wanted = checkpoint.about.get("config"), json.loads(json.dumps(detector.config.to_dict()))
    if found != wanted:
        raise InputError(
            f"{path}: checkpoint of another detector{_difference(found, wanted)}", hint="choose another output folder"
        )
    try:
        detector.load_state_dict(checkpoint.tensors["detector"])
        average = {name: checkpoint.tensors["average"][name] for name in checkpoint.tensors["detector"]}
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in checkpoint.tensors.get("optimizer", {}).items():
            index, _, moment = name.partition("/")
            moments.setdefault(int(index), {})[moment] = _laid_out_as(weights[int(index)], value)
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    except (RuntimeError, KeyError, IndexError, ValueError) as error:
        raise InputError(f"{path}: checkpoint lacks a part of its detector", hint=_HINT) from error
    return average


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the moments of an optimiser by name, as a checkpoint holds them."""
    return {
        f"{index}/{name}": value
        for index, moments in optimizer.state_dict()["state"].items()
        for name, value in moments.items()
        if value is not None
    }


def _difference(found: Any, wanted: Mapping[str, Any]) -> str:
    names = [name for name in wanted if isinstance(found, dict) and found.get(name) != wanted[name]]
    # Anchors follow from the head and from the data, and are long.
    names.sort(key="anchors".__eq__)
    return f": its {names[0]} is {found.get(names[0])}, not {wanted[names[0]]}" if names else ""


def _digest(tensors: Mapping[str, Tensor], about: str) -> str:
    digest = hashlib.sha256(about.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"\n{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.contiguous().flatten().view(torch.uint8).numpy().data if value.numel() else b"")
    return digest.hexdigest()


def _laid_out_as(weight: Tensor, value: Tensor) -> Tensor:
    # Fused optimisers walk the memory of a weight and of its moments side by side.
    return torch.empty_like(weight, dtype=value.dtype).copy_(value) if value.shape == weight.shape else value
