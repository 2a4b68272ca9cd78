"""Gradient norm equality at the start of training, by random probes: phi(J J^T) a block and along the chain.

phi is the mean eigenvalue, tr(J J^T) / len(y). A vector v of random signs has ``E |J^T v|^2 = tr(J J^T)``, and J^T v is
one backward pass. Everything is for one step, T = 1, on normalisations that were fitted to the input before.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from eventdet.errors import check_option
from eventdet.models.blocks import ConvNorm, EMSBlock1, EMSBlock2, MSBlock
from eventdet.models.detector import Detector, build_detector
from eventdet.models.lif import Membranes

from .calibration import calibrated
from .closed_forms import Membrane, lcb_gain

__all__ = ["INITIALISATIONS", "BlockGain", "ChainGain", "initialise", "measure_block", "measure_chain"]

INITIALISATIONS = ("official", "unit")
"""``official``: BN scales 0.5, and 0.1 at the end of a residual branch, as released; ``unit``: 1 at the end of every
branch and 3 as the second moment behind the encoding layer, as the proofs ask for. They do not speak of the
normalisation within a residual branch, which keeps 0.5."""

_POOLED_PLACES = 4
"""Every block that pools halves rows and columns."""

_SEED_INPUT_MOMENT = 3.0
"""Second moment behind the encoding layer that Proposition 2 asks for."""


@dataclass(frozen=True, slots=True)
class BlockGain:
    """How a block scales second moments and gradients."""

    name: str
    """Path within the network, or kind of the block."""

    alpha_in: float
    """Second moment of its input."""

    alpha_out: float
    """Second moment of its output."""

    phi: float
    """phi(J J^T) by probes."""

    predicted: float | None
    """phi(J J^T) by the closed form; None for kinds that have none."""


@dataclass(frozen=True, slots=True)
class ChainGain:
    """A backbone from behind its encoding layer to its end."""

    network: str
    """Its name."""

    initialisation: str
    """One of `INITIALISATIONS`."""

    alpha_in: float
    """Second moment behind the encoding layer."""

    alpha_out: float
    """Second moment at the end."""

    phi: float
    """phi(J J^T) of the whole chain, by probes."""

    product: float
    """Product of the blocks' phi, which Lemma 1 says is the same."""

    blocks: tuple[BlockGain, ...]
    """Each block on the input that it gets in the chain."""

    last_stage_blocks: int
    """Blocks of the last stage, which Proposition 2 hangs on."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON takes it."""
        return asdict(self)


def initialise(network: nn.Module, initialisation: str) -> None:
    """Set the scale of every normalisation, in place; ``official`` is how networks are built and changes nothing."""
    check_option("initialisation", initialisation, INITIALISATIONS)
    if initialisation == "official":
        return
    for module in network.modules():
        if isinstance(module, MSBlock | EMSBlock1 | EMSBlock2):
            ends = [module.residual.last] if isinstance(module, MSBlock) else [module.residual.last, module.shortcut]
            for end in ends:
                nn.init.ones_(end.norm.get_parameter("weight"))
    if isinstance(network, Detector):
        nn.init.constant_(network.get_parameter("backbone.stem.norm.weight"), _SEED_INPUT_MOMENT**0.5)


def measure_block(block: nn.Module, x: Tensor, *, probes: int, seed: int = 0, name: str = "") -> BlockGain:
    """Return how a block scales `x`, shape (N, C, H, W), after fitting its normalisations to it."""
    with calibrated(block):
        block(x, Membranes(1))
    return _gain(block, x, probes=probes, seed=seed, name=name)


