"""External triggers: the second stream of a recording, edges on the camera's trigger input."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from .errors import OptionError

__all__ = ["Triggers"]

_COLUMN_DTYPES = {"t": np.dtype("<i8"), "channel": np.dtype("u1"), "value": np.dtype("u1")}


@dataclass(frozen=True, slots=True, eq=False)
class Triggers:
    """Edges of external signals, in the order of the file.

    Examples
    --------
    >>> len(Triggers.empty())
    0
    """

    t: NDArray[np.int64]
    """Shape (n,), microseconds on the clock of the events, as the camera stamped them: a step back is not raised."""

    channel: NDArray[np.uint8]
    """Shape (n,), number of the trigger input."""

    value: NDArray[np.uint8]
    """Shape (n,), level after the edge: 1 rising, 0 falling."""

    def __post_init__(self) -> None:
        """Check dtypes and lengths.

        Raises
        ------
        OptionError
            When a column has another dtype or the lengths differ.
        """
        for name, dtype in _COLUMN_DTYPES.items():
            column = getattr(self, name)
            if column.dtype != dtype or column.shape != (len(self.t),):
                raise OptionError(
                    f"triggers.{name} must be {dtype} of shape ({len(self.t)},), got {column.dtype} {column.shape}"
                )

    def __len__(self) -> int:
        """Return the number of triggers."""
        return len(self.t)

    def __getitem__(self, index: slice | NDArray[np.bool_] | NDArray[np.intp]) -> "Triggers":
        """Return the chosen triggers."""
        return Triggers(self.t[index], self.channel[index], self.value[index])

    @classmethod
    def empty(cls, num_triggers: int = 0) -> "Triggers":
        """Return columns for `num_triggers` triggers, not initialised."""
        return cls(*(np.empty(num_triggers, dtype) for dtype in _COLUMN_DTYPES.values()))

    @classmethod
    def concatenate(cls, batches: Iterable["Triggers"]) -> "Triggers":
        """Return one batch that holds the given ones in order; none at all gives an empty batch."""
        parts = list(batches)
        if not parts:
            return cls.empty()
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))
