"""What came of a conversion: values, no tensor in sight."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from eventdet.errors import EventdetError
from eventdet.report import ReadReport

__all__ = ["ConvertFailure", "ConvertProgress", "ConvertSummary", "Outcome", "summarise"]


class Outcome(NamedTuple):
    """What came of one recording; small, since it travels between processes."""

    name: str
    """Its place in the output."""

    source: Path
    """The event file."""

    written: bool
    """Whether it was written now; False when it was up to date, or failed."""

    attributes: Mapping[str, Any]
    """Those of the recording; none when it failed."""

    num_bytes: int
    """Stored bytes."""

    error: EventdetError | None = None
    """Why it failed."""

    replaced: str = ""
    """Which other bytes the recording was made from that stood here before; empty for none."""

    @property
    def reason(self) -> str:
        """Why it failed, in one line that does not repeat the path of the event file."""
        return str(self.error).removeprefix(f"{self.source}: ")


class ConvertFailure(NamedTuple):
    """A recording that was skipped, or of which something is to be told."""

    path: Path
    """The event file."""

    reason: str
    """Why, in one line that does not repeat the path."""


class ConvertProgress(NamedTuple):
    """How far a conversion has come."""

    files_done: int
    """Recordings finished, those skipped included."""

    num_files: int
    """Recordings in all."""

    share: float
    """Of the bytes of all event files, 0 to 1. Within a file it moves for DAT, whose bytes tell how far it has come."""

    num_events: int
    """Events read in this run."""

    bytes_written: int
    """Stored bytes of the recordings written in this run."""


@dataclass(frozen=True, slots=True)
class ConvertSummary:
    """What a conversion did."""

    output: Path
    """Folder of the recordings and of their manifest."""

    num_converted: int
    """Recordings written in this run."""

    num_up_to_date: int
    """Recordings that an earlier run had written from the same bytes with the same options."""

    num_events: int
    """Events of all of them."""

    num_frames: int
    """Windows of all of them."""

    num_bytes: int = 0
    """Stored bytes of all of them."""

    repairs: dict[str, int] = field(default_factory=dict)
    """What was repaired in all of them, by name."""

    labels_dropped: dict[str, int] = field(default_factory=dict)
    """Labels that were left out in all of them, by the rule that they broke."""

    failed: tuple[ConvertFailure, ...] = ()
    """Recordings that were skipped."""

    without_windows: tuple[ConvertFailure, ...] = ()
    """Recordings that are stored, but of whose tensors there is none, and why."""

    replaced: tuple[ConvertFailure, ...] = ()
    """Recordings that took the place of one made from other bytes under the same name, and what that one was."""

    passed_over: dict[str, int] = field(default_factory=dict)
    """Event files in the folders that were not searched for, by the ending that other files have too."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        told = {
            name: [{"path": str(failure.path), "reason": failure.reason} for failure in getattr(self, name)]
            for name in ("failed", "without_windows", "replaced")
        }
        return {**asdict(self), "output": str(self.output), **told}


def summarise(output: Path, outcomes: Iterable[Outcome]) -> ConvertSummary:
    """Return what came of all recordings, in the order of their names."""
    ordered = sorted(outcomes, key=lambda outcome: outcome.name)
    stored = [outcome for outcome in ordered if outcome.error is None]
    repairs: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for outcome in stored:
        repairs.update(ReadReport(**outcome.attributes["report"]).repairs)
        dropped.update(outcome.attributes["labels_dropped"])
    return ConvertSummary(
        output=output,
        num_converted=sum(outcome.written for outcome in stored),
        num_up_to_date=sum(not outcome.written for outcome in stored),
        num_events=sum(outcome.attributes["num_events"] for outcome in stored),
        num_frames=sum(outcome.attributes["num_frames"] for outcome in stored),
        num_bytes=sum(outcome.num_bytes for outcome in stored),
        repairs=dict(repairs),
        labels_dropped=dict(dropped),
        failed=tuple(ConvertFailure(one.source, one.reason) for one in ordered if one.error is not None),
        without_windows=tuple(
            ConvertFailure(one.source, reason) for one in stored if (reason := _lack(one.attributes))
        ),
        replaced=tuple(
            ConvertFailure(one.source, f"replaced a recording of that name made from other bytes ({one.replaced})")
            for one in stored
            if one.replaced
        ),
    )


def _lack(attributes: Mapping[str, Any]) -> str:
    """Return why a recording has no window though tensors were wanted; empty when it has one."""
    if attributes["num_frames"] or not attributes["params"]["write_frames"]:
        return ""
    if attributes["params"]["align"] == "label-end":
        return "no windows, since there is no label for one to end at"
    return "no windows, since there is no event"
