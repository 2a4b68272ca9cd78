"""Sparse batches hold the non-zero cells, and their labels are those of every step."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError
from eventdet.preprocessing.dataset.batch import SparseBuilder, SparseFrames


def _sparse(frames: torch.Tensor) -> SparseFrames:
    builder = SparseBuilder(tuple(frames.shape), frames.numpy().dtype)
    for place in range(frames.shape[1]):
        builder.add(frames.numpy()[:, place].copy(), place)
    return builder.finish()


def _random(shape: tuple[int, ...], dtype: str, *, share: float, seed: int) -> torch.Tensor:
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 100, shape) * (rng.random(shape) < share)
    return torch.from_numpy(values.astype(dtype))


@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 7), st.integers(1, 9)),
    st.sampled_from(["uint8", "int8", "float16", "float32"]),
    st.sampled_from([0.0, 0.03, 0.5, 1.0]),
    st.integers(0, 99),
)
def test_sparse_cells_are_the_non_zero_ones_and_scatter_back(
    shape: tuple[int, ...], dtype: str, share: float, seed: int
) -> None:
    frames = _random(shape, dtype, share=share, seed=seed)
    sparse = _sparse(frames)
    flat = frames.numpy().reshape(-1)
    order = np.argsort(sparse.places.numpy())
    np.testing.assert_array_equal(sparse.places.numpy()[order], np.flatnonzero(flat))
    np.testing.assert_array_equal(sparse.values.numpy()[order], flat[flat != 0])
    assert torch.equal(sparse.dense(), frames)


@pytest.mark.gpu
def test_cells_scattered_on_the_device_give_the_same_frames() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    frames = _random((2, 3, 2, 16, 20), "uint8", share=0.03, seed=1)
    assert torch.equal(_sparse(frames).dense("cuda").cpu(), frames)


def test_batch_beyond_32_bit_places_is_refused_before_memory_is_taken() -> None:
    shape = (8, 64, 10, 1000, 1000)
    assert math.prod(shape) > 1 << 31
    with pytest.raises(OptionError, match=r"a sparse batch must have < 2\*\*31 cells"):
        SparseBuilder(shape, np.dtype(np.uint8))
