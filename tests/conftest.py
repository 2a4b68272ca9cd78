"""What every test may use."""

from pathlib import Path

import pytest

_REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings; tests that need it are skipped where it is absent."""
    if not _REAL_DATA.is_dir():
        pytest.skip("real recordings are not on this machine (shared/data/real)")
    return _REAL_DATA
