"""Checkpoints that hold a whole pickled network, as ultralytics' YOLOv5 and EMS-YOLO write them, without running them.

Such a file names classes of a code base that is not here, and could name anything else: `pickle.load` would call it.
So the names are listed first, from the opcodes alone; a name that does not belong into such a checkpoint ends the
import. Those that do are replaced by inert classes, which keep what they are given and have no behaviour, and torch's
own restricted unpickler (``weights_only=True``) does the reading.
"""

import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.serialization import get_unsafe_globals_in_checkpoint, safe_globals

from eventdet.errors import FormatError, InputError

__all__ = ["Inert", "ReferenceCheckpoint", "read_reference_checkpoint"]

_EXPECTED = re.compile(
    r"models\.(common|yolo|experimental)\.\w+"
    r"|torch\.nn\.modules\.\w+\.\w+"
    r"|torch\.nn\.parallel\.(distributed\.DistributedDataParallel|data_parallel\.DataParallel)"
    r"|numpy\.(_?core\.multiarray\.(scalar|_reconstruct)|dtype|ndarray)|numpy\.dtypes\.\w+"
    r"|pathlib\.\w*Path|datetime\.datetime"
)
"""Names that such checkpoints hold: layers, wrappers of them, and numbers, paths and dates beside the network."""

_LARGEST_PICKLE = 64 * 1024 * 1024
"""Bytes; the pickle holds the structure alone, a few hundred kB. The numbers lie beside it."""

_BROKEN = (
    pickle.UnpicklingError, struct.error, RuntimeError, ValueError, TypeError, LookupError, AttributeError, EOFError,
    OSError, AssertionError, ArithmeticError,
)  # fmt: skip
"""What torch's reader raises on files with changed bytes."""

_DEEPEST = 32
"""Modules within modules."""


class Inert:
    """Stands for an object of the checkpoint: keeps its state, and does nothing."""

    state: dict[str, Any]
    """What the object consisted of; empty for one that was never filled."""

    def __new__(cls, *_: Any) -> "Inert":
        """Make an object from any arguments; they are not kept."""
        made = super().__new__(cls)
        made.state = {}
        return made

    def __init__(self, *_: Any) -> None: ...

    def __setstate__(self, state: Any) -> None:
        """Keep what the object consists of."""
        self.state = state if isinstance(state, dict) else {"state": state}

    def children(self) -> dict[str, "Inert"]:
        """Return the modules within a module, by name."""
        return {name: child for name, child in self._entries("_modules") if isinstance(child, Inert)}

    def tensors(self, *, depth: int = _DEEPEST) -> Iterator[tuple[str, Tensor]]:
        """Yield the parameters and buffers of a module with their dotted names, as its ``state_dict`` would.

        Raises
        ------
        FormatError
            When modules lie deeper than any network's.
        """
        if depth == 0:
            raise FormatError(f"modules must lie at most {_DEEPEST} deep")
        for group in ("_parameters", "_buffers"):
            for name, value in self._entries(group):
                if isinstance(value, Tensor):
                    yield name, value
        for name, child in self.children().items():
            for path, value in child.tensors(depth=depth - 1):
                yield f"{name}.{path}", value

    def _entries(self, group: str) -> list[tuple[str, Any]]:
        entries = self.state.get(group)
        return [(str(name), value) for name, value in entries.items()] if isinstance(entries, dict) else []


class ReferenceCheckpoint(NamedTuple):
    """What is of use in a checkpoint."""

    tensors: dict[str, Tensor]
    """Parameters and buffers by their names in the network: ``model.0.conv.weight``."""

    kinds: dict[int, str]
    """Names of the classes of the layers, by their place in the network's list."""

    strides: tuple[int, ...]
    """Input pixels a cell by output scale; empty when the file has none."""

    class_names: tuple[str, ...]
    """One name a class; empty when the file has none."""

    epoch: int
    """Last epoch; -1 in files that were stripped for release."""

    source: str
    """``ema`` or ``model``: which of the two networks of the file this is."""

    @property
    def is_half(self) -> bool:
        """Whether no tensor has more than half precision."""
        return all(value.dtype == torch.float16 for value in self.tensors.values() if value.is_floating_point())


