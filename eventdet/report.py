"""What a reader met and repaired: counted, so that no event is lost without a word."""

from dataclasses import asdict, dataclass, fields

__all__ = ["ReadReport"]


@dataclass(slots=True)
class ReadReport:
    """Counts of one read.

    `merge` adds up the reports of chunks; a clean file has zero in every field that `repairs` lists.
    """

    num_events: int = 0
    """Events delivered."""

    backward_clamped: int = 0
    """Events whose stamp stepped back and was raised to the running maximum."""

    time_jump_dropped: int = 0
    """Events whose stamp leapt ahead while those that followed stayed behind, dropped."""

    out_of_range_dropped: int = 0
    """Events outside the sensor, dropped."""

    trailing_bytes: int = 0
    """Bytes after the last whole record, ignored."""

    before_time_dropped: int = 0
    """Events that came before the first time word of the stream, dropped since their time is unknown."""

    unknown_words: int = 0
    """Words of a type that the format does not define, skipped."""

    polarity_repaired: int = 0
    """Events whose polarity was neither of the two of their format, brought to 0 or 1."""

    duplicates_dropped: int = 0
    """Exact repeats of an event (same stamp, pixel and polarity), dropped since the policy asked for it."""

    packets_dropped: int = 0
    """Packets that could not be unpacked, dropped with all their events."""

    missing_header: int = 0
    """1 for a file without the header of its format, read all the same."""

    duplicates_kept: int = 0
    """Exact repeats of an event, counted since the policy asked for it and delivered; not a repair."""

    packets_missing: int = 0
    """Packets that were lost before the recording, told by the gaps in their numbers; not a repair."""

    time_wraps: int = 0
    """Times the counter of the format overflowed and was carried on; legal, not a repair."""

    skipped_words: int = 0
    """Legal words that carry no change-detection event (IMU, vendor, continued, padding); not a repair."""

    trigger_words: int = 0
    """External-trigger words; legal, not a repair."""

    def merge(self, other: "ReadReport") -> None:
        """Add the counts of `other`."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    @property
    def repairs(self) -> dict[str, int]:
        """The non-zero counts of what was changed or dropped, by name."""
        repaired = (
            "backward_clamped", "time_jump_dropped", "out_of_range_dropped", "trailing_bytes", "before_time_dropped",
            "unknown_words", "polarity_repaired", "duplicates_dropped", "packets_dropped", "missing_header",
        )  # fmt: skip
        return {name: getattr(self, name) for name in repaired if getattr(self, name)}

    def to_dict(self) -> dict[str, int]:
        """Return every count by name."""
        return asdict(self)
