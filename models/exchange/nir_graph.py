"""Networks as NIR graphs (Pedersen et al. 2024), where NIR can hold them (extra ``export``).

NIR has convolutions, neurons and sums. It has no normalisation, which is folded into the convolutions, and neither
pooling by the maximum, nor concatenation, nor upsampling, which are not. So EMS networks do not fit, and neither does
any neck; the backbone of a spiking SEW network does: strided convolutions in its shortcuts, and sums.

A neuron of ours is ``m = d m + x``; NIR's, stepped by Euler over dt, is ``v = v + dt / tau (r I - v)``. With
``tau = dt / (1 - d)`` and ``r = 1`` they agree for ``I = x / (1 - d)``. That gain goes into the convolution before the
neuron rather than into r, which some readers of NIR ignore.
"""

import io
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from eventdet.errors import MissingExtraError, OptionError, check_option
from eventdet.geometry import SensorSize
from eventdet.models._files import replace_file
from eventdet.models._folding import folded
from eventdet.models.config import check_input_size
from eventdet.models.detector import Detector
from eventdet.models.lif import DECAY, LIF, THRESHOLD, Membranes, Neurons

__all__ = ["PARTS", "TIME_STEP_S", "to_nir", "write_nir"]

PARTS = ("whole", "backbone")
"""``backbone`` ends with the currents or spikes at stride 32."""

TIME_STEP_S = 1e-4
"""Step that the time constants are for; 0.1 ms is what simulators of NIR take by convention, whatever a window is."""

_GAIN = 1.0 / (1.0 - DECAY)


def write_nir(
    detector: Detector, path: str | Path, *, part: str = "whole", input_size: Sequence[int] | None = None
) -> None:
    """Write what :func:`to_nir` returns to a ``.nir`` file, an HDF5 file; one of that name is replaced in one go.

    Raises
    ------
    OptionError
        When NIR cannot hold the network; the message names the first node that it cannot.
    MissingExtraError
        When nir is not installed.
    """
    graph = to_nir(detector, part=part, input_size=input_size)
    content = io.BytesIO()
    _nir().write(content, graph)
    replace_file(Path(path), content.getvalue())


def to_nir(detector: Detector, *, part: str = "whole", input_size: Sequence[int] | None = None) -> Any:
    """Return a detector, or its backbone, as a ``nir.NIRGraph`` for inputs of one size.

    Its input is one encoded window a step, shape (channels, H, W).

    Parameters
    ----------
    detector : Detector
        Not changed.
    part : str
        One of `PARTS`.
    input_size : (height, width), optional
        The configuration's when left out.

    Raises
    ------
    OptionError
        When NIR cannot hold the network; the message names the first node that it cannot.
    MissingExtraError
        When nir is not installed.
    """
    check_option("part", part, PARTS)
    rows, columns = check_input_size(SensorSize(*(input_size or detector.config.input_size)))
    nir = _nir()
    network = _Traced(folded(detector), part)
    graph = _NeuronTracer().trace(network)
    _check_nodes(network, graph)
    size = (detector.config.channels, rows, columns)
    return _Builder(nir, network, _shapes(network, size)).build(graph, size)


class _Traced(nn.Module):
    """A part of a detector as a function of its encoded input alone."""

    def __init__(self, detector: Detector, part: str) -> None:
        super().__init__()
        self.backbone, self.part = detector.backbone, part
        self.membranes: Any = None
        """None while it is traced: layers of neurons are then nodes that are not looked into."""
        if part == "whole":
            self.neck, self.detect = detector.neck, detector.detect

    def forward(self, x: Tensor) -> Any:
        """Return the last currents, or the logits by scale."""
        features = self.backbone(x, self.membranes)
        return features[-1] if self.part == "backbone" else self.detect(self.neck(features, self.membranes))


class _NeuronTracer(fx.Tracer):
    """Takes layers of neurons and convolutions for single nodes; membranes are state of the nodes in NIR too."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node."""
        return isinstance(m, Neurons | nn.Conv2d) or super().is_leaf_module(m, module_qualified_name)


def _check_nodes(network: nn.Module, graph: fx.Graph) -> None:
    """Refuse what NIR has no node for, by the name of the first."""
    for node in graph.nodes:
        if node.op == "call_module":
            kind = type(network.get_submodule(str(node.target))).__name__
            known = isinstance(network.get_submodule(str(node.target)), nn.Conv2d | LIF | nn.Identity)
        else:
            kind = getattr(node.target, "__name__", str(node.target))
            known = node.op in ("placeholder", "output") or kind == "add"
        if not known:
            where = str(node.target) if node.op == "call_module" else _place(node)
            raise OptionError(
                f"NIR has no node for {kind}; the first is {where}",
                hint="a spiking sew network's backbone is free of such nodes: --part backbone",
            )


def _place(node: fx.Node) -> str:
    """Return where a function stands: behind the nearest module before it."""
    for before in node.all_input_nodes:
        if before.op == "call_module":
            return f"behind {before.target}"
    return _place(node.all_input_nodes[0]) if node.all_input_nodes else node.name


