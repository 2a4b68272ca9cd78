"""The benchmark of many cameras runs real workers on the cores that it names."""

import os
import sys

import pytest

from eventdet.benchmarks.cameras import benchmark_cameras


@pytest.mark.skipif(sys.platform != "linux", reason="cores are chosen and memory is read as on Linux")
def test_two_cameras_on_a_core_are_measured_and_the_cores_are_given_back() -> None:
    cores = os.sched_getaffinity(0)
    (row,) = benchmark_cameras(seconds=8.0, cameras=(2,), cores=(1, 1024))
    assert row.name == "2 cameras, 1 cores: lateness, mean"
    assert row.value >= 0
    assert "cores, " in row.note
    assert os.sched_getaffinity(0) == cores
