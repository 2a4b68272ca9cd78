"""The benchmark of the detector compares the same arithmetic, and names every form."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from eventdet.benchmarks._per_step import PerStepNetwork
from eventdet.benchmarks.model import Workload, benchmark_model
from eventdet.geometry import SensorSize
from eventdet.models import build_detector
from eventdet.models.runtimes import faster_dtype


@pytest.mark.parametrize("name", ["ems-nano", "ms-nano"])
def test_per_step_form_computes_what_the_detector_does(name: str) -> None:
    torch.manual_seed(0)
    detector = build_detector(name, shortcut_lif=True)
    plain = PerStepNetwork(deepcopy(detector))
    counts = torch.randint(0, 12, (3, 2, 2, 64, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    for ours, theirs in zip(detector(counts).logits, plain(detector.encode(counts)), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-5)
    gradients = []
    for module, logits in ((detector, detector(counts).logits), (plain, plain(detector.encode(counts)))):
        sum(scale.square().mean() for scale in logits).backward()
        kernels = [weight.grad for weight in module.parameters() if weight.ndim == 4 and weight.grad is not None]
        gradients.append(float(nn.utils.get_total_norm(kernels)))
        assert len(kernels) >= 20
    assert gradients[0] == pytest.approx(gradients[1], rel=1e-3)


def test_rows_name_every_form_with_a_positive_time() -> None:
    small = Workload("ems-nano", SensorSize(64, 64), SensorSize(64, 64), training_batch=1)
    rows = benchmark_model(repeats=1, workload=small)
    assert all(row.value > 0 for row in rows)
    names = [row.name for row in rows]
    for name in (f"step, {faster_dtype()}", "step, float32", "plain network, float32, NCHW", "clip, float32"):
        assert name in names
    ours = [row.name for row in rows if row.ratio is None]
    assert ours == [f"step, {faster_dtype()}", f"clip, {faster_dtype()}", "training step, bfloat16 by autocast"]
