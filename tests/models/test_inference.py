"""The streaming form against the training form."""

import pickle
import threading
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from eventdet.errors import OptionError
from eventdet.models import Detector, StreamingDetector, build_detector
from eventdet.models._folding import folded
from eventdet.models._packed_conv import SpikeConv2d, can_convolve_int8
from eventdet.models._torch_engine import TorchEngine
from eventdet.models.blocks import ConvNorm
from eventdet.models.lif import LIF, Membranes
from eventdet.models.runtimes import faster_dtype

from .networks import spread_statistics


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    detector = build_detector(readout_steps=3)
    generator = torch.Generator().manual_seed(1)
    for norm in detector.modules():
        if isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None:
            norm.running_mean.normal_(0, 0.05, generator=generator)
            norm.running_var.uniform_(0.05, 0.3, generator=generator)
    return detector.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def windows() -> Tensor:
    return torch.randint(0, 12, (5, 1, 2, 64, 96), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)


def test_float32_stream_equals_the_training_form(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="float32")
    every = detector(windows, readout="steps").logits
    for t in range(len(windows)):
        first = max(0, t - 2)
        for ours, reference in zip(stream.step(windows[t]), every, strict=True):
            # The readout is the mean of the last three steps, of fewer at the beginning.
            torch.testing.assert_close(ours, reference[first : t + 1].mean(0), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("ems-nano", {"heads": 4}),
        ("ems-nano", {"detection": "spiking", "pool_first": False, "shortcut_lif": False}),
        ("ms-nano", {"width": 0.5}),
        ("sew-nano", {}),
        ("sew-nano", {"neurons": "silu"}),
        ("wide-res18", {"width": 0.25}),
    ],
    ids=["four heads", "as released", "ms", "sew", "sew with SiLU", "wide with SiLU"],
)
def test_flat_engine_of_every_family_equals_the_network(name: str, options: dict[str, Any], windows: Tensor) -> None:
    torch.manual_seed(0)
    detector = spread_statistics(build_detector(name, **options)).eval().requires_grad_(requires_grad=False)
    engine, state = TorchEngine(detector, "float32"), None
    for window in windows[:3]:
        expected = detector.step(window, state)
        state = expected.state
        for ours, reference in zip(engine.step(window), expected.logits, strict=True):
            torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)
    assert engine.state is not None
    assert [v.shape for v in engine.state] == [v.shape for v in expected.state]
    clip = engine.clip(windows)
    for ours, reference in zip(clip, detector(windows).logits, strict=True):
        torch.testing.assert_close(ours, reference, rtol=1e-4, atol=1e-4)


def test_reset_stream_equals_a_fresh_one(detector: Detector, windows: Tensor) -> None:
    stream, fresh = (StreamingDetector(detector, dtype="float32") for _ in range(2))
    for window in windows:
        stream.step(window)
    stream.reset()
    assert stream.state is None
    for ours, reference in zip(stream.step(windows[0]), fresh.step(windows[0]), strict=True):
        assert torch.equal(ours, reference)


def test_results_of_a_step_are_not_changed_by_the_next(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="float32")
    first = stream.step(windows[0])
    kept = [scale.clone() for scale in first]
    stream.step(windows[1])
    for scale, copy in zip(first, kept, strict=True):
        assert torch.equal(scale, copy)


def test_streaming_leaves_the_detector_as_it_was(detector: Detector, windows: Tensor) -> None:
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    StreamingDetector(detector, dtype="bfloat16").step(windows[0])
    assert all(torch.equal(before[name], value) for name, value in detector.state_dict().items())


def layer_currents(network: Detector, counts: Tensor) -> list[Tensor]:
    """Return the input of every layer of neurons during a step from rest, in the order in which they run."""
    seen: list[Tensor] = []

    def keep(_: nn.Module, inputs: tuple[Tensor, Membranes]) -> None:
        seen.append(inputs[0].clone())

    handles = [module.register_forward_pre_hook(keep) for module in network.modules() if isinstance(module, LIF)]
    network.step(counts)
    for handle in handles:
        handle.remove()
    return seen


def test_bfloat16_neurons_differ_only_where_rounding_explains_it(detector: Detector, windows: Tensor) -> None:
    """Each layer is fed the reference's own input, rounded, so that one flip does not spread through the network."""
    for currents in layer_currents(detector, windows[0]):
        rounded = currents.bfloat16()
        reference = LIF()(currents, Membranes(1))
        ours = LIF()(rounded, Membranes(1))
        differs = reference != ours.float()
        # bfloat16 has 8 bits: next to the threshold 0.5 its numbers are 2^-9 apart below and 2^-8 above.
        assert torch.all((currents[differs] - 0.5).abs() <= 2.0**-8)
        assert differs.float().mean() < 0.01


