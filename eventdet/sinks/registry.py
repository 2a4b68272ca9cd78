"""From the name of an output to its sink: its scheme chooses, or else its suffix.

A new kind is one entry of a table: a function that opens it, and one that looks at its target before anything is
touched.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from eventdet.errors import OptionError

from ._files import check_target, writing
from ._lines import StandardOutput
from .base import Sink
from .coco import CocoSink
from .jsonl import JsonlSink
from .network import check_mqtt, check_udp, check_zmq, open_mqtt, open_udp, open_zmq
from .prophesee import BoxesSink
from .request import SinkRequest
from .result import StreamHeader
from .tables import CsvSink, MotSink
from .web import check_web, open_web

__all__ = ["SINK_SCHEMES", "SINK_SUFFIXES", "check_targets", "is_line_file", "open_sink"]


class SinkKind(NamedTuple):
    """How outputs of one kind are opened."""

    open: Callable[[SinkRequest], Sink]
    """Make the sink."""

    check: Callable[[SinkRequest], object]
    """Look whether that can work, and change nothing; raises what `open` would."""


def _check_file(request: SinkRequest) -> None:
    check_target(request.target)


def _open_video(request: SinkRequest) -> Sink:
    # OpenCV is loaded for those who draw, not for those who write text.
    from .video import VideoSink

    return VideoSink(request.target, header=request.header)


def _check_frames(request: SinkRequest) -> None:
    from .frames import check_frame_target, check_numbered

    if check_frame_target(request.target) == ".png":
        check_numbered(request.target)


def _open_rerun(request: SinkRequest) -> Sink:
    from .rerun_file import RerunSink

    return RerunSink(request.target, header=request.header)


def _check_rerun(request: SinkRequest) -> None:
    from .rerun_file import import_rerun

    import_rerun()
    check_target(request.target)


_FILES: dict[str, SinkKind] = {
    ".jsonl": SinkKind(
        lambda request: JsonlSink(request.target, header=request.header, keep_bytes=request.keep_bytes), _check_file
    ),
    ".npy": SinkKind(lambda request: BoxesSink(request.target), _check_file),
    ".mp4": SinkKind(_open_video, _check_frames),
    ".gif": SinkKind(_open_video, _check_frames),
    ".png": SinkKind(_open_video, _check_frames),
    ".csv": SinkKind(
        lambda request: CsvSink(request.target, header=request.header, keep_bytes=request.keep_bytes), _check_file
    ),
    ".json": SinkKind(lambda request: CocoSink(request.target, header=request.header), _check_file),
    ".txt": SinkKind(lambda request: MotSink(request.target, keep_bytes=request.keep_bytes), _check_file),
    ".rrd": SinkKind(_open_rerun, _check_rerun),
}
"""By suffix."""

_SERVICES: dict[str, SinkKind] = {
    "zmq": SinkKind(open_zmq, check_zmq),
    "mqtt": SinkKind(open_mqtt, check_mqtt),
    "udp": SinkKind(open_udp, check_udp),
    "web": SinkKind(open_web, check_web),
}
"""By scheme; what follows it is the kind's own affair."""

_STANDARD_OUTPUT = SinkKind(
    lambda request: JsonlSink("-", header=request.header), lambda _request: StandardOutput.check()
)

_LINE_SUFFIXES = (".jsonl", ".csv", ".txt")

SINK_SUFFIXES = tuple(_FILES)
"""Suffixes that `open_sink` knows."""

SINK_SCHEMES = tuple(_SERVICES)
"""Schemes that `open_sink` knows."""


def open_sink(target: str, *, header: StreamHeader, allow_remote: bool = False, keep_bytes: int = 0) -> Sink:
    """Return the sink that the target asks for.

    Parameters
    ----------
    target : str
        ``-`` (JSON lines to the standard output); a path that ends in ``.jsonl``, ``.csv``, ``.txt`` (MOT), ``.json``
        (COCO), ``.npy`` (Prophesee boxes), ``.rrd`` (rerun), ``.mp4``, ``.gif``, or ``.png`` with a number field such
        as ``frames/%06d.png``; or an address: ``zmq://127.0.0.1:5556``, ``mqtt://127.0.0.1:1883/topic``,
        ``udp://127.0.0.1:7000``, ``web://127.0.0.1:8765`` (a page).
    header : StreamHeader
        What holds for the whole stream.
    allow_remote : bool
        Whether an address may be one of another machine, or be reached from there.
    keep_bytes : int
        Bytes of an earlier ``.jsonl``, ``.csv`` or ``.txt`` that are continued, as `plan_resume` found them.

    Returns
    -------
    Sink
        Open; use it in a ``with`` block, which finalises the output.

    Raises
    ------
    OptionError
        When the suffix or scheme is unknown, the target is a folder, or an address breaks its rule.
    OutputError
        When the target cannot be written or bound.
    MissingExtraError
        When a package for it is missing.
    """
    return _kind(target).open(SinkRequest(target, header, allow_remote, keep_bytes))


def check_targets(
    targets: Sequence[str],
    *,
    header: StreamHeader,
    allow_remote: bool = False,
    inputs: Sequence[Path] = (),
    other_files: Sequence[str] = (),
) -> None:
    """Look at all outputs of a run before any of them is touched.

    Parameters
    ----------
    targets : sequence of str
        As `open_sink` takes them.
    header : StreamHeader
        See `open_sink`.
    allow_remote : bool
        Likewise.
    inputs : sequence of Path
        What the run reads, which none of them may be.
    other_files : sequence of str
        What else the run will write; they are compared with the others, and not looked at for themselves.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        When one is not what `open_sink` takes, cannot be written, is named twice, or is read.
    """
    seen = set()
    for target in (*targets, *other_files):
        is_file = target != "-" and "://" not in target
        place = str(Path(target).resolve()) if is_file else target
        if place in seen:
            raise OptionError(f"output {target} is given twice", hint="leave one of them out")
        seen.add(place)
        # Also by a link, or another spelling of the path.
        if is_file and _is_one_of(Path(target), inputs):
            raise OptionError(f"output {target} is what the stream reads", hint="give another name")
    for target in targets:
        _kind(target).check(SinkRequest(target, header, allow_remote))


def _is_one_of(target: Path, inputs: Sequence[Path]) -> bool:
    with writing(target):
        return target.is_file() and any(path.is_file() and path.samefile(target) for path in inputs)


def is_line_file(target: str) -> bool:
    """Return whether an output is a file that grows line by line under its own name."""
    return "://" not in target and Path(target).suffix.lower() in _LINE_SUFFIXES


def _kind(target: str) -> SinkKind:
    if target == "-":
        return _STANDARD_OUTPUT
    scheme, separator, _ = target.partition("://")
    kind = _SERVICES.get(scheme) if separator else _FILES.get(Path(target).suffix.lower())
    if kind is None:
        listed = ", ".join(_FILES)
        schemes = ", ".join(f"{name}://" for name in _SERVICES)
        raise OptionError(
            f"output must be -, end in {listed}, or begin with {schemes}, got {target!r}",
            hint="use -o detections.jsonl",
        )
    return kind
