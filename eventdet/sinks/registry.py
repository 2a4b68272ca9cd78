"""From the name of an output to its sink."""

from collections.abc import Callable, Sequence
from pathlib import Path

from eventdet.errors import OptionError

from ._files import check_target
from .base import Sink
from .jsonl import JsonlSink
from .prophesee import BoxesSink
from .result import StreamHeader

__all__ = ["SINK_SUFFIXES", "check_targets", "open_sink"]


def _open_video(target: str, header: StreamHeader) -> Sink:
    # OpenCV is loaded for those who draw, not for those who write text.
    from .video import VideoSink

    return VideoSink(target, header=header)


_SINKS: dict[str, Callable[[str, StreamHeader], Sink]] = {
    ".jsonl": lambda target, header: JsonlSink(target, header=header),
    ".npy": lambda target, _header: BoxesSink(target),
    ".mp4": _open_video,
    ".gif": _open_video,
    ".png": _open_video,
}

_FRAME_SUFFIXES = (".mp4", ".gif", ".png")

SINK_SUFFIXES = tuple(_SINKS)
"""Suffixes that `open_sink` knows."""


def open_sink(target: str, *, header: StreamHeader) -> Sink:
    """Return the sink that the target's suffix asks for.

    Parameters
    ----------
    target : str
        ``-`` (JSON lines to the standard output), or a path that ends in ``.jsonl``, ``.npy`` (Prophesee boxes),
        ``.mp4``, ``.gif``, or ``.png`` with a number field such as ``frames/%06d.png``.
    header : StreamHeader
        What holds for the whole stream.

    Returns
    -------
    Sink
        Open; use it in a ``with`` block, which finalises the output.

    Raises
    ------
    OptionError
        When the suffix is unknown or the target is a folder.
    OutputError
        When the target cannot be written.
    MissingExtraError
        For a GIF without PyAV.
    """
    if target == "-":
        return JsonlSink(target, header=header)
    return _SINKS[_known_suffix(target)](target, header)


def check_targets(targets: Sequence[str]) -> None:
    """Look at all outputs of a run before any of them is touched.

    Raises
    ------
    OptionError, OutputError, MissingExtraError
        When one is not what `open_sink` takes, cannot be written, or is named twice.
    """
    seen = set()
    for target in targets:
        place = target if target == "-" else str(Path(target).resolve())
        if place in seen:
            raise OptionError(f"output {target} is given twice", hint="leave one of them out")
        seen.add(place)
        if target == "-":
            continue
        if _known_suffix(target) in _FRAME_SUFFIXES:
            _check_frames(target)
        else:
            check_target(target)


def _check_frames(target: str) -> None:
    from .frames import check_frame_target, check_numbered

    if check_frame_target(target) == ".png":
        check_numbered(target)


def _known_suffix(target: str) -> str:
    suffix = Path(target).suffix.lower()
    if "://" in target or suffix not in _SINKS:
        listed = ", ".join(_SINKS)
        raise OptionError(f"output must be - or end in {listed}, got {target!r}", hint="use -o detections.jsonl")
    return suffix
