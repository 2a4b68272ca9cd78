"""Gradients at the start of training: probes against full Jacobians, closed forms, and the bounds that hold."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from eventdet.cli.main import run
from eventdet.errors import OptionError
from eventdet.models.analysis.calibration import calibrated
from eventdet.models.analysis.closed_forms import (
    MAX_OF_FOUR,
    Membrane,
    consistent_concat_moment,
    lcb_gain,
    predicted_moment,
    seed_concat_moment,
)
from eventdet.models.analysis.isometry import initialise, mean_eigenvalue, measure_block, measure_chain
from eventdet.models.analysis.propositions import check_blocks, check_chains
from eventdet.models.blocks import EMSBlock1, EMSBlock2, MSBlock
from eventdet.models.lif import Membranes

ALPHAS = (0.25, 1.0, 2.0, 3.0)


def phi_of(scale: float) -> float:
    return 0.5 * (1.0 + math.erf(scale / math.sqrt(2.0)))


@pytest.mark.parametrize(
    ("alpha", "p", "q", "gain"),
    [
        (0.25, 0.1587, 0.4772, 3.575),
        (1.0, 0.3085, 0.3413, 1.600),
        (2.0, 0.3618, 0.2602, 1.127),
        (3.0, 0.3864, 0.2181, 0.920),
    ],
)
def test_closed_form_of_neurons_and_convolution(alpha: float, p: float, q: float, gain: float) -> None:
    membrane = Membrane.normal(alpha)
    assert float(membrane.fires()) == pytest.approx(1.0 - phi_of(0.5 / math.sqrt(alpha)), abs=1e-6)
    assert float(membrane.fires()) == pytest.approx(p, abs=1e-4)
    assert float(membrane.passes()) == pytest.approx(q, abs=1e-4)
    assert lcb_gain(membrane, 1.0) == pytest.approx(gain, abs=2e-3)
    assert lcb_gain(membrane, 0.5) == pytest.approx(gain / 4, abs=1e-3)


def test_second_moment_of_the_largest_of_four() -> None:
    values = torch.randn(4, 400_000, generator=torch.Generator().manual_seed(0)).amax(0)
    assert float(values.square().mean()) == pytest.approx(MAX_OF_FOUR, rel=0.01)


def test_probes_find_the_trace_of_a_known_jacobian() -> None:
    matrix = torch.randn(6, 9, generator=torch.Generator().manual_seed(2))
    exact = float(matrix.square().sum()) / 6
    found = mean_eigenvalue(lambda x: x @ matrix.T, torch.zeros(9), probes=2000, seed=0)
    assert found == pytest.approx(exact, rel=0.05)


def test_probes_find_the_trace_of_a_whole_block() -> None:
    torch.manual_seed(0)
    block = EMSBlock2(2, 4, stride=2)
    x = torch.randn(1, 2, 4, 4)
    gain = measure_block(block, x, probes=3000, seed=0)

    def function(value: Tensor) -> Tensor:
        result: Tensor = block(value, Membranes(1))
        return result

    whole: Tensor = torch.autograd.functional.jacobian(function, x)  # type: ignore[no-untyped-call] # torch is untyped
    jacobian = whole.reshape(16, 32)
    assert gain.phi == pytest.approx(float(jacobian.square().sum()) / 16, rel=0.05)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("kind", ["ms", "ems1", "ems1 stride 2", "ems1 currents", "ems2", "ems2 pool last"])
def test_closed_form_of_each_block_is_within_8_percent(kind: str, alpha: float) -> None:
    torch.manual_seed(1)
    kinds: dict[str, Callable[[], nn.Module]] = {
        "ms": lambda: MSBlock(64),
        "ems1": lambda: EMSBlock1(64, 32),
        "ems1 stride 2": lambda: EMSBlock1(64, 64, stride=2),
        "ems1 currents": lambda: EMSBlock1(64, 32, shortcut_lif=False),
        "ems2": lambda: EMSBlock2(64, 128, stride=2),
        "ems2 pool last": lambda: EMSBlock2(64, 128, stride=2, pool_first=False),
    }
    block = kinds[kind]()
    initialise(block, "unit")
    gain = measure_block(block, torch.randn(4, 64, 32, 32) * alpha**0.5, probes=4, seed=0)
    assert gain.predicted is not None
    assert gain.phi == pytest.approx(gain.predicted, rel=0.08)


@pytest.mark.parametrize("network", ["ems-res10", "ems-res18", "ems-res34"])
def test_released_initialisation_is_isometric(network: str) -> None:
    chain = measure_chain(network, probes=4)
    assert chain.alpha_in == pytest.approx(0.25, rel=0.02)
    assert all(0.85 <= gain.phi <= 1.25 for gain in chain.blocks)
    assert 0.8 <= chain.phi <= 2.0
    assert chain.product == pytest.approx(chain.phi, rel=0.15)
    assert all(
        gain.predicted is not None and gain.phi == pytest.approx(gain.predicted, rel=0.08) for gain in chain.blocks
    )


def test_scales_of_one_explode_with_depth() -> None:
    shallow, deep = (measure_chain(name, "unit", probes=4) for name in ("ems-res10", "ems-res18"))
    assert shallow.alpha_in == pytest.approx(3.0, rel=0.02)
    assert 20 < shallow.phi < 100
    assert deep.phi > 4 * shallow.phi
    claims = {claim.network: claim for claim in check_chains([shallow, deep])}
    # Proposition 2 promises 1 for every depth; its own argument gives it to two blocks a stage alone.
    assert claims["ems-res10"].corrected == pytest.approx(2 / 3, rel=0.02)
    assert claims["ems-res18"].corrected == pytest.approx(1.0, rel=0.02)
    assert check_chains([measure_chain("ems-nano", size=32, batch=1, probes=1)]) == []


def test_proposition_1_is_true_of_second_moments_but_for_the_concatenation() -> None:
    claims = check_blocks((1.0, 2.0), probes=2)
    for claim in claims:
        assert claim.measured == pytest.approx(claim.predicted, rel=0.04), claim.block
    wrong = {claim.block for claim in claims if abs(claim.measured - claim.claimed) > 0.1}
    assert wrong == {"EMS-Block2, a_bn 1", "EMS-Block2, a_bn 2.45 as claimed", "EMS-Block2, a_bn 0.90 as claimed"}
    # The value that would be right exists for small inputs only.
    assert any(claim.block == "EMS-Block2, a_bn 0.45 corrected" for claim in claims)
    assert consistent_concat_moment(1.29) < 0 < consistent_concat_moment(1.28)
    assert 1.0 + 0.5 * (MAX_OF_FOUR + seed_concat_moment(1.0)) == pytest.approx(3.0)
    assert predicted_moment("ms", 2.5) == 3.5


def test_calibration_fits_statistics_and_puts_the_momentum_back() -> None:
    norm = nn.BatchNorm2d(2)
    x = torch.randn(8, 2, 16, 16, generator=torch.Generator().manual_seed(0)) * 3 + 1
    with calibrated(norm):
        norm(x)
    assert norm.momentum == 0.1
    assert not norm.training
    torch.testing.assert_close(norm.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(norm.running_var, x.var((0, 2, 3)))


def test_a_family_without_closed_form_is_measured_all_the_same() -> None:
    chain = measure_chain("sew-nano", size=32, batch=1, probes=1)
    assert len(chain.blocks) == 4
    assert all(gain.predicted is None for gain in chain.blocks)
    with pytest.raises(OptionError, match="initialisation must be one of official, unit"):
        measure_chain("ems-nano", "xavier")


def test_isometry_prints_and_writes_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, figure = tmp_path / "isometry.json", tmp_path / "isometry.svg"
    arguments = ["ems-nano", "--size", "32", "--probes", "2", "--json", str(report), "--figure", str(figure)]
    assert run(["isometry", *arguments]) == 0
    printed = capsys.readouterr().out
    record = json.loads(report.read_text())
    assert [chain["initialisation"] for chain in record["chains"]] == ["official", "unit"]
    for chain in record["chains"]:
        assert f"{chain['phi']:.3f}" in printed
    assert "Errata" in printed
    assert "<svg" in figure.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ems-res11"], "name must be one of ems-nano"),
        (["--init", "he"], "--init must be one of official, unit, both"),
        (["--size", "33"], "multiple of 16, got 33"),
    ],
    ids=["network", "init", "size"],
)
def test_isometry_says_what_is_wrong(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["isometry", *arguments]) == 2
    assert message in capsys.readouterr().err
