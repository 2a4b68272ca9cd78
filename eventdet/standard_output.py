"""The standard output, when it has failed."""

import os
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["forget_standard_output"]


def forget_standard_output() -> None:
    """Send what could not be written nowhere; Python would try again, and complain, when the process ends."""
    # Neither a stream in the place of the process's own, nor one that is closed, has a descriptor.
    with suppress(OSError, ValueError, AttributeError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
