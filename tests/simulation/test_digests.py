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
    "plain atis-noisy": "1065b6324c7c3131",
    "plain voltmeter": "88ad169237883c54",
    "gen1 atis": "5997cfa97237bdcc",
    "gen1 atis-noisy": "a1473df76fa0f8d3",
    "gen1 voltmeter": "b71805fa9edfec4b",
    "low-sun atis": "3aae5d0a3515f50b",
    "low-sun atis-noisy": "c12ab7567175367f",
    "low-sun voltmeter": "267eae4d042af122",
    "dusk atis": "11dfeb5b02c61e8e",
    "dusk atis-noisy": "774221d2df4ca79a",
    "dusk voltmeter": "40fb3927d072a7bc",
    "night atis": "dfc3fe01580d1d15",
    "night atis-noisy": "1f6b597e9b46b8fc",
    "night voltmeter": "dc3e8b63b7097da1",
    "rain atis": "d8b50399d59058d0",
    "rain atis-noisy": "a6ef127bab74efca",
    "rain voltmeter": "22298a4eeea266c8",
    "mixed atis": "3aae5d0a3515f50b",
    "mixed atis-noisy": "c12ab7567175367f",
    "mixed voltmeter": "267eae4d042af122",
}

# Pinned, not derived: the light of two moments and the boxes of one.
PICTURES = {
    "plain": "1f5c88092d06c4d0",
    "gen1": "470e432047426d9d",
    "low-sun": "3441593e7d34da6f",
    "dusk": "53a15bafa099e462",
    "night": "df7f0e605b6e56fe",
    "rain": "41f6ad52e8012e3a",
    "mixed": "470e432047426d9d",
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
