"""Arguments of a named choice, as the command line writes them: ``key=value,key=value``."""

from collections.abc import Mapping
from pathlib import Path

from .errors import OptionError
from .units import parse_duration_us

__all__ = ["parse_arguments"]

_TRUTHS = {"true": True, "false": False}


def parse_arguments(what: str, text: str, kinds: Mapping[str, object]) -> dict[str, object]:
    """Return the values that a text gives, by parameter.

    Parameters
    ----------
    what : str
        What takes the arguments, for messages: ``filter refractory``.
    text : str
        Arguments joined by commas; empty for none.
    kinds : mapping of str to type
        Type of each parameter: bool, int, str, Path, or else float. One whose name ends in ``_us`` is written without
        that ending and with a unit: ``time=1ms`` for ``time_us``.

    Raises
    ------
    OptionError
        When an argument is unknown, or a value breaks its rule.

    Examples
    --------
    >>> parse_arguments("filter refractory", "time=1ms", {"time_us": int})
    {'time_us': 1000}
    """
    names = {name.removesuffix("_us"): name for name in kinds}
    values = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not equals or key not in names:
            usage = ",".join(f"{name}=…" for name in names) or "no arguments"
            raise OptionError(f"{what} takes {usage}, got {part!r}", hint=f"write {what.split()[-1]}:{usage}")
        values[names[key]] = _value(f"{what}: {key}", value, names[key], kinds[names[key]])
    return values


def _value(name: str, text: str, parameter: str, kind: object) -> object:
    if parameter.endswith("_us"):
        return parse_duration_us(text, name=name)
    if kind is bool:
        if text not in _TRUTHS:
            raise OptionError(f"{name} must be true or false, got {text!r}")
        return _TRUTHS[text]
    if kind is str or kind is Path:
        return text if kind is str else Path(text)
    try:
        return int(text) if kind is int else float(text)
    except ValueError:
        raise OptionError(f"{name} must be a number, got {text!r}") from None
