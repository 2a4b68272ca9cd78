"""The neuron: every form of it against plain Python, in every layout."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from eventdet.errors import OptionError
from eventdet.models import _lif_cpu, _lif_torch, build_detector
from eventdet.models.lif import LIF, Membranes, lif, lif_reference
from eventdet.models.lif_backends import choose_lif_backend, use_lif_backend

from .networks import spread_statistics

_EDGE = [0.5, float(np.nextafter(np.float32(0.5), np.float32(1))), float(np.nextafter(np.float32(0.5), np.float32(0)))]
ADVERSARIAL = [*_EDGE, 0.0, -0.0, 1.0, float("inf"), -1.0e38, 1e-42, 2.0, 0.125]


def plain_lif(x: list[float], v: float = 0.0) -> tuple[list[float], float]:
    """The formula on single-precision scalars."""
    spikes = []
    membrane = np.float32(v)
    for current in x:
        membrane = np.float32(0.25) * membrane + np.float32(current)
        fired = membrane > np.float32(0.5)
        spikes.append(float(fired))
        membrane = np.float32(0) if fired else membrane
    return spikes, float(membrane)


def test_lif_truth_table_of_the_specification_holds() -> None:
    # m = 0.6, 0.6 (reset), 0.3 (reset), 0.25 * 0.3 + 0.2 = 0.275, 0.25 * 0.275 + 0.6 = 0.66875.
    x = torch.tensor([0.6, 0.6, 0.3, 0.2, 0.6], dtype=torch.float64)
    spikes, v = lif(x)
    assert spikes.tolist() == [1, 1, 0, 0, 1]
    assert float(v) == 0.0
    before_last = lif(x[:4])[1]
    assert float(before_last) == pytest.approx(0.275, abs=1e-15)


def test_lif_at_exactly_the_threshold_stays_silent() -> None:
    spikes, v = lif(torch.tensor([[0.5]]))
    assert (float(spikes), float(v)) == (0.0, 0.5)


@pytest.mark.parametrize("backend", [_lif_cpu.forward, _lif_torch.forward], ids=["kernel", "torch"])
@given(
    x=st.lists(st.one_of(st.sampled_from(ADVERSARIAL), st.floats(-4, 4, width=32)), min_size=1, max_size=6),
    v0=st.floats(-2, 0.5, width=32),
)
def test_lif_forward_equals_plain_python(
    backend: Callable[[Tensor, Tensor, float, float], tuple[Tensor, Tensor]], x: list[float], v0: float
) -> None:
    spikes, v = backend(torch.tensor(x)[:, None], torch.tensor([v0]), 0.25, 0.5)
    expected_spikes, expected_v = plain_lif(x, v0)
    assert spikes[:, 0].tolist() == expected_spikes
    assert float(v) == expected_v


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("steps", [1, 4])
def test_lif_gradients_equal_those_of_the_autograd_loop(dtype: torch.dtype, steps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(steps, 3, 7, generator=generator, dtype=torch.float64).to(dtype)
    v0 = torch.rand(3, 7, generator=generator, dtype=torch.float64).to(torch.promote_types(dtype, torch.float32))
    upstream = torch.randn(steps, 3, 7, generator=generator, dtype=torch.float64).to(dtype)
    results = []
    for neuron in (lif, lif_reference):
        inputs = x.clone().requires_grad_(), v0.clone().requires_grad_()
        spikes, v = neuron(*inputs)
        gradients = torch.autograd.grad((spikes * upstream).sum() + (v * v0).sum(), inputs)
        results.append([spikes.detach(), v.detach(), *gradients])
    tolerance = 1e-12 if dtype == torch.float64 else 1e-6
    for ours, reference in zip(*results, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=tolerance)


def test_lif_backward_of_torch_operations_equals_the_kernel() -> None:
    generator = torch.Generator().manual_seed(1)
    x, gradient = (torch.randn(3, 5, 11, generator=generator) for _ in range(2))
    v0, grad_v = (torch.randn(5, 11, generator=generator) for _ in range(2))
    results = []
    for backend in (_lif_cpu, _lif_torch):
        spikes, v, code = backend.forward_coded(x, v0, 0.25, 0.5)
        results.append([spikes, v, code, *backend.backward(gradient, code, grad_v, 0.25)])
    for kernel, plain in zip(*results, strict=True):
        assert torch.equal(kernel, plain)


@pytest.fixture
def named_backend() -> Iterator[Callable[[str], None]]:
    yield use_lif_backend
    use_lif_backend("auto")


def test_auto_takes_the_kernels_of_the_device_and_says_why() -> None:
    assert choose_lif_backend("cpu", torch.float32).name == "numba"
    assert choose_lif_backend("cpu", torch.float16) == ("torch", "no kernel takes torch.float16 on cpu")
    assert choose_lif_backend("mps", torch.float32).name == "torch"
    expected = "torch" if find_spec("triton") is None else "triton"
    assert choose_lif_backend("cuda", torch.float32).name == expected


def test_named_backend_is_taken_or_refused(named_backend: Callable[[str], None]) -> None:
    named_backend("torch")
    assert choose_lif_backend("cpu", torch.float32) == ("torch", "asked for")
    named_backend("numba")
    with pytest.raises(OptionError, match=r"numba does not take torch\.float16 on cpu"):
        lif(torch.zeros(2, 3, dtype=torch.float16))
    with pytest.raises(OptionError, match="backend must be one of auto, torch, numba, triton"):
        named_backend("cupy")


def test_network_in_torch_operations_equals_that_in_kernels(named_backend: Callable[[str], None]) -> None:
    torch.manual_seed(0)
    detector = spread_statistics(build_detector("ems-nano"))
    counts = torch.randint(0, 12, (3, 2, 2, 64, 64), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    results = []
    for name in ("numba", "torch"):
        named_backend(name)
        detector.load_state_dict(start := {k: v.clone() for k, v in detector.state_dict().items()})
        output = detector(counts)
        loss = torch.stack([scale.square().mean() for scale in output.logits]).sum()
        gradients = torch.autograd.grad(loss, list(detector.parameters()))
        detector.load_state_dict(start)
        results.append([*output.logits, *output.state, *gradients])
    # Both round alike, so that not a single spike differs.
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


@pytest.mark.parametrize("name", ["torch", "numba"])
def test_lif_with_a_strided_upstream_gradient_equals_the_loop(name: str, named_backend: Callable[[str], None]) -> None:
    named_backend(name)
    x = torch.randn(5, 3, 7, 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    upstream = torch.randn(2, 7, 3, 10, generator=torch.Generator().manual_seed(6), dtype=torch.float64)
    # Every other element, and the axes the other way round.
    upstream = upstream[..., ::2].permute(3, 2, 1, 0)
    gradients = []
    for neuron in (lif, lif_reference):
        leaf = x.clone().requires_grad_()
        gradients.append(torch.autograd.grad(neuron(leaf)[0], leaf, upstream)[0])
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12)


def test_lif_equals_the_neuron_of_snntorch() -> None:
    snntorch = pytest.importorskip("snntorch")
    x = torch.randn(20, 64, generator=torch.Generator().manual_seed(7))
    neuron = snntorch.Leaky(beta=0.25, threshold=0.5, reset_mechanism="zero")
    membrane = torch.zeros(64)
    theirs = []
    for current in x:
        spikes, membrane = neuron(current, membrane)
        theirs.append(spikes)
    assert torch.equal(lif(x)[0], torch.stack(theirs).detach())


_TRITON = """
import torch
from eventdet.models import _lif_torch, _lif_triton
generator = torch.Generator().manual_seed(0)
edge = torch.tensor([0.5, 0.5 + 2.0**-24, 0.5 - 2.0**-25, 0.0, -0.0, 1.0, float("inf"), -1e38, 1e-42])
cases = [(1, (1,), torch.float32), (5, (2, 3, 7, 11), torch.float32), (4, (2050,), torch.bfloat16)]
cases += [(35, (9,), torch.float32)]
for steps, shape, dtype in cases:
    x = torch.randn(steps, *shape, generator=generator)
    x.view(-1)[: len(edge)] = edge[: x.numel()]
    x, v0 = x.to(dtype), torch.rand(shape, generator=generator)
    layouts = [x] if x.ndim != 5 else [x, x.flatten(0, 1).contiguous(memory_format=torch.channels_last).view_as(x)]
    upstream, grad_v = torch.randn(x.shape, generator=generator).to(dtype), torch.randn(shape, generator=generator)
    for x in layouts:
        ours, plain = (module.forward_coded(x, v0, 0.25, 0.5) for module in (_lif_triton, _lif_torch))
        assert all(torch.equal(one, other) for one, other in zip(ours, plain)), (steps, shape, dtype)
        assert all(torch.equal(one, other) for one, other in zip(_lif_triton.forward(x, v0, 0.25, 0.5), plain))
        back = [module.backward(upstream, plain[2], grad_v, 0.25) for module in (_lif_triton, _lif_torch)]
        # The interpreter cuts bfloat16 off where a GPU rounds.
        tolerance = 2.0**-7 if dtype == torch.bfloat16 else 0
        for one, other in zip(*back):
            torch.testing.assert_close(one, other, rtol=tolerance, atol=0)
