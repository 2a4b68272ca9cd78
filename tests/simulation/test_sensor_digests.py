"""Every camera gives the same bits on every machine; those of the presets are pinned in test_presets.py."""

import hashlib

import numpy as np
import pytest

from eventdet.simulation import SENSORS, SimulationConfig, simulate

DIGESTS = {
    # Pinned, not derived: every machine and every later version shall give these bits.
    "atis": "c42895dbbc3f729e",
    "atis-noisy": "63c84f33a48d0806",
    "voltmeter": "19dc76bf38e69198",
}


def digest(sensor: str) -> str:
    events = simulate(SimulationConfig(3, 60_000, sensor=sensor)).events
    return hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in events)).hexdigest()[:16]


def test_every_camera_is_pinned() -> None:
    assert set(DIGESTS) == set(SENSORS)


@pytest.mark.parametrize("sensor", DIGESTS)
def test_a_camera_gives_the_pinned_digest(sensor: str) -> None:
    assert digest(sensor) == DIGESTS[sensor]
