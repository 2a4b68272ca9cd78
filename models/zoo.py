"""Weights on disk: a safetensors file, in half precision as a rule, and JSON beside it that says what they are."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from eventdet.errors import InputError

from ._files import replace_file
from .config import DetectorConfig
from .detector import Detector

__all__ = ["bundled_names", "detector_metadata", "load_detector", "save_detector"]

_BUNDLED = Path(__file__).parent / "weights"
_FORMAT = 1


def bundled_names() -> list[str]:
    """Return the names of the weights that come with eventdet, sorted."""
    return sorted(path.stem for path in _BUNDLED.glob("*.safetensors"))


def save_detector(
    detector: Detector, path: str | Path, metadata: dict[str, Any] | None = None, *, half: bool = True
) -> Path:
    """Write a detector as ``path`` (.safetensors) and its description beside it (.json).

    Parameters
    ----------
    detector : Detector
        With its weights.
    path : str or Path
        Ends in ``.safetensors``, which is added when missing.
    metadata : dict, optional
        What else to tell: data, figures, commands. It must be JSON; ``synthetic`` says what the weights learnt from.
    half : bool
        Store floating tensors in half precision; else as they are, in twice the space.

    Returns
    -------
    Path
        The weights file.
    """
    target = _weights_path(path)
    tensors = {
        name: (value.half() if half and value.is_floating_point() else value).cpu().contiguous()
        for name, value in detector.state_dict().items()
    }
    content = save(tensors)
    described = {
        "format": _FORMAT,
        "sha256": hashlib.sha256(content).hexdigest(),
        "config": detector.config.to_dict(),
        "metadata": metadata or {},
    }
    replace_file(target, content)
    replace_file(target.with_suffix(".json"), (json.dumps(described, indent=2) + "\n").encode())
    return target


def load_detector(name_or_path: str | Path) -> Detector:
    """Return a detector with its weights, in evaluation mode.

    Parameters
    ----------
    name_or_path : str or Path
        Name of bundled weights, or a ``.safetensors`` file with its ``.json`` beside it.

    Returns
    -------
    Detector
        Float32; `weights_hash` is the SHA-256 of the file.

    Raises
    ------
    InputError
        When there are no such weights, or they are broken; the message lists the bundled names.
    """
    path = _weights_path(name_or_path)
    bundled = _BUNDLED / path.name
    if not path.is_file() and len(Path(name_or_path).parts) == 1 and bundled.is_file():
        path = bundled
    if not path.is_file():
        names = ", ".join(bundled_names()) or "none"
        raise InputError(
            f"no weights {str(name_or_path)!r}; bundled: {names}", hint="give a name or a .safetensors file"
        )
    content = path.read_bytes()
    described = _read_description(path.with_suffix(".json"))
    weights_hash = hashlib.sha256(content).hexdigest()
    if described.get("sha256") != weights_hash:
        raise InputError(f"{path}: contents do not match the sha256 in its .json", hint="copy both files again")
    try:
        detector = Detector(DetectorConfig.from_dict(described["config"]))
        tensors = load(content)
        detector.load_state_dict({name: _widen(value) for name, value in tensors.items()})
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{path}: weights do not fit their description: {reason}", hint="copy both files again"
        ) from error
    detector.weights_hash = weights_hash
    return detector.eval()


def detector_metadata(path: str | Path) -> dict[str, Any]:
    """Return what :func:`save_detector` was told beside the detector.

    Raises
    ------
    InputError
        When there is no description of such weights, or it is broken.
    """
    metadata = _read_description(_weights_path(path).with_suffix(".json")).get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _weights_path(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.name in ("", ".."):
        raise InputError(f"weights must be named, got {str(name_or_path)!r}", hint="give a name or a .safetensors file")
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")


def _read_description(path: Path) -> dict[str, Any]:
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no readable description of the weights: {error}", hint="copy it again") from error
    if not isinstance(described, dict) or described.get("format") != _FORMAT:
        raise InputError(f"{path}: not a description of format {_FORMAT}", hint="update eventdet")
    return described


def _widen(value: torch.Tensor) -> torch.Tensor:
    return value.float() if value.is_floating_point() else value
