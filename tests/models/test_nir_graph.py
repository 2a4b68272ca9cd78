"""NIR graphs against the network, node by node: each is fed what the network feeds its own layer."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from eventdet.cli.main import run
from eventdet.errors import MissingExtraError, OptionError
from eventdet.models import Detector, build_detector
from eventdet.models.exchange.nir_graph import TIME_STEP_S, to_nir
from eventdet.models.lif import LIF, Membranes

from .networks import spread_statistics

nir = pytest.importorskip("nir")

SIZE = (64, 96)
STEPS = 4
NEAR = 1e-4
"""A membrane this near to the threshold may fire in one form and not in the other."""


@pytest.fixture(scope="module")
def detector() -> Detector:
    torch.manual_seed(0)
    return spread_statistics(build_detector("sew-nano")).eval().requires_grad_(requires_grad=False)


def run_layers(detector: Detector) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Return the input of the backbone, what came into and out of each layer, and its last output; steps first."""
    taken: dict[str, Tensor] = {}
    given: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, arguments: tuple[Tensor, ...], result: Tensor) -> None:
            taken[name], given[name] = arguments[0], result

        return hook

    handles = [
        module.register_forward_hook(keep(f"backbone.{name}"))
        for name, module in detector.backbone.named_modules()
        if isinstance(module, nn.Conv2d | LIF)
    ]
    x = torch.rand(STEPS, 2, *SIZE, generator=torch.Generator().manual_seed(1)) * 4
    last = detector.backbone(x, Membranes(STEPS))[-1]
    for handle in handles:
        handle.remove()
    return x, taken, given, last


def convolve(node: Any, x: Tensor) -> Tensor:
    weight, bias = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
    return functional.conv2d(x, weight, bias, node.stride, node.padding, node.dilation, node.groups)


def integrate(node: Any, currents: Tensor) -> tuple[Tensor, Tensor]:
    """Return spikes and membranes of the forward Euler method, as NIR defines its neuron."""
    v = torch.zeros_like(currents[0])
    fired, membranes = [], []
    tau, r, leak = (torch.from_numpy(value) for value in (node.tau, node.r, node.v_leak))
    for current in currents:
        v = v + TIME_STEP_S / tau * ((leak - v) + r * current)
        spikes = v > torch.from_numpy(node.v_threshold)
        membranes.append(v)
        fired.append(spikes.float())
        v = torch.where(spikes, torch.from_numpy(node.v_reset), v)
    return torch.stack(fired), torch.stack(membranes)


def test_every_node_does_what_its_layer_does(detector: Detector) -> None:
    graph = to_nir(detector, part="backbone", input_size=SIZE)
    x, taken, given, last = run_layers(detector)
    outputs = {"input": x, **given}
    sources: dict[str, list[str]] = {}
    for source, target in graph.edges:
        sources.setdefault(target, []).append(source)
    neurons = [name for name, node in graph.nodes.items() if isinstance(node, nir.LIF)]
    assert len(neurons) == 13
    for name, node in graph.nodes.items():
        if isinstance(node, nir.Conv2d):
            # A sum of several is what the network adds up before the layer.
            torch.testing.assert_close(sum(outputs[each] for each in sources[name]), taken[name])
    for name in neurons:
        (conv,) = sources[name]
        spikes, membranes = integrate(graph.nodes[name], convolve(graph.nodes[conv], taken[conv]))
        differs = spikes != given[name]
        assert spikes.mean() > 0.005, name
        assert float((membranes[differs] - 0.5).abs().max() if differs.any() else 0.0) < NEAR, name
    torch.testing.assert_close(sum(outputs[each] for each in sources["output"]), last)


def test_neurons_have_unit_resistance_and_the_gain_lies_in_the_weights(detector: Detector) -> None:
    graph = to_nir(detector, part="backbone", input_size=SIZE)
    for node in graph.nodes.values():
        if isinstance(node, nir.LIF):
            assert np.all(node.r == 1.0)
            np.testing.assert_allclose(node.tau, 1e-4 / 0.75, rtol=1e-6)
    stem = {name: value for name, value in detector.state_dict().items() if name.startswith("backbone.stem.")}
    scale = stem["backbone.stem.norm.weight"] / (stem["backbone.stem.norm.running_var"] + 1e-5).sqrt() * 4 / 3
    expected = stem["backbone.stem.conv.weight"] * scale[:, None, None, None]
    np.testing.assert_allclose(graph.nodes["backbone.stem.conv"].weight, expected.numpy(), rtol=1e-5)


def test_currents_that_are_summed_before_neurons_are_scaled_by_a_node(detector: Detector) -> None:
    # A convolution whose result goes elsewhere as well cannot hold the gain.
    class Summed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = detector.config
            self.first, self.second, self.lif = nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 1), LIF()

        def forward(self, x: Tensor, membranes: Any) -> list[Tensor]:
            return [self.lif(self.first(x) + self.second(x), membranes)]

    holder: Any = build_detector("sew-nano")
    holder.backbone = Summed()
    graph = to_nir(holder, part="backbone", input_size=SIZE)
    assert ("backbone.lif.gain", "backbone.lif") in graph.edges
    assert {("backbone.first", "backbone.lif.gain"), ("backbone.second", "backbone.lif.gain")} <= set(graph.edges)
    np.testing.assert_allclose(graph.nodes["backbone.lif.gain"].scale, 4 / 3, rtol=1e-6)
    np.testing.assert_allclose(graph.nodes["backbone.first"].weight, holder.backbone.first.weight.detach().numpy())


@pytest.mark.parametrize(
    ("name", "part", "node"),
    [
        ("ems-nano", "whole", r"MaxPool2d; the first is backbone\.stages\.0\.blocks\.0\.pool"),
        ("ms-nano", "backbone", r"MaxPool2d; the first is backbone\.stages\.0\.blocks\.0\.pool"),
        ("sew-nano", "whole", r"interpolate; the first is behind neck\.lateral\.last_lif"),
        ("sew-nano:silu", "backbone", r"SiLUNeurons; the first is backbone\.stages\.0\.blocks\.0\.lif"),
    ],
)
def test_a_network_that_nir_cannot_hold_is_refused_by_its_first_node(name: str, part: str, node: str) -> None:
    family, _, neurons = name.partition(":")
    network = build_detector(family, neurons=neurons or "lif")
    with pytest.raises(OptionError, match=f"NIR has no node for {node}"):
        to_nir(network, part=part, input_size=SIZE)


def test_a_written_graph_reads_back_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "backbone.nir"
    command = ["export-model", "sew-nano", "-o", str(target), "--part", "backbone", "--input-size", "96x64"]
    assert run(command) == 0
    assert "one step of its backbone" in capsys.readouterr().out
    graph = nir.read(target)
    torch.manual_seed(0)
    expected = to_nir(build_detector("sew-nano").eval(), part="backbone", input_size=SIZE)
    assert set(graph.edges) == set(expected.edges)
    for name, node in expected.nodes.items():
        if isinstance(node, nir.Conv2d):
            np.testing.assert_array_equal(graph.nodes[name].weight, node.weight)


def test_writing_nir_without_its_package_names_the_extra(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nir", None)
    with pytest.raises(MissingExtraError, match="extra 'export'"):
        to_nir(detector, part="backbone", input_size=SIZE)
