"""What a live source met on its way: counted, so that no loss goes without a word."""

from dataclasses import asdict, dataclass

__all__ = ["LinkReport"]


@dataclass(slots=True)
class LinkReport:
    """Counts of one connection."""

    frames: int = 0
    """Whole frames or datagrams."""

    lost_frames: int = 0
    """Frames that never came, told by the gap in their numbers; only our framing has numbers."""

    repeated_frames: int = 0
    """Frames that came again or after a later one, dropped."""

    bad_frames: int = 0
    """Frames and headers whose checksum is wrong, dropped."""

    refused_frames: int = 0
    """Frames that claim too many events or an impossible time, dropped."""

    cut_frames: int = 0
    """Frames that the connection broke off in."""

    garbage_bytes: int = 0
    """Bytes that are no frame and no event, those of bad, refused and cut frames among them."""

    dropped_messages: int = 0
    """Datagrams or packets of a camera that came faster than they were taken, those that the system dropped too."""

    overflow_events: int = 0
    """Events dropped since too many already waited for their window to end."""

    reconnects: int = 0
    """Times the connection was made again."""

    ended: str = ""
    """Why the stream ended; empty while it runs."""

    @property
    def faults(self) -> dict[str, int]:
        """The counts that are not zero, but for the frames, by name."""
        counts = {name: value for name, value in asdict(self).items() if isinstance(value, int)}
        return {name: value for name, value in counts.items() if value and name != "frames"}

    def to_dict(self) -> dict[str, int | str]:
        """Return every field by name."""
        return asdict(self)
