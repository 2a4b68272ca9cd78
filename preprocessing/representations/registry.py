"""What a representation is, and the register of those there are.

A representation is a function that fills one tensor from the events of one window. It is given only those, each where
it lands in the tensor: nothing that came before the window and nothing after it can change a cell, so a window cut from
a file, a store or a live stream gives the same bits in any order of asking.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from eventdet.arguments import parse_arguments
from eventdet.errors import FormatError, OptionError, check_option
from eventdet.events import Events
from eventdet.geometry import PixelMap, SensorSize

from ._place import place_events

__all__ = ["REPRESENTATIONS", "Definition", "Representation", "Tensor", "representation"]

Tensor: TypeAlias = NDArray[Any]
"""What a representation fills: an array of its `shape` and `dtype`."""

Value: TypeAlias = bool | int | float | str
"""What a parameter of a representation can be."""

FillFunction = TypeVar("FillFunction", bound=Callable[..., None])

_LARGEST_NUM_BINS = 4096
"""Keeps bins times window length far inside int64, for any window of a recording."""

_LONGEST_WINDOW_US = 1 << 48

_KNOWN_AXES = {"bin", "polarity", "row", "column"}

_NAME = re.compile(r"[a-z][a-z0-9_]*")
"""A name is a folder of the store and a word of the command line."""


class Definition(NamedTuple):
    """What the register knows of one representation."""

    axes: tuple[str, ...]
    """Names of the axes: bin, polarity, row, column, or a parameter that is its length."""

    dtype: np.dtype[Any]
    """Type of one cell."""

    fill: Callable[..., int]
    """Takes events, t0_us, t1_us, pixel map, tensor and the parameters; returns how many events landed."""

    parameters: Mapping[str, Value]
    """Each parameter with its default."""

    shape: Callable[..., tuple[int, ...]] | None
    """Takes bins, size and the parameters, where the axes do not tell the shape."""

    check: Callable[..., None] | None
    """Takes the parameters and raises OptionError when one breaks its rule."""


REPRESENTATIONS: dict[str, Definition] = {}
"""Every representation by name."""


def representation(
    name: str,
    *,
    axes: tuple[str, ...],
    dtype: DTypeLike,
    shape: Callable[..., tuple[int, ...]] | None = None,
    check: Callable[..., None] | None = None,
) -> Callable[[FillFunction], FillFunction]:
    """Register the decorated function under a name.

    The function is called as ``function(events, t0_us, t1_us, size, out, **parameters)`` and fills all of `out`, which
    holds anything before. Its events lie in the window, in time order, and on the pixels of the tensor. Its parameters
    are keyword-only and have defaults; one that ends in ``_us`` is a duration.

    Parameters
    ----------
    name : str
        Lower case letters, digits and underscores.
    axes : tuple of str
        Axes of the tensor: ``bin``, ``polarity``, ``row``, ``column``, or an integer parameter that is its length.
    dtype : dtype
        Type of one cell.
    shape : callable, optional
        Called as ``shape(bins, size, **parameters)`` where the axes do not tell the shape.
    check : callable, optional
        Called as ``check(**parameters)``; raises OptionError for parameters that do not go.

    Raises
    ------
    OptionError
        When the name breaks its rule or is taken, a parameter has no default, or the length of an axis is unknown.

    Examples
    --------
    >>> @representation("newest_polarity", axes=("row", "column"), dtype="i1")
    ... def newest_polarity(events, t0_us, t1_us, size, out):
    ...     out[:] = 0
    ...     out[events.y, events.x] = np.where(events.p, 1, -1)
    >>> Representation("newest_polarity", 1).shape(SensorSize(2, 3))
    (2, 3)
    """

    def register(function: FillFunction) -> FillFunction:
        parameters = _parameters_of(name, function)

        def fill(
            events: Events | NDArray[np.uint32],
            t0_us: int,
            t1_us: int,
            pixel_map: PixelMap,
            out: Tensor,
            **given: Value,
        ) -> int:
            placed = place_events(events, t0_us, t1_us, pixel_map)
            function(placed, t0_us, t1_us, pixel_map.target, out, **given)
            return len(placed)

        add_definition(name, Definition(axes, np.dtype(dtype), fill, parameters, shape, check))
        return function

    return register


def add_definition(name: str, definition: Definition) -> None:
    """Put a definition into the register; raises as :func:`representation`."""
    if not _NAME.fullmatch(name):
        raise OptionError(f"a representation's name must be lower case letters, digits and _, got {name!r}")
    if name in REPRESENTATIONS:
        raise OptionError(f"the representation {name!r} is registered already", hint="choose another name")
    lengths = {key for key, value in definition.parameters.items() if type(value) is int} | _KNOWN_AXES
    unknown = [axis for axis in definition.axes if axis not in lengths]
    if unknown and definition.shape is None:
        raise OptionError(f"the representation {name!r} must say how long its axis {unknown[0]!r} is: shape=…")
    REPRESENTATIONS[name] = definition


def _parameters_of(name: str, function: Callable[..., None]) -> dict[str, Value]:
    found = inspect.signature(function).parameters.values()
    keywords = [parameter for parameter in found if parameter.kind is inspect.Parameter.KEYWORD_ONLY]
    for parameter in keywords:
        if not isinstance(parameter.default, bool | int | float | str):
            raise OptionError(
                f"the parameter {parameter.name!r} of the representation {name!r} must have a bool, int, float or str "
                "as default"
            )
    return {parameter.name: parameter.default for parameter in keywords}


@dataclass(frozen=True, slots=True, init=False)
class Representation:
    """A chosen tensor: which one, how many time bins, and its parameters.

    Parameters
    ----------
    name : str
        A registered name, or ``module.name``: then the module, which registers it, is imported first.
    bins : int
        Time bins a window is cut into, 1 to 4096.
    **parameters : bool, int, float or str
        Parameters of the representation that shall not keep their default.

    Raises
    ------
    OptionError
        When the name is not registered, `bins` is outside its range, or a parameter is unknown or breaks its rule.

    Examples
    --------
    >>> Representation("histogram", bins=5).shape(SensorSize(240, 304))
    (5, 2, 240, 304)
    >>> Representation("openeb_diff", 1, clip=2.0).to_dict()
    {'name': 'openeb_diff', 'bins': 1, 'parameters': {'max_incr_per_pixel': 5.0, 'clip': 2.0}}
    """

    name: str
    """Its name in the register."""

    bins: int
    """Time bins a window is cut into."""

    parameters: tuple[tuple[str, Value], ...]
    """Each parameter and its value, those left at their default too."""

    def __init__(self, name: str, bins: int, **parameters: Value) -> None:
        definition = _definition(name)
        if not 1 <= bins <= _LARGEST_NUM_BINS:
            raise OptionError(f"bins must be in 1..{_LARGEST_NUM_BINS}, got {bins}", hint="use --bins 5")
        values = dict(definition.parameters)
        for key, value in parameters.items():
            values[key] = _checked(f"{name}: {key}", value, values.get(key), is_length=key in definition.axes)
        if definition.check is not None:
            definition.check(**values)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "bins", bins)
        object.__setattr__(self, "parameters", tuple(values.items()))

    @classmethod
    def parse(cls, text: str, *, bins: int) -> "Representation":
        """Return the representation that a text names, such as ``tore:depth=4,max=1s``; raises as the class.

        Examples
        --------
        >>> dict(Representation.parse("time_surface:tau=30ms", bins=1).parameters)
        {'decay': 'exp', 'tau_us': 30000}
        """
        name, _, rest = text.partition(":")
        kinds = {key: type(default) for key, default in _definition(name).parameters.items()}
        values: dict[str, Any] = parse_arguments(f"representation {name}", rest, kinds)
        return cls(name, bins, **values)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> "Representation":
        """Return the representation that `to_dict` wrote; other fields beside its own are left aside.

        Raises
        ------
        OptionError
            When it is not registered. A module that the fields name is not imported: data must not choose code.
        FormatError
            When the fields are not those of a representation.
        """
        named, bins, parameters = fields.get("name"), fields.get("bins"), fields.get("parameters", {})
        if not isinstance(named, str) or type(bins) is not int or not isinstance(parameters, Mapping):
            raise FormatError(
                "a representation must have a name, a number of bins and named parameters, "
                f"got {named!r:.40}, {bins!r:.40} and {parameters!r:.40}"
            )
        name = named.rpartition(".")[2]
        if name not in REPRESENTATIONS:
            raise OptionError(
                f"the representation {named} is not registered", hint="import the module that registers it first"
            )
        try:
            return cls(name, bins, **parameters)
        except (OptionError, TypeError, OverflowError) as error:
            # A name of a parameter that is no text, or one of the constructor's own, is a TypeError.
            raise FormatError(f"not a {name}: {error}") from error

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of one cell."""
        return _definition(self.name).dtype

    @property
    def axes(self) -> tuple[str, ...]:
        """Names of the axes of one tensor, such as ``("bin", "polarity", "row", "column")``."""
        return _definition(self.name).axes

    def shape(self, size: SensorSize) -> tuple[int, ...]:
        """Return the shape of one tensor of `size` rows and columns."""
        definition, values = _definition(self.name), dict(self.parameters)
        if definition.shape is not None:
            return definition.shape(self.bins, size, **values)
        lengths = {**values, "bin": self.bins, "polarity": 2, "row": size.height, "column": size.width}
        return tuple(int(lengths[axis]) for axis in definition.axes)

    def to_dict(self) -> dict[str, Any]:
        """Return name, bins and parameters as JSON values; `from_dict` reads them back."""
        return {"name": self.name, "bins": self.bins, "parameters": dict(self.parameters)}

    def fill(
        self, events: Events | NDArray[np.uint32], t0_us: int, t1_us: int, pixel_map: PixelMap, out: Tensor
    ) -> int:
        """Fill all of `out` from the window ``[t0_us, t1_us)``, and return how many events landed in it.

        Parameters
        ----------
        events : Events or ndarray, shape (n, 2), uint32
            Events or DAT records, in time order; those outside the window are left out.
        t0_us, t1_us : int
            The window, microseconds.
        pixel_map : PixelMap
            Where the sensor's pixels land.
        out : ndarray
            C-contiguous, of `shape(pixel_map.target)` and `dtype`.

        Returns
        -------
        int
            Events inside the window and not cut away.

        Raises
        ------
        OptionError
            When the window is empty or longer than 2**48 us, an array has another shape or dtype, or the events of a
            representation that goes by their order are in none.
        """
        _check_window(t0_us, t1_us)
        shape = self.shape(pixel_map.target)
        if out.shape != shape or out.dtype != self.dtype or not (out.flags.c_contiguous and out.flags.writeable):
            raise OptionError(
                f"out must be a writable C-ordered {self.dtype} {shape} array, got {out.dtype} {out.shape}"
            )
        return _definition(self.name).fill(events, t0_us, t1_us, pixel_map, out, **dict(self.parameters))

    def __call__(
        self,
        events: Events | NDArray[np.uint32],
        t0_us: int,
        t1_us: int,
        pixel_map: PixelMap,
        out: Tensor | None = None,
    ) -> Tensor:
        """Return the tensor of the window ``[t0_us, t1_us)``, in `out` when it is given; otherwise as `fill`."""
        tensor = np.empty(self.shape(pixel_map.target), self.dtype) if out is None else out
        self.fill(events, t0_us, t1_us, pixel_map, tensor)
        return tensor