def read_reference_checkpoint(path: str | Path) -> ReferenceCheckpoint:
    """Return the network in a checkpoint; nothing that the file names is imported or called.

    Parameters
    ----------
    path : str or Path
        A ``.pt`` of the form ``{"model": network, "ema": network or None, ...}``.

    Returns
    -------
    ReferenceCheckpoint
        The averaged network when the file has one, else the raw one.

    Raises
    ------
    InputError
        When the file is missing.
    FormatError
        When it is no such checkpoint, is broken, or names something that does not belong into one.
    """
    path = Path(path)
    content = _load(path, _check_names(path))
    networks = content if isinstance(content, dict) else {"model": content}
    source = "ema" if isinstance(networks.get("ema"), Inert) else "model"
    network = networks.get(source)
    if not isinstance(network, Inert):
        raise FormatError(
            f"{path}: must hold a network under 'model' or 'ema', holds {', '.join(map(str, networks)) or 'nothing'}",
            hint="give a best.pt or last.pt",
        )
    network = network.children().get("module", network)
    listed = network.children().get("model")
    if listed is None:
        raise FormatError(f"{path}: the network must be a list of layers, is a {type(network).__name__}")
    layers = {int(name): layer for name, layer in listed.children().items() if name.isdigit()}
    if len(layers) != len(listed.children()) or not layers:
        raise FormatError(f"{path}: layers must be numbered, got {', '.join(listed.children()) or 'none'}")
    epoch = networks.get("epoch")
    return ReferenceCheckpoint(
        tensors=dict(network.tensors()),
        kinds={index: type(layer).__name__ for index, layer in layers.items()},
        strides=_strides(layers[max(layers)]),
        class_names=_names(network),
        epoch=epoch if isinstance(epoch, int) else -1,
        source=source,
    )


def _check_names(path: Path) -> list[str]:
    """Return the names that the file would have imported, all of them expected."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [entry for entry in archive.infolist() if entry.filename.endswith("data.pkl")]
    except zipfile.BadZipFile as error:
        raise FormatError(f"{path}: not a checkpoint of PyTorch 1.6 or later: {error}") from error
    if len(pickles) != 1 or pickles[0].file_size > _LARGEST_PICKLE:
        raise FormatError(f"{path}: must hold one data.pkl of at most {_LARGEST_PICKLE >> 20} MiB")
    try:
        names = sorted(get_unsafe_globals_in_checkpoint(path))
    except _BROKEN as error:
        raise FormatError(f"{path}: cannot be listed without running it: {_first_line(error)}") from error
    foreign = [name for name in names if not (_EXPECTED.fullmatch(name) or name == "builtins.set")]
    if foreign:
        raise FormatError(
            f"{path}: refused, names {', '.join(foreign[:3])}, which no network needs",
            hint="it could run commands; do not load it with other tools either",
        )
    return names


def _load(path: Path, names: list[str]) -> Any:
    stubs: list[Any] = [
        (set if name == "builtins.set" else type(name.rpartition(".")[2], (Inert,), {}), name) for name in names
    ]
    try:
        # A broken file makes torch warn of its version as well.
        with warnings.catch_warnings(), safe_globals(stubs):
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise FormatError(f"{path}: cannot be read: {_first_line(error)}", hint="copy it again") from error


def _strides(detection: Inert) -> tuple[int, ...]:
    strides = detection.state.get("stride")
    return tuple(int(stride) for stride in strides.flatten()) if isinstance(strides, Tensor) else ()


def _names(network: Inert) -> tuple[str, ...]:
    names = network.state.get("names")
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
