"""Other runtimes against torch, and the choice among them."""

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from eventdet.errors import MissingExtraError, OptionError
from eventdet.models import Detector, StreamingDetector, build_detector
from eventdet.models import runtimes as module
from eventdet.models._static_engine import StaticEngine
from eventdet.models._torch_engine import TorchEngine
from eventdet.models.runtimes import NAMED, RuntimeChoice, choose_runtime

from .networks import spread_statistics

pytest.importorskip("onnxscript")
GRAPHS = [
    pytest.param(name, marks=pytest.mark.skipif(not module.installed(name), reason=f"{name} is not installed"))
    for name in ("openvino", "onnxruntime")
]


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    detector = spread_statistics(build_detector("ems-nano", readout_steps=3)).eval()
    detector.weights_hash = "made for this test"
    return detector.requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def windows() -> Tensor:
    return torch.randint(0, 12, (5, 1, 2, 64, 96), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)


@pytest.mark.parametrize("runtime", GRAPHS)
def test_stream_in_a_runtime_equals_that_in_torch(detector: Detector, windows: Tensor, runtime: str) -> None:
    ours, theirs = (StreamingDetector(detector, dtype="float32", runtime=name) for name in ("torch", runtime))
    for _ in range(2):
        for window in windows:
            for one, other in zip(ours.step(window), theirs.step(window), strict=True):
                torch.testing.assert_close(one, other, rtol=0, atol=5e-5)
            assert ours.state is not None
            assert theirs.state is not None
            for one, other in zip(ours.state, theirs.state, strict=True):
                torch.testing.assert_close(one, other, rtol=0, atol=5e-5)
        # The second stream starts from rest again.
        for stream in (ours, theirs):
            stream.reset()
            assert stream.state is None
    assert theirs.arithmetic == f"{runtime} float32"


@pytest.mark.parametrize("runtime", ["torch", *GRAPHS])
def test_clip_is_the_mean_of_its_steps_from_rest(detector: Detector, windows: Tensor, runtime: str) -> None:
    stream = StreamingDetector(detector, dtype="float32", runtime=runtime)
    stream.step(windows[4])
    for ours, reference in zip(stream.clip(windows), detector(windows).logits, strict=True):
        torch.testing.assert_close(ours, reference, rtol=0, atol=1e-4)
    assert stream.state is None
    with pytest.raises(OptionError, match=r"must be \(T, B, C, H, W\)"):
        stream.clip(windows[0])


@pytest.mark.parametrize("runtime", GRAPHS)
def test_results_of_a_runtime_are_not_changed_by_its_next_step(
    detector: Detector, windows: Tensor, runtime: str
) -> None:
    stream = StreamingDetector(detector, runtime=runtime)
    first = stream.step(windows[0])
    kept = [scale.clone() for scale in first]
    stream.step(windows[1])
    assert all(torch.equal(scale, copy) for scale, copy in zip(first, kept, strict=True))


@pytest.mark.parametrize("runtime", GRAPHS)
def test_counts_that_a_graph_was_not_built_for_are_refused(detector: Detector, windows: Tensor, runtime: str) -> None:
    stream = StreamingDetector(detector, runtime=runtime)
    with pytest.raises(OptionError, match=r"must be \(B, 2, H, W\)"):
        stream.step(torch.zeros(1, 3, 64, 96, dtype=torch.uint8))
    with pytest.raises(OptionError, match="multiples of 32, got 240x304"):
        stream.step(torch.zeros(1, 2, 240, 304, dtype=torch.uint8))
    stream.step(windows[0])
    with pytest.raises(OptionError, match="keep the shape"):
        stream.step(torch.zeros(1, 2, 96, 96, dtype=torch.uint8))
    with pytest.raises(OptionError, match=r"uint8, got torch\.int64"):
        stream.step(windows[0].long())


def test_graph_of_saved_weights_is_exported_once_and_a_damaged_copy_again(
    detector: Detector, windows: Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path))
    expected = StreamingDetector(detector, runtime="onnxruntime").step(windows[0])
    (kept,) = (tmp_path / "onnx").iterdir()
    content = kept.read_bytes()
    for stored in (content, content[:-1]):
        kept.write_bytes(stored)
        again = StreamingDetector(detector, runtime="onnxruntime").step(windows[0])
        assert all(torch.equal(one, other) for one, other in zip(expected, again, strict=True))
        assert len(kept.read_bytes()) == len(content)


