"""The exported step against the network, in ONNX Runtime and OpenVINO, fed with the same state at every step."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eventdet.errors import MissingExtraError, OptionError
from eventdet.models import Detector, DetectorConfig, build_detector
from eventdet.models.export_onnx import OPSET, StepIO, StepNetwork, export_onnx

from .networks import spread_statistics

onnx = pytest.importorskip("onnx")

Run = Callable[[list[NDArray[Any]]], list[NDArray[Any]]]
SIZE = (64, 96)


def onnxruntime_run(path: Path, io: StepIO) -> Run:
    session = pytest.importorskip("onnxruntime").InferenceSession(str(path))
    return lambda values: session.run(io.outputs, dict(zip(io.inputs, values, strict=True)))


def openvino_run(path: Path, io: StepIO) -> Run:
    core = pytest.importorskip("openvino").Core()
    # Its default is the fastest arithmetic that the CPU has.
    request = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()

    def run(values: list[NDArray[Any]]) -> list[NDArray[Any]]:
        results = request.infer(dict(zip(io.inputs, values, strict=True)))
        return [np.array(results[name]) for name in io.outputs]

    return run


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return spread_statistics(build_detector("ems-nano")).eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def exported(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StepIO]:
    path = tmp_path_factory.mktemp("onnx") / "step.onnx"
    return path, export_onnx(detector, path, input_size=SIZE)


@pytest.mark.parametrize("runtime", [onnxruntime_run, openvino_run], ids=["onnxruntime", "openvino"])
def test_exported_step_equals_the_network(
    detector: Detector, exported: tuple[Path, StepIO], runtime: Callable[[Path, StepIO], Run]
) -> None:
    run = runtime(*exported)
    state = [torch.zeros(shape) for shape in exported[1].state_shapes]
    windows = torch.randint(0, 12, (4, 1, 2, *SIZE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    for counts in windows:
        output = detector.step(counts, state)
        theirs = run([counts.numpy(), *(v.numpy() for v in state)])
        ours = (*output.logits, *output.state)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one.numpy(), other, rtol=0, atol=2e-5)
        state = list(output.state)


def test_exported_graph_names_its_state_and_carries_its_configuration(
    detector: Detector, exported: tuple[Path, StepIO]
) -> None:
    path, io = exported
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [OPSET]
    assert [value.name for value in model.graph.input] == io.inputs == ["counts", *detector.state_names]
    assert [value.name for value in model.graph.output] == io.outputs
    assert io.logits == ("logits_stride16", "logits_stride32")
    shapes = [tuple(dim.dim_value for dim in value.type.tensor_type.shape.dim) for value in model.graph.input]
    assert shapes == [io.counts, *io.state_shapes]
    assert io.counts == (1, 2, *SIZE)
    stored = {entry.key: entry.value for entry in model.metadata_props}
    assert DetectorConfig.from_dict(json.loads(stored["eventdet_config"])) == detector.config


@pytest.mark.parametrize("options", [{"name": "sew-nano"}, {"name": "wide-res34-cat", "width": 0.125}], ids=str)
def test_every_family_and_four_scales_export(options: dict[str, Any], tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = build_detector(heads=4, detection="spiking", **options).eval().requires_grad_(requires_grad=False)
    path = tmp_path / "step.onnx"
    io = export_onnx(detector, path, batch=2, input_size=(64, 64))
    assert len(io.logits) == 4
    counts = torch.randint(0, 12, io.counts, generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    state = [torch.zeros(shape) for shape in io.state_shapes]
    output = detector.step(counts)
    theirs = onnxruntime_run(path, io)([counts.numpy(), *(v.numpy() for v in state)])
    for one, other in zip((*output.logits, *output.state), theirs, strict=True):
        np.testing.assert_allclose(one.numpy(), other, rtol=0, atol=2e-5)


def test_step_network_leaves_the_detector_as_it_was(detector: Detector) -> None:
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    network = StepNetwork(detector)
    network(*network.example())
    assert all(torch.equal(before[name], value) for name, value in detector.state_dict().items())


def test_export_to_a_size_that_the_network_does_not_take_is_refused(detector: Detector, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="multiples of 32, got 240x304"):
        export_onnx(detector, tmp_path / "step.onnx", input_size=(240, 304))
    assert not list(tmp_path.iterdir())


def test_export_without_its_packages_names_the_extra(
    detector: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtraError) as caught:
        export_onnx(detector, tmp_path / "step.onnx", input_size=SIZE)
    assert "export" in caught.value.hint
