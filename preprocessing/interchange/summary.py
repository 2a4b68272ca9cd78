"""What an export or an import did: values alone."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from eventdet.preprocessing.conversion import ConvertFailure

__all__ = ["InterchangeSummary"]


@dataclass(slots=True)
class InterchangeSummary:
    """Counts over all recordings of one run."""

    output: Path
    """Folder that was written."""

    num_written: int = 0
    """Recordings, or shards, written in this run."""

    num_up_to_date: int = 0
    """Those that an earlier run had written from the same data with the same options."""

    num_windows: int = 0
    """Tensors of all of them."""

    num_boxes: int = 0
    """Labels of all of them."""

    num_synthetic: int = 0
    """Recordings that were simulated."""

    labels_dropped: Counter[str] = field(default_factory=Counter)
    """Labels left out, by the rule that they broke."""

    skipped: list[ConvertFailure] = field(default_factory=list)
    """Recordings that the rules leave nothing of."""

    failed: list[ConvertFailure] = field(default_factory=list)
    """Recordings that cannot be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        told = {
            name: [{"path": str(failure.path), "reason": failure.reason} for failure in getattr(self, name)]
            for name in ("skipped", "failed")
        }
        return {**asdict(self), "output": str(self.output), "labels_dropped": dict(self.labels_dropped), **told}
