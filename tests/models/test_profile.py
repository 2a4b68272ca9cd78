"""Counts against plain restatements, and energies against the figures that papers print."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from eventdet.cli.main import run
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import recording_of_batches
from eventdet.geometry import SensorSize
from eventdet.models import DetectorConfig, build_detector
from eventdet.models.analysis.energy import ACCOUNTINGS, ConvWork, EnergyConstants, energy_pj
from eventdet.models.analysis.observe import ConvActivity, NeuronActivity, mean_rate, observed, weighted_rate
from eventdet.models.analysis.profile import assume_rate, profile_detector
from eventdet.models.analysis.samples import event_samples
from eventdet.models.lif import LIF, Membranes

from .networks import spread_statistics
from .references import plain_conv, plain_neurons

RELEASED: dict[str, Any] = {"channels": 3, "shortcut_lif": False, "pool_first": False}

# Ratios to the same network with real activations by all-ac, stem-once, stem-every-step and strict. Those of the
# paper: 4.91 for the first (main text), which is its "stem once".
PRINTED = [
    ("ems-res18", RELEASED, 5, 0.2009, (5.09, 4.90, 4.15, 2.79)),
    ("ems-res18", RELEASED | {"classes": 80}, 3, 0.3875, (4.40, 4.27, 3.96, 2.78)),
    ("ms-res18", {"channels": 3, "classes": 80}, 3, 0.3232, (5.27, 5.07, 4.64, 2.48)),
    ("sew-res18", {"channels": 3, "classes": 80, "neurons": "silu"}, 3, 0.2420, (7.04, 6.67, 5.94, 0.33)),
]


@pytest.mark.parametrize(("name", "options", "steps", "rate", "expected"), PRINTED, ids=["gen1", "coco", "ms", "sew"])
def test_energy_ratio_at_one_rate_is_the_one_printed(
    name: str, options: dict[str, Any], steps: int, rate: float, expected: tuple[float, ...]
) -> None:
    # All convolutions scale alike with the input, so that a small one gives the same ratios.
    detector = build_detector(name, input_size=SensorSize(64, 64), **options)
    efficiency = assume_rate(detector, rate, steps=steps).efficiency
    found = [round(efficiency[each], 2) for each in ("all-ac", "stem-once", "stem-every-step", "strict")]
    assert found == list(expected)


def test_detection_behind_the_mean_counts_once() -> None:
    # Strict but for the two detection convolutions, which run once and not five times.
    detector = build_detector("ems-nano", input_size=SensorSize(64, 64))
    profile = assume_rate(detector, 0.2, steps=5)
    detection = sum(conv.macs for conv in profile.convs if conv.name.startswith("detect"))
    assert [conv.runs for conv in profile.convs if conv.name.startswith("detect")] == [1, 1]
    saved = profile.energy_pj["strict"] - profile.energy_pj["as-run"]
    assert saved == pytest.approx(4 * detection * 4.6)


def test_accountings_of_one_convolution_by_hand() -> None:
    stem = ConvWork("stem", 100, 5, False, True, 0.2, 300.0, 0.0)
    spiking = ConvWork("conv", 1000, 5, True, False, 0.2, 0.0, 900.0)
    detect = ConvWork("detect", 10, 1, False, False, 0.2, 10.0, 0.0)
    expected = {
        # 5 steps x 1110 x 0.2 x 0.9
        "all-ac": 999.0,
        # 100 x 4.6 + 5 x 1010 x 0.2 x 0.9
        "stem-once": 1369.0,
        # 5 x 100 x 4.6 + 909
        "stem-every-step": 3209.0,
        # 5 x 110 x 4.6 + 900
        "strict": 3430.0,
        # 5 x 100 x 4.6 + 10 x 4.6 + 900
        "as-run": 3246.0,
        # 310 x 4.6 + 900 x 0.9
        "synops": 2236.0,
    }
    assert set(expected) == set(ACCOUNTINGS)
    for name, energy in expected.items():
        assert energy_pj([stem, spiking, detect], name, steps=5) == pytest.approx(energy)


def test_energies_of_an_operation_must_be_positive() -> None:
    with pytest.raises(OptionError, match="> 0 pJ"):
        EnergyConstants(0.0, 0.9)


@pytest.mark.parametrize("binary", [True, False], ids=["spikes", "real"])
@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (1, 1)], ids=["3x3", "3x3/2", "1x1"])
def test_operations_of_a_convolution_equal_those_counted_tap_by_tap(binary: bool, kernel: int, stride: int) -> None:
    generator = torch.Generator().manual_seed(kernel)
    conv = nn.Conv2d(3, 5, kernel, stride, kernel // 2, bias=False)
    conv.weight.data[torch.rand(conv.weight.shape, generator=generator) < 0.3] = 0.0
    x = (torch.rand(2, 3, 7, 6, generator=generator) < 0.4).float()
    x = x if binary else x * torch.rand(x.shape, generator=generator)
    activity = ConvActivity("conv")
    activity.add(conv, x, conv(x))
    ones = np.ones(conv.weight.shape)
    both = plain_conv((x != 0).double().numpy(), (conv.weight != 0).double().numpy(), stride=stride).sum()
    every = plain_conv(np.ones(x.shape), ones, stride=stride).sum()
    assert activity.dense == every
    assert (activity.effective_acs, activity.effective_macs) == ((both, 0.0) if binary else (0.0, both))
    assert activity.is_binary == binary
    assert activity.macs == conv(x)[0].numel() * 3 * kernel**2
    assert activity.input_rate == float((x != 0).double().mean())


def test_spikes_and_membrane_updates_equal_those_counted_step_by_step() -> None:
    generator = torch.Generator().manual_seed(3)
    currents = torch.rand(4, 2, 3, 5, 5, generator=generator)
    currents[:, :, :, 0] = 0.0  # membranes that nothing moves, but for the first step, which counts whole
    layer = LIF()
    x = currents.flatten(0, 1)
    activity = NeuronActivity("lif")
    activity.add(layer, x, layer(x, Membranes(4)), 4)
    steps = [step.double().numpy() for step in currents]
    spikes = plain_neurons(steps)
    membranes = [np.zeros_like(steps[0])]
    for step, fired in zip(steps, spikes, strict=True):
        membranes.append((0.25 * membranes[-1] + step) * (1 - fired))
    moved = sum(int((after != before).sum()) for before, after in pairwise(membranes[1:]))
    assert activity.spikes == sum(int(fired.sum()) for fired in spikes)
    assert activity.membrane_updates == steps[0].size + moved
    assert (activity.neurons, activity.updates) == (75, 600)


def test_rates_of_layers_alike_and_by_size() -> None:
    small = NeuronActivity("a", neurons=10, updates=10, spikes=5)
    large = NeuronActivity("b", neurons=90, updates=90, spikes=9)
    assert mean_rate([small, large]) == pytest.approx(0.3)
    assert weighted_rate([small, large]) == pytest.approx(0.14)
    assert (mean_rate([]), weighted_rate([])) == (0.0, 0.0)


def test_profile_of_two_samples_is_the_mean_of_each_alone() -> None:
    torch.manual_seed(0)
    detector = spread_statistics(build_detector("ems-nano")).eval()
    samples = torch.randint(0, 4, (3, 2, 2, 64, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    both = profile_detector(detector, samples).neurobench
    alone = [profile_detector(detector, samples[:, index, None]).neurobench for index in (0, 1)]
    for name in ("Dense", "Effective_MACs", "Effective_ACs"):
        values = [each["SynapticOperations"][name] for each in alone]
        assert both["SynapticOperations"][name] == pytest.approx(sum(values) / 2)
        assert values[0] != values[1] or name == "Dense"
    operations = both["NeuronOperations"]
    # NeuroBench's table has four operations for the update of a leaky neuron that is reset to zero.
    assert operations["Effective Neuron Ops"] == 4 * both["MembraneUpdates"]
    sizes = [v[0].numel() for v in detector.step(samples[0]).state]
    assert operations["Neuron Dense Ops"] == 4 * 3 * sum(sizes)
    assert both["Footprint"] == 4 * both["ParameterCount"] + sum(
        buffer.numel() * buffer.element_size() for buffer in detector.buffers()
    )


def test_observing_leaves_no_hook_and_no_mode_behind() -> None:
    detector = build_detector("ems-nano").train()
    samples = torch.zeros(1, 1, 2, 32, 32)
    with pytest.raises(OptionError, match="channels"):
        profile_detector(detector, samples[:, :, :1])
    profile_detector(detector, samples)
    assert detector.training
    assert not any(module._forward_hooks for module in detector.modules())
    with observed(detector) as seen:
        pass
    assert not any(conv.rows for conv in seen.convs)


def events_at(stamps: list[int]) -> Any:
    events = Events(
        np.array(stamps, np.int64),
        np.full(len(stamps), 3, np.uint16),
        np.full(len(stamps), 2, np.uint16),
        np.ones(len(stamps), np.uint8),
    )
    return recording_of_batches("few", lambda: [events], SensorSize(240, 304), format="memory")


def test_samples_hold_the_events_of_their_windows() -> None:
    config = DetectorConfig(input_size=SensorSize(256, 320))
    recording = events_at([0, 10_000, 60_000, 110_000, 199_999])
    samples = event_samples(recording, config, steps=2, count=9)
    assert samples.shape == (2, 2, 2, 256, 320)
    # Sample 0: windows [0, 50) and [50, 100) ms; sample 1: [100, 150) and [150, 200) ms.
    assert samples[:, :, 1, 2, 3].tolist() == [[2, 1], [1, 1]]
    assert samples.sum() == 5


@pytest.mark.parametrize(
    ("config", "steps", "count", "error", "match"),
    [
        ({"channels": 3}, 2, 1, OptionError, "2 input channels, got 3"),
        ({}, 0, 1, OptionError, "must be >= 1, got 0"),
        ({}, 5, 1, InputError, "must last 0.25 s for 5 windows, lasts 0.2 s"),
    ],
    ids=["channels", "steps", "short"],
)
def test_samples_that_cannot_be_had(
    config: dict[str, Any], steps: int, count: int, error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        event_samples(events_at([0, 199_999]), DetectorConfig(**config), steps=steps, count=count)


def test_profile_prints_and_writes_the_same_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report, figure = tmp_path / "new" / "profile.json", tmp_path / "profile.png"
    source = "synthetic://?seed=1&seconds=0.3"
    options = ["--steps", "2", "--samples", "1", "--json", str(report), "--figure", str(figure)]
    assert run(["profile", "ems-nano:heads=4", source, *options]) == 0
    printed = capsys.readouterr().out
    record = json.loads(report.read_text())
    assert f"{record['firing_rate']:.4f} as the mean of layers" in printed
    assert f"{record['neurobench']['SynapticOperations']['Effective_ACs']:,.0f}" in printed
    for name, accounting in record["energy"]["accountings"].items():
        assert f"\n{name}" in printed
        assert f"{accounting['ratio']:.2f}x" in printed
    assert record["synthetic"] is True
    assert len(record["layers"]) > 20
    assert 0 < record["firing_rate_size_weighted"] < 1
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_profile_at_an_assumed_rate_needs_no_events(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["profile", "ems-nano:channels=3", "--rate", "0.2", "--steps", "2"]
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert "every rate taken for 0.2" in printed
    assert "NeuroBench" not in printed
    # With rates of 0.2, 2 steps and 0.9 / 4.6 pJ.
    assert f"{1 / (2 * 0.2 * 0.9 / 4.6):.2f}x  every convolution adds" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ems-nano:channel=3"], 2, "network ems-nano takes"),
        (["no-such-weights"], 3, "no weights 'no-such-weights'"),
        (["ems-nano", "synthetic://", "--rate", "0.2"], 2, "takes the place of a recording"),
        (["ems-nano:channels=3"], 2, "2 input channels, got 3"),
        (["ems-nano", "--figure", "profile.txt"], 2, "ending of --figure must be one of .png"),
        (["ems-nano", "--mac-pj", "-1"], 2, "> 0 pJ"),
        (["ems-nano", "gone_td.dat"], 3, "gone_td.dat"),
        (["ems-nano", "--json", "."], 2, "is a folder"),
    ],
    ids=["option", "weights", "both", "channels", "figure", "energy", "source", "folder"],
)
def test_profile_says_what_is_wrong(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["profile", *arguments]) == code
    assert message in capsys.readouterr().err


def test_no_energy_at_all_is_infinitely_better() -> None:
    profile = assume_rate(build_detector("ems-nano", input_size=SensorSize(64, 64)), 0.0, steps=1)
    assert math.isinf(profile.efficiency["all-ac"])