class _Builder:
    """Turns the nodes of a trace into those of NIR; a sum is several edges into one node."""

    def __init__(self, nir: Any, network: nn.Module, shapes: dict[str, tuple[int, ...]]) -> None:
        self.nir, self.network, self.shapes = nir, network, shapes
        self.nodes: dict[str, Any] = {}
        self.edges: list[tuple[str, str]] = []
        self.sources: dict[fx.Node, list[str]] = {}

    def build(self, graph: fx.Graph, size: tuple[int, ...]) -> Any:
        """Return the graph."""
        import numpy as np

        for node in graph.nodes:
            if node.op == "placeholder":
                self.nodes["input"] = self.nir.Input(input_type={"input": np.array(size)})
                self.sources[node] = ["input"]
            elif node.op == "output":
                last = self._from(node)
                shape = self.nodes[last[0]].output_type["output"]
                self.nodes["output"] = self.nir.Output(output_type={"output": np.array(shape)})
                self._connect(last, "output")
            elif node.op == "call_function":
                self.sources[node] = self._from(node)
            else:
                self._add_module(node)
        return self.nir.NIRGraph(nodes=self.nodes, edges=self.edges)

    def _add_module(self, node: fx.Node) -> None:
        name = str(node.target)
        module = self.network.get_submodule(name)
        if isinstance(module, nn.Identity):
            self.sources[node] = self._from(node)
            return
        feeding = self._from(node)
        if isinstance(module, nn.Conv2d):
            gain = _GAIN if self._feeds_neurons_alone(node) else 1.0
            self.nodes[name] = _convolution(self.nir, module, self.shapes[name], gain)
        else:
            if not self._is_gained(feeding):
                feeding = [self._scaled(feeding, name)]
            self.nodes[name] = _neurons(self.nir, self.shapes[name])
        self._connect(feeding, name)
        self.sources[node] = [name]

    def _from(self, node: fx.Node) -> list[str]:
        return [name for each in node.all_input_nodes for name in self.sources.get(each, [])]

    def _connect(self, feeding: list[str], name: str) -> None:
        self.edges += [(source, name) for source in feeding]

    def _feeds_neurons_alone(self, node: fx.Node) -> bool:
        users = list(_users(node, self.network))
        return bool(users) and all(isinstance(user, LIF) for user in users)

    def _is_gained(self, feeding: list[str]) -> bool:
        return all(getattr(self.nodes[name], "metadata", {}).get("gain") for name in feeding)

    def _scaled(self, feeding: list[str], name: str) -> str:
        import numpy as np

        gain = f"{name}.gain"
        self.nodes[gain] = self.nir.Scale(scale=np.full(self.shapes[name], _GAIN, np.float32))
        self._connect(feeding, gain)
        return gain


def _users(node: fx.Node, network: nn.Module) -> Iterator[nn.Module | None]:
    """Yield the modules that take a node's result, looked at through what does nothing; None for a function."""
    for user in node.users:
        module = network.get_submodule(str(user.target)) if user.op == "call_module" else None
        if isinstance(module, nn.Identity):
            yield from _users(user, network)
        else:
            yield module


def _convolution(nir: Any, conv: nn.Conv2d, shape: tuple[int, ...], gain: float) -> Any:
    weight = conv.weight.detach().double() * gain
    bias = torch.zeros(conv.out_channels).double() if conv.bias is None else conv.bias.detach().double() * gain
    node = nir.Conv2d(
        input_shape=(shape[1], shape[2]),
        weight=weight.float().numpy(),
        stride=tuple(conv.stride),
        padding=tuple(int(side) for side in conv.padding),
        dilation=tuple(conv.dilation),
        groups=conv.groups,
        bias=bias.float().numpy(),
    )
    node.metadata["gain"] = gain != 1.0
    return node


def _neurons(nir: Any, shape: tuple[int, ...]) -> Any:
    import numpy as np

    def full(value: float) -> Any:
        return np.full(shape, value, np.float32)

    return nir.LIF(
        tau=full(TIME_STEP_S * _GAIN), r=full(1.0), v_leak=full(0.0), v_threshold=full(THRESHOLD), v_reset=full(0.0)
    )


@torch.inference_mode()
def _shapes(network: _Traced, size: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shape (C, H, W) of what comes into each convolution and each layer of neurons."""
    shapes: dict[str, tuple[int, ...]] = {}
    handles = [
        module.register_forward_pre_hook(lambda _, given, name=name: shapes.update({name: tuple(given[0].shape[1:])}))
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | LIF)
    ]
    network.membranes = Membranes(1)
    network(torch.zeros(1, *size))
    for handle in handles:
        handle.remove()
    return shapes


def _nir() -> Any:
    try:
        return import_module("nir")
    except ImportError as error:
        raise MissingExtraError("writing NIR", extra="export") from error
