"""Every street filmed by every camera gives the same bits on every machine, by any number of threads."""

import hashlib
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from eventdet.simulation import PRESETS, SENSORS, Renderer, SimulationConfig, make_scene, simulate
from tests.simulation.test_recorder import DIGESTS as RECORDINGS

# Pinned, not derived: every machine and every later version shall give these bits.
DIGESTS = {
    "plain atis": "740b1b401b91ac5f",
    "plain atis-noisy": "1d32f73c18b4c406",
    "plain voltmeter": "88ad169237883c54",
    "gen1 atis": "a91e264d1197059e",
    "gen1 atis-noisy": "9707faa29512f8de",
    "gen1 voltmeter": "050f4682a8d95c9b",
    "low-sun atis": "f3488d64ffcc5248",
    "low-sun atis-noisy": "1ede56f48f480d1e",
    "low-sun voltmeter": "3c994cd38b2bd2e5",
    "dusk atis": "7542773fe7b63591",
    "dusk atis-noisy": "7976751f3e77d623",
    "dusk voltmeter": "58674049754a1fd1",
    "night atis": "e61a87a5bb160001",
    "night atis-noisy": "73ed4a5fc3ed6bd1",
    "night voltmeter": "ac49faa3ceb88937",
    "rain atis": "5a240fd47fd98564",
    "rain atis-noisy": "1fa64e07dd91c436",
    "rain voltmeter": "0e1271f962fb50db",
    "mixed atis": "f3488d64ffcc5248",
    "mixed atis-noisy": "1ede56f48f480d1e",
    "mixed voltmeter": "3c994cd38b2bd2e5",
}

# Pinned, not derived: the light of two moments and the boxes of one.
PICTURES = {
    "plain": "1f5c88092d06c4d0",
    "gen1": "ee5fae47828a4edc",
    "low-sun": "b1c417684707b78b",
    "dusk": "9617bd1d88325813",
    "night": "d689ca6e19ca6b2a",
    "rain": "4b99a38805ceb09a",
    "mixed": "ee5fae47828a4edc",
}


def recording_digest(case: str) -> str:
    """Return the digest of the events of 30 ms of a street before a camera."""
    preset, sensor = case.split()
    events = simulate(SimulationConfig(3, 30_000, preset=preset, sensor=sensor)).events
    return hashlib.sha256(b"".join(np.ascontiguousarray(column).tobytes() for column in events)).hexdigest()[:16]


def picture_digest(preset: str) -> str:
    renderer = Renderer(make_scene(11, 3_000_000, preset=preset))
    digest = hashlib.sha256()
    for t_us in (700_000, 2_500_000):
        digest.update(renderer.light(t_us).tobytes())
    digest.update(np.ascontiguousarray(renderer.boxes(2_500_000).xyxy).tobytes())
    return digest.hexdigest()[:16]


def test_every_street_and_camera_is_pinned() -> None:
    assert set(DIGESTS) == {f"{preset} {sensor}" for preset, sensor in product(PRESETS, SENSORS)}
    assert set(PICTURES) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_gives_its_pinned_pictures_and_boxes(preset: str) -> None:
    assert picture_digest(preset) == PICTURES[preset]


@pytest.mark.parametrize("num_threads", [1, 2])
def test_recordings_have_their_pinned_digests_by_any_number_of_threads(num_threads: int) -> None:
    with ThreadPoolExecutor(num_threads) as pool:
        assert dict(zip(DIGESTS, pool.map(recording_digest, DIGESTS), strict=True)) == DIGESTS


@pytest.mark.slow
def test_a_plain_processor_gives_the_same_digests(tmp_path: Path) -> None:
    # Compiled for any x86-64 without AVX or FMA, and with NumPy's wide loops switched off.
    code = """
import json
from tests.simulation import test_digests, test_recorder
made = [(test_digests.DIGESTS, test_digests.recording_digest), (test_digests.PICTURES, test_digests.picture_digest)]
made.append((test_recorder.DIGESTS, test_recorder.pinned_digest))
print(json.dumps([[digest_of(case) for case in table] for table, digest_of in made]))
"""
    # NumPy names what it has wide loops for; the names change from one version to the next.
    wide = import_module("numpy._core._multiarray_umath").__cpu_dispatch__
    plain = {
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "NPY_DISABLE_CPU_FEATURES": " ".join(wide),
    }
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, **plain, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [list(table.values()) for table in (DIGESTS, PICTURES, RECORDINGS)]
