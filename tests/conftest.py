"""What every test may use."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: the first example pays for compiling a kernel. Derandomised: a run is the same everywhere.
settings.register_profile("eventdet", deadline=None, derandomize=True)
settings.load_profile("eventdet")

_REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "real"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real recordings; tests that need it are skipped where it is absent."""
    if not _REAL_DATA.is_dir():
        pytest.skip("real recordings are not on this machine (shared/data/real)")
    return _REAL_DATA


@pytest.fixture(autouse=True, scope="session")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep indexes of recordings that tests make out of the user's cache; processes that tests start follow."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENTDET_CACHE", str(folder))
        yield folder
