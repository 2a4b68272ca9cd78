"""The one-pass parts of a block give the bits of torch."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from eventdet.models._block_layers import OnePassAddJoined, OnePassMaxPool
from eventdet.models.blocks import AddJoined

_LAYOUTS = {"channels last": torch.channels_last, "channels first": torch.contiguous_format}
_DTYPES = (torch.float32, torch.bfloat16)


def _currents(shape: tuple[int, ...], dtype: torch.dtype, layout: str, seed: int) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)
    return x.contiguous(memory_format=_LAYOUTS[layout])


@settings(max_examples=40, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(2, 9), st.integers(2, 9)),
    dtype=st.sampled_from(_DTYPES),
    layout=st.sampled_from(sorted(_LAYOUTS)),
    seed=st.integers(0, 99),
)
def test_one_pass_pooling_equals_that_of_torch(
    sides: tuple[int, ...], dtype: torch.dtype, layout: str, seed: int
) -> None:
    x = _currents(sides, dtype, layout, seed)
    assert torch.equal(OnePassMaxPool()(x), functional.max_pool2d(x, 2))


@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
def test_one_pass_pooling_hands_on_what_is_not_finite_as_torch_does(dtype: torch.dtype) -> None:
    values = (float("nan"), float("inf"), -float("inf"), 0.0)
    rows = [[a, b, c, d] for a in values for b in values for c in values for d in values]
    x = torch.tensor(rows, dtype=dtype).view(-1, 1, 2, 2).contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(OnePassMaxPool()(x), functional.max_pool2d(x, 2), rtol=0, atol=0, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(
    sides=st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)),
    widths=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from(_DTYPES),
    layouts=st.tuples(*[st.sampled_from(sorted(_LAYOUTS))] * 3),
    seed=st.integers(0, 99),
)
def test_one_pass_sum_with_what_is_joined_equals_that_of_torch(
    sides: tuple[int, int, int],
    widths: tuple[int, int],
    dtype: torch.dtype,
    layouts: tuple[str, str, str],
    seed: int,
) -> None:
    batch, rows, columns = sides
    currents, new, kept = (
        _currents((batch, width, rows, columns), dtype, layout, seed + place)
        for place, (width, layout) in enumerate(zip((sum(widths), *widths), layouts, strict=True))
    )
    assert torch.equal(OnePassAddJoined()(currents, new, kept), AddJoined()(currents, new, kept))
