"""What a detector does per sample: firing rates, synaptic operations by NeuroBench's names, and energy."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from eventdet.errors import OptionError
from eventdet.models.detector import Detector

from .calibration import calibrated
from .energy import ACCOUNTINGS, ConvWork, EnergyConstants, ann_energy_pj, energy_pj
from .observe import ConvActivity, NeuronActivity, Observation, mean_rate, observed, weighted_rate

__all__ = ["Profile", "assume_rate", "profile_detector"]


_UPDATE_OPERATIONS = 4
"""Operations of an update of a leaky neuron that is reset to zero, in NeuroBench 2.3's table."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What a detector did on the samples that it was given; every count is of one sample."""

    steps: int
    """Steps of a sample."""

    samples: int
    """Samples that were averaged."""

    input_size: tuple[int, int]
    """Rows and columns."""

    convs: tuple[ConvWork, ...]
    """Convolutions, in order."""

    energy_pj: dict[str, float]
    """Energy of a sample by accounting, picojoules."""

    ann_pj: float
    """Energy of one pass of the same network with real activations, picojoules."""

    constants: EnergyConstants
    """Energy of an operation."""

    rate: float | None = None
    """What every convolution's input rate was taken for; None: it was measured."""

    neurons: tuple[NeuronActivity, ...] = ()
    """Layers of neurons, in order; none where the rate was assumed."""

    neurobench: Mapping[str, Any] = field(default_factory=dict)
    """Metrics by NeuroBench's names; none where the rate was assumed."""

    @property
    def firing_rate(self) -> float:
        """Mean over the layers, each alike."""
        return mean_rate(self.neurons)

    @property
    def weighted_firing_rate(self) -> float:
        """Of all neurons together: a layer counts by its size."""
        return weighted_rate(self.neurons)

    @property
    def efficiency(self) -> dict[str, float]:
        """How many times less energy than the same network with real activations, by accounting."""
        return {name: self.ann_pj / value if value else float("inf") for name, value in self.energy_pj.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return {
            "steps": self.steps,
            "samples": self.samples,
            "input_size": list(self.input_size),
            "assumed_rate": self.rate,
            "firing_rate": self.firing_rate if self.neurons else None,
            "firing_rate_size_weighted": self.weighted_firing_rate if self.neurons else None,
            "neurobench": dict(self.neurobench),
            "energy": {
                "constants": asdict(self.constants),
                "ann_pj": self.ann_pj,
                "accountings": {
                    name: {"counts": ACCOUNTINGS[name][0], "pj": value, "ratio": self.efficiency[name]}
                    for name, value in self.energy_pj.items()
                },
            },
            "layers": [{**asdict(layer), "rate": layer.rate} for layer in self.neurons],
            "convolutions": [conv._asdict() for conv in self.convs],
        }


def profile_detector(detector: Detector, samples: Tensor, *, constants: EnergyConstants | None = None) -> Profile:
    """Return what a detector does on samples, each begun at rest and read out as the mean over its steps.

    Parameters
    ----------
    detector : Detector
        Put into evaluation mode while it runs.
    samples : Tensor, shape (T, B, C, H, W)
        Event counts (integer) or encoded values (floating).
    constants : EnergyConstants, optional
        Energy of an operation; 45 nm by default.

    Returns
    -------
    Profile
        Averages over the samples.

    Raises
    ------
    OptionError
        When the detector does not take the samples.
    """
    seen = _observe(detector, samples)
    count = samples.shape[1]
    fallback = weighted_rate(seen.neurons)
    works = [_work(conv, index == 0, count, fallback) for index, conv in enumerate(seen.convs) if conv.rows]
    profile = _profile(samples, works, constants or EnergyConstants(), tuple(ACCOUNTINGS))
    neurons = tuple(layer for layer in seen.neurons if layer.updates)
    return replace(profile, neurons=neurons, neurobench=_neurobench(detector, seen, count))


def assume_rate(detector: Detector, rate: float, *, steps: int, constants: EnergyConstants | None = None) -> Profile:
    """Return the energy of a detector with one rate for every convolution's input, as papers have it.

    Parameters
    ----------
    detector : Detector
        Not changed. A copy is run on noise, its normalisations fitted to it, to see which convolutions take spikes.
    rate : float
        In 0..1.
    steps : int
        Steps of a sample.
    constants : EnergyConstants, optional
        Energy of an operation; 45 nm by default.

    Returns
    -------
    Profile
        Without what needs events: layers of neurons, NeuroBench's metrics and the accounting by them.

    Raises
    ------
    OptionError
        When the rate is not in 0..1.
    """
    if not 0.0 <= rate <= 1.0:
        raise OptionError(f"rate must be in 0..1, got {rate}")
    generator = torch.Generator().manual_seed(0)
    config = detector.config
    noise = torch.randn(steps, 1, config.channels, *config.input_size, generator=generator)
    copy = deepcopy(detector)
    with calibrated(copy):
        copy(noise)
    convs = [conv for conv in _observe(copy, noise).convs if conv.rows]
    works = [_work(conv, index == 0, 1, rate)._replace(rate=rate) for index, conv in enumerate(convs)]
    names = tuple(name for name in ACCOUNTINGS if name != "synops")
    return replace(_profile(noise, works, constants or EnergyConstants(), names), rate=rate)


def _profile(
    samples: Tensor, works: Sequence[ConvWork], constants: EnergyConstants, accountings: Sequence[str]
) -> Profile:
    steps = samples.shape[0]
    return Profile(
        steps=steps,
        samples=samples.shape[1],
        input_size=(samples.shape[3], samples.shape[4]),
        convs=tuple(works),
        energy_pj={name: energy_pj(works, name, steps=steps, constants=constants) for name in accountings},
        ann_pj=ann_energy_pj(works, constants=constants),
        constants=constants,
    )


@torch.inference_mode()
def _observe(detector: Detector, samples: Tensor) -> Observation:
    was_training = detector.training
    detector.eval()
    try:
        with observed(detector) as seen:
            # One at a time: the largest tensor is then that of a single sample.
            for sample in torch.tensor_split(samples, samples.shape[1], dim=1):
                detector(sample)
    finally:
        detector.train(was_training)
    return seen


def _work(conv: ConvActivity, is_stem: bool, samples: int, fallback: float) -> ConvWork:
    """Return what the accountings need; a real input that is taken for spikes gets the rate of all neurons."""
    return ConvWork(
        name=conv.name,
        macs=conv.macs,
        runs=conv.rows / samples,
        is_spiking=conv.is_binary and not is_stem,
        is_stem=is_stem,
        rate=conv.input_rate if conv.is_binary else fallback,
        effective_macs=conv.effective_macs / samples,
        effective_acs=conv.effective_acs / samples,
    )


def _neurobench(detector: Detector, seen: Observation, samples: int) -> Mapping[str, Any]:
    """Return the metrics that NeuroBench (Yik et al. 2025) names so, by its definitions."""
    tensors = [*detector.parameters(), *detector.buffers()]
    kernels = [conv.weight for conv in _convolutions(detector)]
    zeros = sum(int((kernel == 0).sum()) for kernel in kernels)
    updates = sum(layer.membrane_updates for layer in seen.neurons) / samples
    membranes = sum(layer.updates for layer in seen.neurons) / samples
    return {
        "ParameterCount": sum(weights.numel() for weights in detector.parameters()),
        "Footprint": sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        "ConnectionSparsity": zeros / sum(kernel.numel() for kernel in kernels),
        "ActivationSparsity": 1.0 - weighted_rate(seen.neurons),
        "SynapticOperations": {
            "Dense": sum(conv.dense for conv in seen.convs) / samples,
            "Effective_MACs": sum(conv.effective_macs for conv in seen.convs) / samples,
            "Effective_ACs": sum(conv.effective_acs for conv in seen.convs) / samples,
        },
        "MembraneUpdates": updates,
        "NeuronOperations": {
            "Neuron Dense Ops": _UPDATE_OPERATIONS * membranes,
            "Effective Neuron Ops": _UPDATE_OPERATIONS * updates,
        },
    }


def _convolutions(detector: Detector) -> Iterator[nn.Conv2d]:
    return (module for module in detector.modules() if isinstance(module, nn.Conv2d))
