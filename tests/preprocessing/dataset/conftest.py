"""Two recordings for the tests of clips."""

from pathlib import Path

import pytest

from eventdet.boxes import Boxes
from eventdet.events import Events

from .recordings import LABELS, write_recordings


@pytest.fixture
def recordings(tmp_path: Path) -> tuple[Path, list[Events]]:
    """Two recordings of 100 and 55 ms; only the first has labels."""
    return tmp_path, write_recordings(tmp_path / "dat", [100_000, 55_000], [LABELS, Boxes.empty()])
