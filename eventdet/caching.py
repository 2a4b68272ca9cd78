"""Where eventdet keeps what it can make again."""

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path | None:
    """Return ``$EVENTDET_CACHE``, else ``eventdet`` in ``$XDG_CACHE_HOME`` or in ``~/.cache``; None without a home."""
    given = os.environ.get("EVENTDET_CACHE")
    if given:
        return Path(given)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eventdet"
    except RuntimeError:
        return None
