"""Many sources in one TOML file: what holds for all, and what for each."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from eventdet.errors import FormatError, OptionError
from eventdet.sinks.registry import is_line_file

from .config import check_options, read_toml

__all__ = ["SourceSpec", "read_sources"]

_MOST_SOURCES = 1024


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """One source and how it is streamed."""

    name: str
    """Tells its log lines and metrics from those of others."""

    options: Mapping[str, object] = field(default_factory=dict)
    """Options of ``eventdet stream``, with ``_`` for ``-``, and ``source``."""

    @property
    def source(self) -> str:
        """Path or address of the events."""
        return str(self.options["source"])

    @property
    def is_live(self) -> bool:
        """Whether events come from an address, which may answer later, rather than from a file."""
        return "://" in self.source and not self.source.startswith("synthetic://")

    @property
    def arguments(self) -> list[str]:
        """What follows ``eventdet stream``."""
        arguments = []
        for name, value in self.options.items():
            option = f"--{name.replace('_', '-')}"
            if name == "source" or value is None or value is False:
                continue
            if value is True:
                arguments.append(option)
            else:
                values = value if isinstance(value, list) else [value]
                arguments += [f"{option}={one}" for one in values]
        return [*arguments, "--", self.source]

    def restarted(self, number: int) -> "SourceSpec":
        """Return the source as it is started for the `number`-th time again, so that nothing written is lost.

        Lines are continued. Where an output cannot be, all files get the number into their names.
        """
        options = dict(self.options)
        outputs = [str(one) for one in _as_list(options.get("output"))]
        files = [one for one in outputs if "://" not in one and one != "-"]
        if all(map(is_line_file, files)) and any(one.endswith(".jsonl") for one in files):
            options["resume"] = True
        elif files:
            options["output"] = [_numbered(one, number) if one in files else one for one in outputs]
        if options.get("record") is not None:
            options["record"] = _numbered(str(options["record"]), number)
        return replace(self, options=options)


def read_sources(
    path: str | Path, lists: Mapping[str, bool], overrides: Mapping[str, object] | None = None
) -> list[SourceSpec]:
    """Return the sources of a TOML file.

    Parameters
    ----------
    path : str or Path
        A table ``[defaults]`` of options for all, and one ``[[source]]`` a source, which needs ``name`` and ``source``.
    lists : mapping of str to bool
        As `eventdet.service.read_config` takes it.
    overrides : mapping, optional
        Options that go before those of the file, as those of the command line do.

    Raises
    ------
    InputError, FormatError
        When the file cannot be read, or is no TOML.
    OptionError
        When a key is unknown, a name or output is used twice, or there is no source.
    """
    document = read_toml(path)
    unknown = sorted(document.keys() - {"defaults", "source"})
    tables, defaults = document.get("source"), document.get("defaults", {})
    if unknown or not isinstance(tables, list) or not isinstance(defaults, dict):
        found = f"unknown key {unknown[0]!r}" if unknown else "no [[source]]"
        raise FormatError(f"{path}: must hold [defaults] and [[source]] tables alone, got {found}")
    if not 0 < len(tables) <= _MOST_SOURCES:
        raise OptionError(f"{path}: must hold 1..{_MOST_SOURCES} sources, got {len(tables)}")
    shared = check_options(defaults, lists, where=f"{path}: defaults")
    specs = [_spec(table, shared, lists, where=f"{path}: source {k}") for k, table in enumerate(tables, 1)]
    specs = [replace(spec, options={**spec.options, **(overrides or {})}) for spec in specs]
    _check_unique(specs, str(path))
    return specs


def _spec(table: object, shared: Mapping[str, object], lists: Mapping[str, bool], *, where: str) -> SourceSpec:
    if not isinstance(table, dict) or not isinstance(table.get("name"), str) or not table["name"]:
        raise OptionError(f"{where}: needs a name", hint='write name = "front"')
    name = table["name"]
    own = check_options({key: value for key, value in table.items() if key != "name"}, lists, where=f"{where} ({name})")
    if "source" not in own:
        raise OptionError(f"{where} ({name}): needs a source", hint='write source = "tcp://127.0.0.1:7770"')
    if own["source"] == "-":
        raise OptionError(f"{where} ({name}): the standard input is one, sources are many", hint="give an address")
    # One core a source, unless somebody knows better: more threads would take it from the others.
    return SourceSpec(name, {"threads": 1, **shared, **own})


def _check_unique(specs: list[SourceSpec], where: str) -> None:
    names = [spec.name for spec in specs]
    targets = [
        str(target)
        for spec in specs
        for target in (*_as_list(spec.options.get("output")), *_as_list(spec.options.get("record")))
        if not str(target).startswith("udp://")
    ]
    for kind, found in (("name", names), ("output", targets)):
        twice = sorted({one for one in found if found.count(one) > 1})
        if twice:
            raise OptionError(f"{where}: {kind} {twice[0]!r} is given to more than one source")


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _numbered(target: str, number: int) -> str:
    path = Path(target)
    # Pictures have a number in their name already; the folder takes this one.
    if "%" in path.name:
        return str(path.parent / f"r{number}" / path.name)
    return str(path.with_name(f"{path.stem}-r{number}{path.suffix}"))
