"""What a reader does with input that is not as it should be: one object for every format."""

from dataclasses import dataclass

from eventdet.errors import check_option

__all__ = ["DUPLICATES", "POLICIES", "ReadPolicy"]

POLICIES = ("repair", "strict", "trust")
"""What happens to input that breaks its format: it is repaired and counted, or it raises.

``trust`` repairs as well, but takes for granted that a file is in order where that saves reading all of it: a window
of a DAT file is then found by bisection alone.
"""

DUPLICATES = ("ignore", "count", "drop")
"""What happens to an exact repeat of an event, one with the same stamp, pixel and polarity."""


@dataclass(frozen=True, slots=True)
class ReadPolicy:
    """How dirty input is read.

    Every ``policy`` argument takes one, or the value of `faults` alone.

    Raises
    ------
    OptionError
        When a value is not among the allowed ones.

    Examples
    --------
    >>> ReadPolicy.of("strict")
    ReadPolicy(faults='strict', duplicates='ignore')
    >>> ReadPolicy.of(ReadPolicy(duplicates="drop")).duplicates
    'drop'
    """

    faults: str = "repair"
    """One of `POLICIES`."""

    duplicates: str = "ignore"
    """One of `DUPLICATES`. To look for repeats costs about as much as decoding; they are legal, so none raises."""

    def __post_init__(self) -> None:
        """Check both fields, see `Raises`."""
        check_option("policy", self.faults, POLICIES)
        check_option("duplicates", self.duplicates, DUPLICATES)

    @classmethod
    def of(cls, policy: "str | ReadPolicy") -> "ReadPolicy":
        """Return `policy` itself, or the one that its name stands for."""
        return cls(policy) if isinstance(policy, str) else policy
