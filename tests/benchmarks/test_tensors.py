"""The contenders of the tensor benchmark do the same work, and every line comes out."""

import numpy as np
import pytest

from eventdet.benchmarks import tensors as benchmark
from eventdet.benchmarks._traffic import traffic

pytest.importorskip("tonic")

HISTOGRAMS = {
    **{f"{name}, records": contender for name, contender in benchmark._histograms_of_records().items()},
    **benchmark._histograms_of_columns(),
}
EVENTS = [name for name in HISTOGRAMS if "RVT" in name]
"""Those that cut time by the first and the last event."""

EDGES = [name for name in HISTOGRAMS if name.startswith(("eventdet", "np.")) and name not in EVENTS]
"""Those that cut it by the edges of the window."""


@pytest.mark.parametrize(("names", "count"), [(EDGES, 3), (EVENTS, 4)], ids=["edges", "RVT"])
def test_histograms_of_one_definition_are_equal(names: list[str], count: int) -> None:
    case = benchmark._cut(traffic(1_840_000, 2_000_000), 50_000)[3]
    first, *others = (np.array(HISTOGRAMS[name][0](case)) for name in names)
    assert len(names) == count
    assert first.sum(dtype=np.int64) == len(case.events)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_rows_name_every_contender_with_a_positive_rate() -> None:
    rows = benchmark.benchmark_tensors(repeats=1)
    assert {tuple(row.name.split(", ")[:2]) for row in rows} == {
        (f"{tensor} of {form}", f"{window} ms")
        for tensor in ("histogram", "voxel grid")
        for form in ("DAT records", "columns")
        for window in (50, 250)
    }
    assert all(row.value > 0 and row.unit == "Mev/CPU-s" for row in rows)
    assert sum(row.ratio is None for row in rows) == 8