def test_bfloat16_stream_keeps_float32_membranes(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="bfloat16")
    logits = stream.step(windows[0])
    assert stream.state is not None
    assert {v.dtype for v in stream.state} == {torch.float32}
    assert {scale.dtype for scale in logits} == {torch.float32}


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [({"avx512_bf16": True}, "bfloat16"), ({"amx_bf16": True}, "bfloat16"), ({"avx2": True}, "float32")],
    ids=["AVX-512 bf16", "AMX", "AVX2"],
)
def test_auto_dtype_follows_what_the_cpu_is(
    capabilities: dict[str, bool], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert faster_dtype() == dtype


def test_detect_stamps_its_boxes(detector: Detector, windows: Tensor) -> None:
    (boxes,) = StreamingDetector(detector, dtype="float32").detect(windows[0], conf=0.0, max_det=7, t_us=123)
    assert len(boxes) == 7
    assert set(boxes.t.tolist()) == {123}


def test_stream_of_another_size_than_before_is_refused(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="float32")
    stream.step(windows[0])
    with pytest.raises(OptionError, match="shape"):
        stream.step(torch.zeros(1, 2, 96, 96, dtype=torch.uint8))


def test_stream_of_more_pictures_than_before_is_refused_and_goes_on_with_as_many(
    detector: Detector, windows: Tensor
) -> None:
    stream, undisturbed = (StreamingDetector(detector, dtype="float32") for _ in range(2))
    for each in (stream, undisturbed):
        each.step(windows[0])
    with pytest.raises(OptionError, match="batch must be that of the state, 1, got 4"):
        stream.step(windows[:4, 0])
    for ours, reference in zip(stream.step(windows[1]), undisturbed.step(windows[1]), strict=True):
        assert torch.equal(ours, reference)


def test_stream_that_has_not_begun_can_be_pickled(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="float32")
    twin = pickle.loads(pickle.dumps(stream))
    for ours, reference in zip(twin.step(windows[0]), stream.step(windows[0]), strict=True):
        assert torch.equal(ours, reference)


def test_a_detector_is_made_while_another_thread_runs_one(windows: Tensor) -> None:
    small = build_detector("ems-nano").eval()
    expected = StreamingDetector(small, dtype="float32").step(windows[0])
    made = threading.Event()
    seen: list[bool | Exception] = []

    def run() -> None:
        stream = StreamingDetector(small, dtype="float32")
        try:
            while not made.is_set() or not seen:
                stream.reset()
                pairs = zip(stream.step(windows[0]), expected, strict=True)
                seen.append(all(torch.equal(ours, reference) for ours, reference in pairs))
        except Exception as error:
            seen.append(error)

    runner = threading.Thread(target=run)
    runner.start()
    for _ in range(5):
        StreamingDetector(small, dtype="float32")
    made.set()
    runner.join()
    assert seen
    assert all(each is True for each in seen), seen


def test_unknown_dtype_is_refused(detector: Detector) -> None:
    with pytest.raises(OptionError, match="dtype must be one of auto, float32, bfloat16, int8"):
        StreamingDetector(detector, dtype="float16")


def rounded_to_bytes(detector: Detector) -> Detector:
    """Return the folded network with the kernels that read spikes at 8 bits, and no other arithmetic changed."""
    network = folded(detector)
    for name, module in network.named_modules():
        if isinstance(module, ConvNorm) and name != "backbone.stem":
            weight = module.conv.weight
            scale = weight.abs().amax((1, 2, 3), keepdim=True) / 127
            weight.copy_((weight / scale).round() * scale)
    return network


needs_vnni = pytest.mark.skipif(not can_convolve_int8(), reason="this CPU or build has no 8-bit convolution")


@needs_vnni
@pytest.mark.parametrize("name", ["ems-nano", "sew-nano", "ms-nano", "wide-res18"])
def test_int8_stream_equals_the_network_with_rounded_kernels(name: str, windows: Tensor) -> None:
    """Each layer is fed the input it has in the stream, so that a flip by bfloat16 does not spread."""
    torch.manual_seed(0)
    detector = spread_statistics(build_detector(name, width=0.5, detection="spiking")).eval()
    detector.requires_grad_(requires_grad=False)
    stream = TorchEngine(detector, "int8")
    # The engine has its leaves side by side.
    exact = {path.replace(".", "_"): module for path, module in rounded_to_bytes(detector).named_modules()}
    compared = 0

    def compare(module: nn.Module, inputs: tuple[Tensor], output: Tensor, *, path: str) -> None:
        nonlocal compared
        if inputs[0].dtype == torch.uint8:
            compared += 1
            expected = exact[path.replace(".", "_")](inputs[0].float())
            # The sum is exact; one rounding to bfloat16, of 8 bits, follows.
            torch.testing.assert_close(output.float(), expected, rtol=2.0**-8, atol=1e-6)

    for path, module in stream.network.named_modules():
        if isinstance(module, SpikeConv2d):
            module.register_forward_hook(partial(compare, path=path))
    for window in windows[:2]:
        stream.step(window)
    assert compared >= 20


@needs_vnni
def test_int8_stream_keeps_float32_membranes_and_says_what_it_is(detector: Detector, windows: Tensor) -> None:
    stream = StreamingDetector(detector, dtype="int8")
    assert {scale.dtype for scale in stream.step(windows[0])} == {torch.float32}
    assert stream.arithmetic == "int8"
    assert stream.state is not None
    assert {v.dtype for v in stream.state} == {torch.float32}


def test_int8_where_the_cpu_lacks_it_or_in_another_runtime_is_refused(
    detector: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OptionError, match="dtype int8 needs runtime torch, got openvino"):
        StreamingDetector(detector, dtype="int8", runtime="openvino")
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    with pytest.raises(OptionError, match="needs a CPU with VNNI"):
        StreamingDetector(detector, dtype="int8")
