"""The ``.pt2`` program against the network, fed with the same state at every step; and ``eventdet export-model``."""

import json
from pathlib import Path

import pytest
import torch

from eventdet.cli.main import run
from eventdet.models import build_detector, save_detector
from eventdet.models.exchange.program import export_program

from .networks import spread_statistics

SIZE = (64, 96)


def test_a_program_equals_the_network_step_by_step(tmp_path: Path) -> None:
    torch.manual_seed(0)
    detector = spread_statistics(build_detector("ems-nano", heads=4)).eval().requires_grad_(requires_grad=False)
    path = tmp_path / "new" / "step.pt2"
    step = export_program(detector, path, batch=2, input_size=SIZE)
    extra = {"eventdet.json": ""}
    program = torch.export.load(path, extra_files=extra)
    described = json.loads(extra["eventdet.json"])
    assert described["inputs"] == step.inputs
    assert described["outputs"] == step.outputs
    assert described["config"]["heads"] == 4
    network = program.module()
    state = [torch.zeros(shape) for shape in step.state_shapes]
    windows = torch.randint(0, 12, (4, 2, 2, *SIZE), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    for counts in windows:
        output = detector.step(counts, state)
        theirs = network(counts, *state)
        for one, other in zip((*output.logits, *output.state), theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=2e-5)
        state = list(output.state)


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_export_model_writes_weights_and_says_what_they_take(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_detector(build_detector("ems-nano"), tmp_path / "nano")
    target = tmp_path / f"step.{ending}"
    assert run(["export-model", str(tmp_path / "nano"), "-o", str(target), "--input-size", "96x64"]) == 0
    printed = capsys.readouterr().out
    assert "counts 1x2x64x96 uint8 and 20 membranes to logits_stride16, logits_stride32" in printed
    assert target.stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["-o", "x.tflite"], 2, "ending of --output must be one of .onnx, .pt2, .nir"),
        (["-o", "x.nir"], 2, "NIR has no node for MaxPool2d"),
        (["-o", "x.nir", "--batch", "2"], 2, "--batch does not apply to NIR"),
        (["-o", "x.onnx", "--part", "backbone"], 2, "--part is for NIR"),
        (["-o", "x.onnx", "--input-size", "304x240"], 2, "multiples of 32, got 240x304"),
        (["-o", "x.nir", "--part", "head"], 2, "part must be one of whole, backbone"),
    ],
    ids=["ending", "nir", "batch", "part", "size", "no such part"],
)
def test_export_model_says_what_is_wrong(
    arguments: list[str], code: int, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert run(["export-model", "ems-nano", *arguments]) == code
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
