"""What every convolution and every layer of neurons of a network does, seen by hooks while it runs.

A convolution is counted as NeuroBench does: its operations are accumulations when all its inputs of a call are -1, 0
or 1, else multiplications; effective are those whose input and weight both differ from zero. NeuroBench runs each
convolution twice more for that. Here one with a single output channel, whose kernel holds how many weights of each
place are not zero, gives the same sum.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from eventdet.models.lif import Membranes, Neurons, split_steps

__all__ = ["ConvActivity", "NeuronActivity", "Observation", "observed"]


@dataclass(slots=True)
class ConvActivity:
    """A convolution, summed over the calls that were seen."""

    name: str
    """Path within the network."""

    macs: int = 0
    """Multiplications of one picture: outputs times the size of a kernel, borders included."""

    rows: int = 0
    """Pictures that went through: steps times samples, or samples alone where the steps are averaged before."""

    inputs: int = 0
    """Values that came in."""

    nonzero: int = 0
    """Those that were not zero."""

    is_binary: bool = True
    """Whether all of them were spikes."""

    dense: float = 0.0
    """Products of an input and a weight, without those with the border's zeros."""

    effective_macs: float = 0.0
    """Of these, with both not zero, in calls whose input was real."""

    effective_acs: float = 0.0
    """Of these, with both not zero, in calls whose input was spikes."""

    @property
    def input_rate(self) -> float:
        """Share of the inputs that is not zero."""
        return self.nonzero / self.inputs if self.inputs else 0.0

    def add(self, conv: nn.Conv2d, x: Tensor, y: Tensor) -> None:
        """Count one call."""
        active = x != 0
        binary = bool((x.abs()[active] == 1).all())
        effective = _products(conv, active, conv.weight != 0)
        self.dense += len(x) * _products(conv, torch.ones_like(x[:1]), torch.ones_like(conv.weight))
        if binary:
            self.effective_acs += effective
        else:
            self.effective_macs += effective
        self.is_binary &= binary
        self.macs = y[0].numel() * conv.weight[0].numel()
        self.rows += len(x)
        self.inputs += x.numel()
        self.nonzero += int(active.sum())


@dataclass(slots=True)
class NeuronActivity:
    """A layer of neurons, summed over the calls that were seen."""

    name: str
    """Path within the network."""

    neurons: int = 0
    """Neurons of one sample."""

    updates: int = 0
    """Neurons times steps times samples."""

    spikes: int = 0
    """How often one put out anything but zero."""

    membrane_updates: int = 0
    """How often a step changed a membrane, the first step of a sample counted whole (NeuroBench's rule)."""

    @property
    def rate(self) -> float:
        """Share of the steps in which a neuron fires."""
        return self.spikes / self.updates if self.updates else 0.0

    def add(self, layer: Neurons, x: Tensor, spikes: Tensor, num_steps: int) -> None:
        """Count one call that began at rest, its input of shape (T*B, C, H, W)."""
        currents = split_steps(x, num_steps)
        self.neurons = currents[0, 0].numel()
        self.updates += x.numel()
        self.spikes += int(torch.count_nonzero(spikes))
        before: Tensor | None = None
        for current in currents:
            _, after = layer.run(current[None], before)
            self.membrane_updates += after.numel() if before is None else int(torch.count_nonzero(after != before))
            before = after


@dataclass(slots=True)
class Observation:
    """What a network did while it was observed."""

    convs: list[ConvActivity]
    """In the order of the network's modules."""

    neurons: list[NeuronActivity]
    """In the order of the network's modules."""


@contextmanager
def observed(network: nn.Module) -> Iterator[Observation]:
    """Count what `network` does within the block; its calls must start at rest.

    Parameters
    ----------
    network : Module
        Its convolutions and neurons are hooked, and let go at the end.

    Yields
    ------
    Observation
        Grows with every call.
    """
    seen = Observation([], [])
    handles = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            conv = ConvActivity(name)
            seen.convs.append(conv)
            handles.append(module.register_forward_hook(_conv_hook(conv)))
        elif isinstance(module, Neurons):
            layer = NeuronActivity(name)
            seen.neurons.append(layer)
            handles.append(module.register_forward_hook(_neuron_hook(layer)))
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _conv_hook(activity: ConvActivity) -> Any:
    def count(module: nn.Conv2d, arguments: tuple[Tensor], result: Tensor) -> None:
        activity.add(module, arguments[0].detach(), result)

    return count


def _neuron_hook(activity: NeuronActivity) -> Any:
    def count(module: Neurons, arguments: tuple[Tensor, Membranes], result: Tensor) -> None:
        activity.add(module, arguments[0].detach(), result, arguments[1].num_steps)

    return count


def _products(conv: nn.Conv2d, x: Tensor, weight: Tensor) -> float:
    """Return how often a convolution multiplies a value that is there with a weight that is; both are 0 or 1."""
    # One output channel a group that does what all of the group do together.
    together = torch.stack([part.float().sum(0) for part in weight.chunk(conv.groups)])
    sums = functional.conv2d(x.float(), together, None, conv.stride, conv.padding, conv.dilation, conv.groups)
    return float(sums.double().sum())


def mean_rate(layers: Sequence[NeuronActivity]) -> float:
    """Return the mean of the layers' firing rates, each layer alike."""
    return sum(layer.rate for layer in layers) / len(layers) if layers else 0.0


def weighted_rate(layers: Sequence[NeuronActivity]) -> float:
    """Return the firing rate of all neurons together."""
    updates = sum(layer.updates for layer in layers)
    return sum(layer.spikes for layer in layers) / updates if updates else 0.0
