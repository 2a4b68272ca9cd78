"""A file that is not as it should be, with the events and counts that it must give."""

from dataclasses import dataclass, field

from eventdet.geometry import SensorSize

from .reference import Row

__all__ = ["DirtyFile"]


@dataclass(frozen=True)
class DirtyFile:
    name: str
    content: bytes
    rows: list[Row] | None = None
    """Events after repair; None for a file that no policy reads."""

    counts: dict[str, int] = field(default_factory=dict)
    """Non-zero counts of the report, without the number of events."""

    error: str = ""
    """What the message says when no policy reads it."""

    suffix: str = ".dat"
    sensor_size: SensorSize | None = None
