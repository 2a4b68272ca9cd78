"""Options of a command as a TOML file."""

import difflib
import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from eventdet.errors import FormatError, InputError, OptionError

__all__ = ["check_options", "format_config", "read_config", "read_toml"]


def read_toml(path: str | Path) -> dict[str, object]:
    """Return what a TOML file holds.

    Raises
    ------
    InputError
        When it cannot be read.
    FormatError
        When it is no TOML; the message names line and column.
    """
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"{path}: no TOML: {error}") from error


def read_config(path: str | Path, lists: Mapping[str, bool]) -> dict[str, object]:
    """Return the options in a TOML file.

    Parameters
    ----------
    path : str or Path
        A file of ``key = value`` lines without tables; a key is an option without its dashes in front, like
        ``max-det``.
    lists : mapping of str to bool
        Every option that may be set, with ``_`` for ``-``, and whether it takes a list.

    Raises
    ------
    InputError, FormatError
        As `read_toml`.
    OptionError
        When a key is unknown, or its value is of a kind that no option takes.
    """
    return check_options(read_toml(path), lists, where=str(path))


def check_options(table: Mapping[str, object], lists: Mapping[str, bool], *, where: str) -> dict[str, object]:
    """Return the options of a table, with ``_`` for ``-``; raises `OptionError` as `read_config` does."""
    options: dict[str, object] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name not in lists:
            near = difflib.get_close_matches(name, lists, n=1)
            meant = f"; did you mean {near[0].replace('_', '-')}?" if near else ""
            known = ", ".join(sorted(other.replace("_", "-") for other in lists))
            raise OptionError(f"{where}: unknown key {key!r}{meant}", hint=f"known are {known}")
        if name in options:
            raise OptionError(f"{where}: {key!r} is given twice, with - and _")
        options[name] = _plain_value(value, f"{where}: {key}", takes_list=lists[name])
    return options


def _plain_value(value: object, where: str, *, takes_list: bool) -> object:
    if takes_list:
        values = value if isinstance(value, list) else [value]
        return [_plain_value(one, where, takes_list=False) for one in values]
    if not isinstance(value, bool | int | float | str):
        raise OptionError(f"{where} must be text, a number, true or false, got {value!r}")
    return value


def format_config(options: Mapping[str, object]) -> str:
    """Return options as lines of TOML that `read_config` takes; those that are None are left out.

    Examples
    --------
    >>> print(format_config({"source": "a.dat", "max_det": 100, "start": None, "output": ["a.jsonl"]}))
    source = "a.dat"
    max-det = 100
    output = ["a.jsonl"]
    """
    lines = []
    for name, value in options.items():
        if value is None or value == [] or value == ():
            continue
        listed = list(value) if isinstance(value, list | tuple) else value
        # JSON is TOML for text, numbers, truth values and lists of them.
        lines.append(f"{name.replace('_', '-')} = {json.dumps(listed, ensure_ascii=False)}")
    return "\n".join(lines)