def test_auto_takes_the_fastest_of_a_trial_and_keeps_it(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "installed", lambda _: True)
    times = {"torch": 9.0, "openvino": 4.5, "onnxruntime": 20.0}
    asked: list[str] = []

    def step_ms(_: Detector, candidate: RuntimeChoice) -> float:
        asked.append(candidate.runtime)
        return times[candidate.runtime]

    monkeypatch.setattr(module, "_step_ms", step_ms)
    first = choose_runtime(detector, runtime="auto", dtype="float32")
    assert (first.runtime, first.dtype) == ("openvino", "float32")
    assert first.reason == "trial: torch float32 9.0 ms, openvino float32 4.5 ms, onnxruntime float32 20.0 ms"
    again = choose_runtime(detector, runtime="auto", dtype="float32")
    assert again.runtime == "openvino"
    assert again.reason.startswith("kept trial: ")
    assert asked == ["torch", "openvino", "onnxruntime"]
    # Another dtype is another question; ONNX Runtime is not asked for what it lacks.
    choose_runtime(detector, runtime="auto", dtype="bfloat16")
    assert asked[3:] == ["torch", "openvino"]


@pytest.mark.parametrize("content", ["", "[1.0]", "[1.0, -2.0, 3.0]", '{"a": 1}', "[1.0, null, 2.0]"])
def test_damaged_trial_is_made_again(
    detector: Detector, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path))
    monkeypatch.setattr(module, "installed", lambda _: True)
    monkeypatch.setattr(module, "_step_ms", lambda *_: 1.0)
    choose_runtime(detector, runtime="auto")
    (kept,) = (tmp_path / "runtimes").iterdir()
    kept.write_text(content)
    assert choose_runtime(detector, runtime="auto").reason.startswith("trial: ")
    assert json.loads(kept.read_text()) == [1.0] * 3


def test_real_trial_times_every_installed_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path))
    detector = build_detector("ems-nano", input_size=(64, 64)).eval()
    detector.weights_hash = "made for this test"
    choice = choose_runtime(detector, runtime="auto")
    installed = [name for name in module.RUNTIMES[:-1] if module.installed(name)]
    assert choice.runtime in installed
    assert all(f"{name} " in choice.reason for name in installed)


def test_torch_is_the_default_and_needs_no_trial(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_step_ms", lambda *_: pytest.fail("a trial"))
    assert StreamingDetector(detector).choice == RuntimeChoice("torch", module.faster_dtype(), NAMED)


def assert_static_equals_streaming(detector: Detector, windows: Tensor, device: str, *, tolerance: float) -> None:
    static, stream = StaticEngine(detector, "float32", device), TorchEngine(detector, "float32")
    with torch.inference_mode():
        for _ in range(2):
            for window in windows:
                for one, other in zip(static.step(window), stream.step(window), strict=True):
                    torch.testing.assert_close(one, other, rtol=0, atol=tolerance)
            for engine in (static, stream):
                assert engine.state is not None
                engine.reset()
                assert engine.state is None
        kept = static.step(windows[0])
        copy = [scale.clone() for scale in kept]
        static.step(windows[1])
        assert all(torch.equal(one, other) for one, other in zip(kept, copy, strict=True))
        for one, other in zip(static.clip(windows), stream.clip(windows), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=tolerance)
        with pytest.raises(OptionError, match="keep the shape"):
            static.step(torch.zeros(1, 2, 96, 96, dtype=torch.uint8))


def test_step_in_static_memory_equals_the_stream(detector: Detector, windows: Tensor) -> None:
    assert_static_equals_streaming(detector, windows, "cpu", tolerance=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_step_as_a_cuda_graph_equals_the_stream(detector: Detector, windows: Tensor) -> None:
    # A spike that rounding flips would show, as TF32 would.
    torch.backends.cudnn.allow_tf32 = False
    assert_static_equals_streaming(detector, windows, "cuda", tolerance=1e-3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_device_that_is_not_there_is_refused(detector: Detector) -> None:
    with pytest.raises(OptionError, match="device 'cuda' is not there"):
        StreamingDetector(detector, device="cuda")
    with pytest.raises(OptionError, match="runtime on a device must be one of torch, auto"):
        StreamingDetector(detector, device="cuda", runtime="openvino")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runtime": "tensorrt"}, "runtime must be one of torch, openvino, onnxruntime, auto"),
        ({"runtime": "onnxruntime", "dtype": "bfloat16"}, "dtype must be float32 with onnxruntime"),
    ],
)
def test_wrong_runtimes_are_refused(detector: Detector, options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        StreamingDetector(detector, **options)


@pytest.mark.parametrize(("runtime", "extra"), [("openvino", "openvino"), ("onnxruntime", "export")])
def test_runtime_that_is_not_installed_names_its_extra(
    detector: Detector, runtime: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, runtime, None)
    with pytest.raises(MissingExtraError) as caught:
        StreamingDetector(detector, runtime=runtime)
    assert extra in caught.value.hint