def measure_chain(
    network: str, initialisation: str = "official", *, size: int = 64, batch: int = 4, probes: int = 8, seed: int = 0
) -> ChainGain:
    """Return how a network's backbone scales second moments and gradients, on normal input.

    Parameters
    ----------
    network : str
        Name of a network.
    initialisation : str
        One of `INITIALISATIONS`.
    size : int
        Rows and columns behind the encoding layer.
    batch : int
        Pictures.
    probes : int
        Random sign vectors of each measurement.
    seed : int
        Of weights, input and probes.

    Returns
    -------
    ChainGain
        The chain and each of its blocks.

    Raises
    ------
    OptionError
        When network or initialisation is unknown.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        detector = build_detector(network)
        initialise(detector, initialisation)
        backbone = detector.backbone
        picture = torch.randn(batch, detector.config.channels, 2 * size, 2 * size)
        with calibrated(backbone):
            backbone(picture, Membranes(1))
        x = backbone.stem(picture).detach()
    stages = [list(stage.get_submodule("blocks").children()) for stage in backbone.stages]
    blocks = [
        (f"stage {s + 1}, block {b + 1}", block) for s, stage in enumerate(stages) for b, block in enumerate(stage)
    ]
    gains, current = [], x
    for name, block in blocks:
        gains.append(_gain(block, current, probes=probes, seed=seed, name=name))
        with torch.no_grad():
            current = block(current, Membranes(1))

    def chain(value: Tensor) -> Tensor:
        for _, block in blocks:
            value = block(value, Membranes(1))
        return value

    product = 1.0
    for gain in gains:
        product *= gain.phi
    return ChainGain(
        network=network,
        initialisation=initialisation,
        alpha_in=_moment(x),
        alpha_out=_moment(current),
        phi=mean_eigenvalue(chain, x, probes=probes, seed=seed),
        product=product,
        blocks=tuple(gains),
        last_stage_blocks=len(stages[-1]),
    )


def mean_eigenvalue(function: Callable[[Tensor], Tensor], x: Tensor, *, probes: int, seed: int) -> float:
    """Return phi(J J^T) of a function at `x` by backward passes of random signs."""
    generator = torch.Generator().manual_seed(seed)
    source = x.detach().requires_grad_()
    y = function(source)
    total = 0.0
    for probe in range(probes):
        signs = torch.randint(0, 2, y.shape, generator=generator).to(y.dtype) * 2 - 1
        (gradient,) = torch.autograd.grad(y, source, signs, retain_graph=probe < probes - 1)
        total += float(gradient.double().square().sum())
    return total / probes / y.numel()


def _gain(block: nn.Module, x: Tensor, *, probes: int, seed: int, name: str) -> BlockGain:
    with torch.no_grad():
        y = block(x, Membranes(1))
    phi = mean_eigenvalue(lambda value: block(value, Membranes(1)), x, probes=probes, seed=seed)
    return BlockGain(name, _moment(x), _moment(y), phi, _predicted(block, x))


def _moment(x: Tensor) -> float:
    return float(x.double().square().mean())


def _predicted(block: nn.Module, x: Tensor) -> float | None:
    """Return phi by the closed form; branches add (Lemma 2), a concatenation averages by its channels."""
    if not isinstance(block, MSBlock | EMSBlock1 | EMSBlock2):
        return None
    membrane = Membrane.of(x)
    first, last = _gamma(block.residual.first), _gamma(block.residual.last)
    residual = lcb_gain(membrane, first) * lcb_gain(Membrane.normal(first**2), last)
    if isinstance(block, MSBlock):
        return 1.0 + residual
    places = _POOLED_PLACES if isinstance(block.pool, nn.MaxPool2d) else 1
    gamma = _gamma(block.shortcut)
    if isinstance(block, EMSBlock1):
        if not (block.shares_lif or block.shortcut_lif is not None):
            # Convolved and normalised currents: their own variance is divided out. Pooled normal values are not
            # normal; their variance is measured nowhere here, so the form is for unpooled ones.
            return residual + gamma**2 / membrane.variance if places == 1 else None
        return residual + lcb_gain(membrane, gamma, of=places)
    new = block.shortcut.conv.out_channels
    share = new / (new + x.shape[1])
    of = places if block.pool_first else 1
    return residual + (1.0 - share) + share * lcb_gain(membrane, gamma, of=of)


def _gamma(layer: ConvNorm) -> float:
    """Return the deviation that a normalisation gives, the same in every channel at the start of training."""
    return float(layer.norm.get_parameter("weight").detach().square().mean().sqrt())
