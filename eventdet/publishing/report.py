"""What was sent: counted, so that both ends can be compared."""

from dataclasses import asdict, dataclass

__all__ = ["PublishReport"]


@dataclass(slots=True)
class PublishReport:
    """Counts of one publication."""

    num_events: int = 0
    """Events sent, or dropped with their message."""

    messages: int = 0
    """Frames or datagrams made."""

    clients: int = 0
    """Receivers that connected; only streams and UNIX sockets know."""

    dropped_messages: int = 0
    """Messages that a receiver was too slow for, added up over the receivers."""

    stalled_clients: int = 0
    """Receivers that took nothing for too long and were let go."""

    def to_dict(self) -> dict[str, int]:
        """Return every count by name."""
        return asdict(self)