print("equal")
"""


@pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
def test_triton_kernels_in_its_interpreter_equal_torch() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    done = subprocess.run([sys.executable, "-c", _TRITON], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "equal\n", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_triton_kernels_on_cuda_equal_torch() -> None:
    code = _TRITON.replace("x.to(dtype), torch.rand(shape, generator=generator)",
                           "x.to('cuda', dtype), torch.rand(shape, generator=generator).cuda()")  # fmt: skip
    code = code.replace(".to(dtype), torch.randn(shape, generator=generator)",
                        ".to('cuda', dtype), torch.randn(shape, generator=generator).cuda()")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "equal\n", done.stderr


def test_lif_surrogate_is_one_inside_its_open_support_and_zero_at_its_ends() -> None:
    x = torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.0, -0.1, 1.1]], requires_grad=True)
    spikes, _ = lif(x)
    (gradient,) = torch.autograd.grad(spikes.sum(), x)
    assert gradient[0].tolist() == [0, 1, 1, 1, 0, 0, 0]


def test_lif_gradient_of_v0_alone_is_delivered() -> None:
    v0 = torch.tensor([0.4], requires_grad=True)
    _, v = lif(torch.tensor([[0.1], [0.1]]), v0)
    # Silent twice: v = 0.25 * (0.25 * v0 + 0.1) + 0.1.
    (gradient,) = torch.autograd.grad(v.sum(), v0)
    assert gradient.tolist() == [0.0625]


def test_lif_with_expanded_upstream_gradient_equals_the_loop() -> None:
    x = torch.linspace(-1, 2, 24).reshape(4, 6)
    gradients = []
    for neuron in (lif, lif_reference):
        leaf = x.clone().requires_grad_()
        # A mean sends back one number, expanded without memory of its own.
        gradients.append(torch.autograd.grad(neuron(leaf)[0].mean(), leaf)[0])
    assert torch.equal(*gradients)


@pytest.mark.parametrize("layout", ["contiguous", "channels_last", "time innermost", "expanded"])
def test_lif_in_any_memory_layout_gives_the_same(layout: str) -> None:
    dense = torch.randn(3, 2, 4, 5, 6, generator=torch.Generator().manual_seed(2))
    v0 = torch.rand(2, 4, 5, 6, generator=torch.Generator().manual_seed(3))
    x = {
        "contiguous": dense,
        "channels_last": dense.flatten(0, 1).contiguous(memory_format=torch.channels_last).view_as(dense),
        "time innermost": dense.permute(1, 2, 3, 4, 0).contiguous().permute(4, 0, 1, 2, 3),
        "expanded": dense,
    }[layout]
    if layout == "expanded":
        x = dense = dense[:1].expand(3, -1, -1, -1, -1)
    expected = lif_reference(dense.clone(), v0)
    for ours, reference in zip(lif(x, v0), expected, strict=True):
        assert torch.equal(ours, reference)


def test_lif_leaves_its_arguments_unchanged() -> None:
    x, v0 = torch.full((2, 3), 0.4), torch.full((3,), 0.3)
    lif(x, v0)
    assert torch.equal(x, torch.full((2, 3), 0.4))
    assert torch.equal(v0, torch.full((3,), 0.3))


def test_lif_split_anywhere_with_the_state_carried_equals_one_call() -> None:
    x = torch.randn(6, 40, generator=torch.Generator().manual_seed(4))
    whole, last = lif(x)
    for cut in range(1, 6):
        first, v = lif(x[:cut])
        second, v = lif(x[cut:], v)
        assert torch.equal(torch.cat((first, second)), whole)
        assert torch.equal(v, last)


def test_bfloat16_gradients_round_to_nearest_even_and_keep_nan() -> None:
    code = torch.full((1, 3), 2, dtype=torch.uint8)
    # 1 + 2^-8 is half way between the bfloat16 numbers 1 and 1 + 2^-7: even is 1; 1 + 3 * 2^-8 rounds up to 1 + 2^-6.
    grad_v = torch.tensor([2.0**-8, 3 * 2.0**-8, float("nan")])
    gradient, _ = _lif_cpu.backward(torch.ones(1, 3, dtype=torch.bfloat16), code, grad_v, 0.25)
    assert gradient[0, :2].tolist() == [1.0, 1.0 + 2.0**-6]
    assert bool(gradient[0, 2].isnan())


@pytest.mark.parametrize(
    ("x", "v0"),
    [
        (torch.zeros(2, 3, dtype=torch.int64), None),
        (torch.zeros(0, 3), None),
        (torch.tensor(1.0), None),
        (torch.zeros(2, 3), torch.zeros(4)),
    ],
    ids=["integer", "no step", "no axis", "other shape"],
)
def test_lif_of_what_breaks_its_rules_is_refused(x: Tensor, v0: Tensor | None) -> None:
    with pytest.raises(OptionError):
        lif(x, v0)


def test_membranes_of_another_number_of_layers_are_refused() -> None:
    membranes = Membranes(1, [])
    with pytest.raises(OptionError, match="each layer"):
        LIF()(torch.zeros(1, 2, 4, 4), membranes)
    too_many = Membranes(1, [torch.zeros(1, 2, 4, 4)] * 2)
    LIF()(torch.zeros(1, 2, 4, 4), too_many)
    with pytest.raises(OptionError, match="must have 1 tensors, got 2"):
        too_many.state()


@pytest.mark.parametrize("v", [torch.zeros(4), torch.zeros(3, dtype=torch.float64)], ids=["shape", "dtype"])
def test_kernel_in_place_refuses_a_membrane_that_it_would_overrun(v: Tensor) -> None:
    with pytest.raises(OptionError, match="v must be"):
        _lif_cpu.forward_(torch.zeros(2, 3), v, 0.25, 0.5)


@pytest.mark.parametrize("layouts", ["alike", "apart", "strided"])
@pytest.mark.parametrize("steps", [1, 3])
def test_kernel_on_folded_steps_equals_the_loop_in_any_layout(layouts: str, steps: int) -> None:
    generator = torch.Generator().manual_seed(8)
    x = torch.randn(steps * 2, 4, 5, 6, generator=generator)
    v0 = torch.rand(2, 4, 5, 6, generator=generator)
    spikes, last = lif_reference(x.view(steps, 2, 4, 5, 6), v0)
    v = v0.clone()
    if layouts == "alike":
        x, v = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, v))
    elif layouts == "apart":
        x = x.contiguous(memory_format=torch.channels_last)
    else:
        x = x.repeat_interleave(2, dim=3)[..., ::2]
    for dtype in (torch.float32, torch.uint8):
        carried = v.clone()
        ours = _lif_cpu.forward_folded_(x, carried, 0.25, 0.5, spike_dtype=dtype)
        assert ours.dtype == dtype
        assert torch.equal(ours.float(), spikes.flatten(0, 1))
        assert torch.equal(carried, last)


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (2, 4, 5, 7)], ids=["batch", "columns"])
def test_kernel_on_folded_steps_refuses_a_membrane_that_it_would_overrun(shape: tuple[int, ...]) -> None:
    with pytest.raises(OptionError, match="v must be float32 of the shape of one step"):
        _lif_cpu.forward_folded_(torch.zeros(2, 4, 5, 6), torch.zeros(shape), 0.25, 0.5, spike_dtype=torch.float32)


def test_kernel_backward_refuses_a_code_of_another_shape() -> None:
    with pytest.raises(OptionError, match="code must be"):
        _lif_cpu.backward(torch.zeros(2, 3), torch.zeros(2, 4, dtype=torch.uint8), torch.zeros(3), 0.25)
