"""The contenders of the tensor benchmark do the same work, and every line comes out."""

import numpy as np
import pytest

from eventdet.benchmarks import tensors as benchmark

pytest.importorskip("tonic")


def test_histograms_of_ours_torch_and_numpy_are_equal() -> None:
    case = benchmark._cut(benchmark._stream(), 50_000)[3]
    contenders = benchmark._histograms()
    tensors = {name: np.array(fill(case)) for name, (fill, _) in contenders.items() if "tonic" not in name}
    ours = tensors.pop("eventdet from DAT records")
    assert ours.any()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, ours, err_msg=name)


def test_rows_name_every_contender_with_a_positive_rate() -> None:
    rows = benchmark.benchmark_tensors(repeats=1)
    assert {row.name.split(",")[0] for row in rows} == {
        f"{tensor} {window} ms" for tensor in ("histogram", "voxel grid") for window in (50, 250)
    }
    assert all(row.value > 0 and row.unit == "Mev/CPU-s" for row in rows)
    assert sum(row.ratio is None for row in rows) == 4
