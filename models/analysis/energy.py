"""Energy of a network's arithmetic under the accountings that papers use, side by side.

All follow Horowitz (ISSCC 2014), 45 nm, 32-bit floating point: a multiplication with its addition costs 4.6 pJ, an
addition 0.9 pJ; memory is left out. They differ in which convolutions count as multiplications, and how often: the
EMS-YOLO paper's Eq. 6 leaves that to the reader. The ratio is to the same network with real activations, run once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eventdet.errors import OptionError

__all__ = ["ACCOUNTINGS", "ConvWork", "EnergyConstants", "ann_energy_pj", "energy_pj"]


@dataclass(frozen=True, slots=True)
class EnergyConstants:
    """Picojoules of one operation."""

    mac_pj: float = 4.6
    """Multiply and accumulate."""

    ac_pj: float = 0.9
    """Accumulate."""

    def __post_init__(self) -> None:
        """Check the values.

        Raises
        ------
        OptionError
            When one is not positive.
        """
        if not (self.mac_pj > 0 and self.ac_pj > 0):
            raise OptionError(f"energies must be > 0 pJ, got {self.mac_pj} and {self.ac_pj}")


class ConvWork(NamedTuple):
    """What an accounting must know of a convolution."""

    name: str
    """Path within the network."""

    macs: int
    """Multiplications of one run."""

    runs: float
    """Runs a sample: the steps, or 1 where the steps are averaged before."""

    is_spiking: bool
    """Whether its input is spikes."""

    is_stem: bool
    """Whether it is the encoding layer."""

    rate: float
    """Share of its inputs that is not zero, or what it is taken for."""

    effective_macs: float
    """NeuroBench's Effective_MACs of a sample."""

    effective_acs: float
    """NeuroBench's Effective_ACs of a sample."""


_Count = Callable[[ConvWork, int], tuple[float, float]]
"""Takes a convolution and the steps of a sample; returns its multiplications and additions."""


def _all_ac(conv: ConvWork, steps: int) -> tuple[float, float]:
    return 0.0, conv.macs * steps * conv.rate


def _stem_once(conv: ConvWork, steps: int) -> tuple[float, float]:
    return (conv.macs, 0.0) if conv.is_stem else _all_ac(conv, steps)


def _stem_every_step(conv: ConvWork, steps: int) -> tuple[float, float]:
    return (conv.macs * steps, 0.0) if conv.is_stem else _all_ac(conv, steps)


def _strict(conv: ConvWork, steps: int) -> tuple[float, float]:
    return _all_ac(conv, steps) if conv.is_spiking else (conv.macs * steps, 0.0)


def _as_run(conv: ConvWork, steps: int) -> tuple[float, float]:
    return (0.0, conv.macs * conv.runs * conv.rate) if conv.is_spiking else (conv.macs * conv.runs, 0.0)


def _synops(conv: ConvWork, steps: int) -> tuple[float, float]:
    return conv.effective_macs, conv.effective_acs


ACCOUNTINGS: dict[str, tuple[str, _Count]] = {
    "all-ac": ("every convolution adds", _all_ac),
    "stem-once": ("the encoding layer multiplies in one step, the rest adds", _stem_once),
    "stem-every-step": ("the encoding layer multiplies in every step, the rest adds", _stem_every_step),
    "strict": ("whatever has a real input multiplies, in every step", _strict),
    "as-run": ("strict, and what runs after the mean over the steps counts once", _as_run),
    "synops": ("only products of two values that are not zero, as NeuroBench counts", _synops),
}
"""Each accounting with what it counts."""


def energy_pj(
    convs: Sequence[ConvWork], accounting: str, *, steps: int, constants: EnergyConstants | None = None
) -> float:
    """Return the energy of a sample in picojoules under one of `ACCOUNTINGS`.

    Su et al. (2023), Eq. 6: ``E = T * (rate * E_AC * OP_AC + E_MAC * OP_MAC)``, summed by convolution, each with the
    rate of its own input.

    Examples
    --------
    >>> spiking = ConvWork("conv", 1000, 5, True, False, 0.2, 0.0, 1000.0)
    >>> round(energy_pj([spiking], "all-ac", steps=5), 6)
    900.0
    """
    constants = constants or EnergyConstants()
    count = ACCOUNTINGS[accounting][1]
    operations = [count(conv, steps) for conv in convs]
    return sum(macs * constants.mac_pj + acs * constants.ac_pj for macs, acs in operations)


def ann_energy_pj(convs: Sequence[ConvWork], *, constants: EnergyConstants | None = None) -> float:
    """Return the energy of one pass of the same network with real activations, in picojoules."""
    return sum(conv.macs for conv in convs) * (constants or EnergyConstants()).mac_pj
