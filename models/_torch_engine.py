"""The step in torch: packed kernels, channels_last, and neurons that move their membranes on in place."""

import copy
from inspect import signature
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.fx.proxy import GraphAppendingTracer

from eventdet.errors import OptionError

from . import _lif_cpu
from ._block_layers import OnePassAddJoined, OnePassEncoding, OnePassMaxPool
from ._folding import folded
from ._layout import channels_last
from ._packed_conv import PackedConv2d, SpikeConv2d, can_pack
from .blocks import AddJoined, ConvNorm
from .detector import CountEncoding, Detector, State
from .lif import DECAY, LIF, THRESHOLD, Membranes, split_steps

__all__ = ["InPlaceLIF", "TorchEngine"]


_KEPT_BYTES = 16 << 20
"""More than any layer of a clip of Gen1 puts out; glibc learns from blocks of up to 32 MiB."""


class InPlaceLIF(LIF):
    """Neurons that overwrite the membrane they are given; the same numbers as :class:`LIF`, without its copies."""

    spike_dtype: torch.dtype | None = None
    """Dtype of the spikes; None: that of the currents."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return the spikes of `x`, shape (T*B, C, H, W), and move the layer's membrane on in place."""
        v = membranes.take()
        if v is None:
            v = torch.zeros_like(split_steps(x, membranes.num_steps)[0], dtype=torch.float32)
        membranes.put(v)
        if len(x) != membranes.num_steps * len(v):
            raise OptionError(f"the batch must be that of the state, {len(v)}, got {len(x) // membranes.num_steps}")
        return _lif_cpu.forward_folded_(x, v, DECAY, THRESHOLD, spike_dtype=self.spike_dtype or x.dtype)


class ByteLIF(InPlaceLIF):
    """Neurons whose spikes are bytes, for convolutions in 8-bit arithmetic."""

    spike_dtype = torch.uint8


class TorchEngine:
    """A detector's step in torch.

    Parameters
    ----------
    detector : Detector
        Copied.
    dtype : str
        ``float32``, ``bfloat16``, or ``int8``: 8-bit convolutions of spikes, bfloat16 elsewhere.
    """

    def __init__(self, detector: Detector, dtype: str) -> None:
        is_int8 = dtype == "int8"
        network = folded(detector, ByteLIF if is_int8 else InPlaceLIF)
        if is_int8:
            _round_spike_convs(network)
        network = _packed(channels_last(network.to(torch.bfloat16 if is_int8 else getattr(torch, dtype))))
        network.backbone, network.neck = _flat(network.backbone), _flat(network.neck)  # type: ignore[assignment]
        self.network = network
        _keep_freed_memory()
        self.state: State | None = None

    def reset(self) -> None:
        """Bring every membrane to rest."""
        self.state = None

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, new memory."""
        output = self.network.step(counts, self.state)
        self.state = output.state
        return tuple(scale.float() for scale in output.logits)

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the mean logits of a sequence from rest, (T, B, C, H, W), by scale; the state stays as it is."""
        output = self.network(counts)
        return tuple(scale.float() for scale in output.logits)


def _keep_freed_memory() -> None:
    """Make the C library keep blocks of the size of a layer's output for the next layer.

    glibc gives large blocks back to the kernel, and takes them from there anew and zeroed, until it has freed one as
    large (mallopt(3), M_MMAP_THRESHOLD): that was a fifth of the time of a clip. Elsewhere this does nothing.
    """
    torch.empty(_KEPT_BYTES, dtype=torch.uint8)


class _Noting(nn.Module):
    """Stands for a leaf while a module's calls are written down."""

    def __init__(self, place: str, tracer: GraphAppendingTracer) -> None:
        super().__init__()
        self._place, self._tracer = place, tracer

    def forward(self, *args: Any) -> fx.Proxy:
        """Return the call."""
        return self._tracer.create_proxy("call_module", self._place, args, {})


def _flat(module: nn.Module) -> fx.GraphModule:
    """Return a module as one function that calls its leaves.

    Blocks within blocks cost more than it seems: between two convolutions the interpreter has left the caches. A twin
    of the module writes its calls down, since torch's own tracer changes what a call of any module is while it traces,
    for other threads too.
    """
    graph = fx.Graph()
    tracer = GraphAppendingTracer(graph)
    inputs = [fx.Proxy(graph.placeholder(name), tracer) for name in signature(module.forward).parameters]
    graph.output(tracer.create_arg(_noting(module, "", tracer)(*inputs)))
    for node in list(graph.nodes):
        if node.op == "call_module" and isinstance(module.get_submodule(str(node.target)), nn.Identity):
            node.replace_all_uses_with(node.all_input_nodes[0])
            graph.erase_node(node)
    return fx.GraphModule(module, graph)


def _noting(module: nn.Module, place: str, tracer: GraphAppendingTracer) -> nn.Module:
    """Return a twin that shares everything with a module but has :class:`_Noting` for leaves."""
    if not any(module.children()) and not isinstance(module, (nn.ModuleList, nn.Sequential)):
        return _Noting(place, tracer)
    twin = copy.copy(module)
    twin._modules = {
        name: None if child is None else _noting(child, f"{place}.{name}".lstrip("."), tracer)
        for name, child in module._modules.items()
    }
    return twin


def _round_spike_convs(network: Detector) -> None:
    """Put 8-bit convolutions everywhere but where real values are read or put out: encoding and detection."""
    for module in list(network.modules()):
        if isinstance(module, ConvNorm) and module is not network.backbone.stem:
            module.conv = SpikeConv2d(module.conv)  # type: ignore[assignment] # in place of it


def _packed(network: Detector) -> Detector:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and can_pack(child.weight.dtype):
                setattr(module, name, PackedConv2d(child))
            elif isinstance(child, nn.MaxPool2d) and child.kernel_size == 2:
                setattr(module, name, OnePassMaxPool())
            elif isinstance(child, AddJoined):
                setattr(module, name, OnePassAddJoined())
            elif isinstance(child, CountEncoding):
                setattr(module, name, OnePassEncoding(child.count_clip))
    return network
