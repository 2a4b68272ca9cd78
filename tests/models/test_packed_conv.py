"""Packing changes the speed of a convolution, not its result."""

import pytest
import torch
from torch import nn

from eventdet.models._packed_conv import PackedConv2d, can_pack


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1)])
def test_packed_convolution_equals_the_plain_one(dtype: torch.dtype, kernel: int, stride: int) -> None:
    if not can_pack(dtype):
        pytest.skip(f"this CPU packs no {dtype}")
    torch.manual_seed(0)
    conv = nn.Conv2d(8, 16, kernel, stride, kernel // 2).to(dtype).requires_grad_(requires_grad=False)
    packed = PackedConv2d(conv)
    # Another shape must be packed for again.
    for height, width in ((8, 12), (16, 10)):
        x = torch.randn(2, 8, height, width).to(dtype).contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(packed(x), conv(x), rtol=1e-2 if dtype == torch.bfloat16 else 1e-6, atol=1e-6)
