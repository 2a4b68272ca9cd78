"""From the name of an output to its sink."""

from collections.abc import Callable
from pathlib import Path

from eventdet.errors import OptionError

from .base import Sink
from .jsonl import JsonlSink
from .prophesee import BoxesSink
from .result import StreamHeader

__all__ = ["SINK_SUFFIXES", "open_sink"]


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
    InputError
        When the target cannot be written.
    MissingExtraError
        For a GIF without PyAV.
    """
    if target == "-":
        return JsonlSink(target, header=header)
    suffix = Path(target).suffix.lower()
    if "://" in target or suffix not in _SINKS:
        listed = ", ".join(_SINKS)
        raise OptionError(f"output must be - or end in {listed}, got {target!r}", hint="use -o detections.jsonl")
    return _SINKS[suffix](target, header)
