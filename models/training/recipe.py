"""A recipe: everything that decides what a training gives, as values, and as the TOML that people write."""

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from eventdet.errors import InputError, OptionError, check_option
from eventdet.evaluation import PROTOCOLS
from eventdet.preprocessing.dataset import Augmentation

from .options import TrainConfig

__all__ = ["ANCHORS", "DataOptions", "Recipe", "ValidationOptions", "format_toml", "read_recipe"]

ANCHORS = ("auto", "gen1", "coco")
"""``auto``: fitted to the boxes of the training data; the others: those of EMS-YOLO."""

FORMATS = ("events", "coco")
ORDERS = ("shuffle", "balanced", "stream")
READS = ("auto", "events", "tensors")

FREE = {"training": ("time_budget_s", "checkpoint_every", "log_every", "tensorboard"), "data": ("workers",)}
"""What may change when a run is resumed."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """What batches are made of.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    format: str = "events"
    """``events``: stores or event files with labels; ``coco``: pictures and an instances file."""

    read: str = "auto"
    """``events``: windows cut as they are read; ``tensors``: those of a store; ``auto``: events where there are any."""

    val: str = ""
    """Validation data; empty: ``val`` in the folder, if it has a ``train`` beside it."""

    batch: int = 8
    """Clips or pictures at once."""

    num_steps: int = 5
    """Steps of the network for a clip; a picture is repeated so often."""

    order: str = "shuffle"
    """``shuffle``; ``balanced``: clips of each class equally often; ``stream``: recordings from beginning to end, the
    membranes kept from clip to clip."""

    unlabelled: str = "ignore"
    """What a window without labels stands for: ``ignore``, nobody looked, or ``empty``, there is no object."""

    workers: int = 0
    """Processes that make batches; the batches are the same whatever their number."""

    fit: str = "scale"
    """How a sensor larger than the network's input is brought into it."""

    mosaic: float = 1.0
    """For pictures: probability that four make one."""

    hsv: tuple[float, float, float] = (0.015, 0.7, 0.4)
    """For pictures: largest change of hue, saturation and value, as shares."""

    def __post_init__(self) -> None:
        """Check every value, see `Raises`."""
        check_option("format", self.format, FORMATS)
        check_option("read", self.read, READS)
        check_option("order", self.order, ORDERS)
        check_option("unlabelled", self.unlabelled, ("ignore", "empty"))
        for name in ("batch", "num_steps"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.workers < 0:
            raise OptionError(f"workers must be >= 0, got {self.workers}")
        if not 0 <= self.mosaic <= 1 or not all(0 <= share <= 1 for share in self.hsv):
            raise OptionError(f"mosaic and hsv must be in 0..1, got {self.mosaic} and {self.hsv}")
        if self.format == "coco" and (self.order != "shuffle" or self.workers):
            raise OptionError(
                f"pictures are shuffled and made in this process, got order {self.order} and {self.workers} workers",
                hint="leave out --order and --workers",
            )


@dataclass(frozen=True, slots=True)
class ValidationOptions:
    """How the averaged weights are scored.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    protocol: str = "rvt"
    """Which boxes and label times count, for recordings: a name of `eventdet.evaluation.PROTOCOLS`."""

    clips: int = 0
    """Most clips or pictures, evenly spaced over the validation data; 0: all."""

    conf: float = 0.001
    """Lowest score of a detection."""

    iou: float = 0.6
    """Overlap that suppresses."""

    def __post_init__(self) -> None:
        """Check every value, see `Raises`."""
        check_option("protocol", self.protocol, PROTOCOLS)
        if self.clips < 0:
            raise OptionError(f"clips must be >= 0, got {self.clips}")
        for name in ("conf", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must be in 0..1, got {getattr(self, name)}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole training.

    Examples
    --------
    >>> recipe = Recipe({"name": "ems-res10", "input_size": [128, 160]}, training=TrainConfig(steps=200))
    >>> Recipe.from_dict(recipe.to_dict()) == recipe
    True
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `DetectorConfig`: name, heads, head, window_us, input_size and others."""

    anchors: str = "auto"
    """One of `ANCHORS`; those in `model`, where it has any, come first."""

    data: DataOptions = field(default_factory=DataOptions)
    """What it learns from."""

    augmentation: Augmentation = field(default_factory=lambda: Augmentation(flip=0.5))
    """What happens to clips and pictures on the way."""

    training: TrainConfig = field(default_factory=TrainConfig)
    """How it learns."""

    validation: ValidationOptions = field(default_factory=ValidationOptions)
    """How it is scored."""

    def __post_init__(self) -> None:
        """Check what concerns several parts.

        Raises
        ------
        OptionError
            When parts do not go together.
        """
        check_option("anchors", self.anchors, ANCHORS)
        if self.data.order == "stream" and self.training.readout != "steps":
            raise OptionError("order stream needs readout steps, got mean", hint="--set training.readout=steps")

    def to_dict(self) -> dict[str, Any]:
        """Return every value as JSON takes it, by section; infinity is a string."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Return the recipe that such values tell; those left out keep their default.

        Raises
        ------
        OptionError
            When a section or key is unknown, or a value is of another type or outside its rule.
        """
        return cls().changed(values)

    def changed(self, values: Mapping[str, Any]) -> "Recipe":
        """Return the recipe with some values changed, by section; raises as :meth:`from_dict`."""
        known = [each.name for each in fields(self)]
        parts: dict[str, Any] = {}
        for name, given in values.items():
            check_option("section", name, known)
            current = getattr(self, name)
            if name == "anchors":
                parts[name] = _converted("anchors", given, str)
            elif not isinstance(given, Mapping):
                raise OptionError(f"{name} must be a section of a recipe, got {given!r}", hint=f"write [{name}]")
            elif is_dataclass(current) and not isinstance(current, type):
                hints = get_type_hints(type(current))
                for key in given:
                    check_option(f"key of [{name}]", key, hints)
                parts[name] = replace(
                    current, **{key: _converted(f"{name}.{key}", value, hints[key]) for key, value in given.items()}
                )
            else:
                parts[name] = {**current, **given}
        return replace(self, **parts)

    def fixed(self) -> dict[str, Any]:
        """Return the values that must be the same when a run is resumed, as ``section.key``."""
        values = self.to_dict()
        flat = {"anchors": values.pop("anchors")}
        for section, members in values.items():
            flat |= {f"{section}.{key}": value for key, value in members.items() if key not in FREE.get(section, ())}
        return flat


def read_recipe(path: Path, base: Recipe | None = None) -> Recipe:
    """Return the recipe of a TOML file; what it leaves out is as in `base`.

    Raises
    ------
    InputError
        When the file cannot be read, or is no TOML.
    OptionError
        When a key is unknown, or a value breaks its rule.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"{path}: recipe cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        return (base or Recipe()).changed(values)
    except OptionError as error:
        raise OptionError(f"{path}: {error.message}", hint=error.hint) from error


def format_toml(values: Mapping[str, Any]) -> str:
    """Return values and sections of values as TOML; those that are None are left out.

    Examples
    --------
    >>> print(format_toml({"anchors": "auto", "training": {"steps": 5, "learning_rate": None}}))
    anchors = "auto"
    <BLANKLINE>
    [training]
    steps = 5
    """
    lines = [_line(key, value) for key, value in values.items() if not isinstance(value, Mapping)]
    for name, section in values.items():
        if isinstance(section, Mapping):
            lines += ["", f"[{name}]", *(_line(key, value) for key, value in section.items() if value is not None)]
    return "\n".join(lines)


def _line(key: str, value: object) -> str:
    # JSON's strings, numbers, truths and lists are TOML's as well.
    return f"{key} = {'inf' if value == 'inf' else json.dumps(value)}"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    return "inf" if value == math.inf else value


def _converted(name: str, value: Any, kind: Any) -> Any:
    """Return a value of TOML, JSON or the command line as its field takes it."""
    if get_origin(kind) in (Union, UnionType):
        if value is None:
            return None
        kind = next(each for each in get_args(kind) if each is not type(None))
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(get_args(kind)):
            raise OptionError(f"{name} must be {len(get_args(kind))} numbers, got {value!r}")
        return tuple(_converted(name, member, float) for member in value)
    if kind is float and (value == "inf" or (isinstance(value, int) and not isinstance(value, bool))):
        return float(value)
    if type(value) is not kind:
        raise OptionError(f"{name} must be of type {kind.__name__}, got {value!r}")
    return value
