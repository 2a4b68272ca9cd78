"""The contenders of the tensor benchmark do the same work, and every line comes out."""

import numpy as np
import pytest

from eventdet.benchmarks import tensors as benchmark
from eventdet.benchmarks._traffic import traffic

pytest.importorskip("tonic")

EDGES = [name for name in benchmark._histograms() if name.startswith(("eventdet from", "np."))]
"""Those that cut time by the edges of the window."""

EVENTS = [name for name in benchmark._histograms() if "RVT" in name]
"""Those that cut it by the first and the last event."""


@pytest.mark.parametrize("names", [EDGES, EVENTS], ids=["edges", "RVT"])
def test_histograms_of_one_definition_are_equal(names: list[str]) -> None:
    case = benchmark._cut(traffic(1_840_000, 2_000_000), 50_000)[3]
    contenders = benchmark._histograms()
    first, *others = (np.array(contenders[name][0](case)) for name in names)
    assert len(others) == 2
    assert first.sum(dtype=np.int64) == len(case.events)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_rows_name_every_contender_with_a_positive_rate() -> None:
    rows = benchmark.benchmark_tensors(repeats=1)
    assert {row.name.split(",")[0] for row in rows} == {
        f"{tensor} {window} ms" for tensor in ("histogram", "voxel grid") for window in (50, 250)
    }
    assert all(row.value > 0 and row.unit == "Mev/CPU-s" for row in rows)
    assert sum(row.ratio is None for row in rows) == 4