def _definition(name: str) -> Definition:
    """Return what the register knows of a name, after the import of the module that it begins with."""
    module, _, own = name.rpartition(".")
    if module:
        try:
            import_module(module)
        except ImportError as error:
            raise OptionError(
                f"the module of the representation {name} cannot be imported ({error})",
                hint=f"add the folder of {module} to PYTHONPATH",
            ) from error
    return REPRESENTATIONS[check_option("representation", own, REPRESENTATIONS)]


def _checked(name: str, value: Value, default: Value | None, *, is_length: bool) -> Value:
    """Return the value of a parameter in the type of its default."""
    if default is None:
        raise OptionError(f"{name} is no parameter of the representation")
    kinds = (int, float) if isinstance(default, float) else type(default)
    if not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
        raise OptionError(f"{name} must be of type {type(default).__name__}, got {value!r}")
    if is_length and not 1 <= int(value) <= _LARGEST_NUM_BINS:
        raise OptionError(f"{name} must be in 1..{_LARGEST_NUM_BINS}, got {value}")
    if name.endswith("_us") and int(value) < 0:
        raise OptionError(f"{name} must be >= 0, got {value}")
    return type(default)(value)


def _check_window(t0_us: int, t1_us: int) -> None:
    if not 0 < t1_us - t0_us <= _LONGEST_WINDOW_US:
        raise OptionError(f"window must be (t0, t1) with t0 < t1 <= t0 + 2**48 us, got ({t0_us}, {t1_us})")
