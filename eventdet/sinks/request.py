"""What is asked of a kind of sink."""

from typing import NamedTuple

from .result import StreamHeader

__all__ = ["SinkRequest"]


class SinkRequest(NamedTuple):
    """One output that is wanted."""

    target: str
    """As the user wrote it."""

    header: StreamHeader
    """What holds for the whole stream."""

    allow_remote: bool = False
    """Whether an address may be one of another machine, or be reached from there."""

    keep_bytes: int = 0
    """Bytes at the start of an earlier file that are continued, where the kind can; 0: start anew."""
