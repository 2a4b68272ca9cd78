"""The adapter, against a stand-in with the interface that NeuroBench 2.3 has."""

import sys
from types import ModuleType
from typing import Any

import pytest
import torch

from eventdet.errors import MissingExtraError
from eventdet.models import build_detector
from eventdet.models.exchange.neurobench import neurobench_model
from eventdet.models.lif import LIF


class TorchModel:
    def __init__(self, net: Any) -> None:
        self.net, self.activation_modules = net, list[type]()
        net.eval()

    def add_activation_module(self, kind: type) -> None:
        self.activation_modules.append(kind)


def test_the_model_takes_the_batch_first_and_names_its_neurons(monkeypatch: pytest.MonkeyPatch) -> None:
    models: Any = ModuleType("neurobench.models")
    models.TorchModel = TorchModel
    monkeypatch.setitem(sys.modules, "neurobench", ModuleType("neurobench"))
    monkeypatch.setitem(sys.modules, "neurobench.models", models)
    detector = build_detector("ems-nano")
    model: Any = neurobench_model(detector)
    assert TorchModel in type(model).__mro__
    assert any(
        isinstance(detector.get_submodule("backbone.stages.0.blocks.0.lif"), kind) for kind in model.activation_modules
    )
    assert issubclass(LIF, tuple(model.activation_modules))
    batch = torch.randint(0, 4, (3, 2, 2, 32, 64), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for one, other in zip(model(batch), detector(batch.transpose(0, 1)).logits, strict=True):
        assert one.shape[0] == 3
        assert torch.equal(one, other)


def test_without_neurobench_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "neurobench", None)
    monkeypatch.setitem(sys.modules, "neurobench.models", None)
    with pytest.raises(MissingExtraError) as caught:
        neurobench_model(build_detector("ems-nano"))
    assert ".[neurobench]" in caught.value.hint
