"""What the tests of parts of files share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def small_steps() -> Iterator[None]:
    """Put many checkpoints, and every index into the cache, whose files are small here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("eventdet.formats._payload._STEP_BYTES", 40)
        patch.setattr("eventdet.formats.recording._SOUGHT_EVENTS", 16)
        patch.setattr("eventdet.formats._seek._BATCH_EVENTS", 64)
        patch.setattr("eventdet.formats._seek_cache._SMALLEST_CACHED", 0)
        patch.setattr("eventdet.formats.aedat4._PACKET_EVENTS", 16)
        patch.setattr("eventdet.formats.text._BLOCK_BYTES", 100)
        for module in ("hdf5", "npy"):
            patch.setattr(f"eventdet.formats.{module}.BLOCK_EVENTS", 16)
        yield
