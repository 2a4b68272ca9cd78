"""``eventdet profile``: firing rates, synaptic operations and energy of a network, measured on events."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._networks import NETWORK_HELP, open_network
from ._report import FigurePath, JsonPath, check_targets, format_table, save_figure, write_json

if TYPE_CHECKING:
    from eventdet.models import Detector
    from eventdet.models.analysis.energy import EnergyConstants
    from eventdet.models.analysis.profile import Profile
    from eventdet.sources import EventSource

__all__ = ["command"]

_DEFAULT_SOURCE = "synthetic://?seed=1&seconds=2"


def command(
    model: Annotated[str, typer.Argument(help=NETWORK_HELP, show_default=False)],
    source: Annotated[str | None, typer.Argument(help=f"Recording, store or {_DEFAULT_SOURCE} (default).")] = None,
    steps: Annotated[int, typer.Option(help="Windows a sample; each sample starts at rest.", min=1)] = 5,
    samples: Annotated[int, typer.Option(help="Samples, spread over the recording.", min=1)] = 4,
    rate: Annotated[
        float | None,
        typer.Option(
            help="Take every input's rate for this, as papers do; nothing is measured.",
            min=0.0,
            max=1.0,
            show_default=False,
        ),
    ] = None,
    mac_pj: Annotated[float, typer.Option("--mac-pj", help="Energy of a multiplication with its addition.")] = 4.6,
    ac_pj: Annotated[float, typer.Option("--ac-pj", help="Energy of an addition.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Of the weights of a network without any.", min=0)] = 0,
    json: JsonPath = None,
    figure: FigurePath = None,
) -> None:
    """Measure what a network does per sample: spikes by layer, NeuroBench's operations, energy by accounting."""
    from eventdet.errors import OptionError
    from eventdet.models.analysis.energy import EnergyConstants
    from eventdet.models.analysis.profile import assume_rate
    from eventdet.sources.target import open_finite

    check_targets(json, figure)
    constants = EnergyConstants(mac_pj, ac_pj)
    if rate is not None and source is not None:
        raise OptionError("--rate takes the place of a recording, got both", hint="leave one out")
    detector, is_fresh = open_network(model, seed=seed)
    about: dict[str, Any] = {"model": model, "weights_sha256": detector.weights_hash or None}
    if rate is not None:
        profile = assume_rate(detector, rate, steps=steps, constants=constants)
        about |= {"source": f"no events: every rate taken for {rate:g}", "synthetic": None}
    else:
        recording = open_finite(source or _DEFAULT_SOURCE)
        profile = _measure(detector, recording, steps, samples, constants, is_fresh=is_fresh)
        about |= {"source": recording.name, "synthetic": recording.synthetic}
    if is_fresh:
        about["weights"] = f"fresh weights (seed {seed}), normalisation fitted to the input"
    typer.echo(_format(profile, about))
    if json is not None:
        write_json(json, {**about, **profile.to_dict()})
    if figure is not None:
        from eventdet.models.analysis.figures import draw_profile

        save_figure(figure, draw_profile(profile, title=f"{model}, {about['source']}"))


def _measure(
    detector: "Detector",
    recording: "EventSource",
    steps: int,
    samples: int,
    constants: "EnergyConstants",
    *,
    is_fresh: bool,
) -> "Profile":
    from eventdet.models.analysis.calibration import calibrated
    from eventdet.models.analysis.profile import profile_detector
    from eventdet.models.analysis.samples import event_samples

    tensor = event_samples(recording, detector.config, steps=steps, count=samples)
    if is_fresh:
        with calibrated(detector):
            detector(tensor)
    return profile_detector(detector, tensor, constants=constants)


def _format(profile: "Profile", about: dict[str, Any]) -> str:
    size = "x".join(map(str, profile.input_size))
    kind = {True: " (synthetic)", False: " (real)", None: ""}[about["synthetic"]]
    weights = about.get("weights") or f"weights {about['weights_sha256'][:12]}"
    title = f"{about['model']}, {weights}\n{about['source']}{kind}; {profile.steps} steps at {size}"
    parts = [title if profile.rate is not None else f"{title}, mean of {profile.samples} samples"]
    if profile.neurons:
        parts.append(_format_neurons(profile))
    rows = [
        (
            conv.name,
            "spikes" if conv.is_spiking else "real",
            f"{conv.macs / 1e6:.2f}",
            f"{conv.runs:g}",
            f"{conv.rate:.4f}" if conv.is_spiking else "-",
        )
        for conv in profile.convs
    ]
    parts.append(format_table(("convolution", "input", "M MACs a run", "runs", "rate"), rows))
    if profile.neurobench:
        parts.append(_format_neurobench(profile))
    parts.append(_format_energy(profile))
    return "\n\n".join(parts)


def _format_neurons(profile: "Profile") -> str:
    rows = [
        (layer.name, f"{layer.neurons:,}", f"{layer.rate:.4f}", f"{layer.membrane_updates / layer.updates:.4f}")
        for layer in profile.neurons
    ]
    return format_table(("neurons", "number", "firing rate", "updated"), rows) + (
        f"\nfiring rate: {profile.firing_rate:.4f} as the mean of layers, "
        f"{profile.weighted_firing_rate:.4f} weighted by their sizes"
    )


def _format_neurobench(profile: "Profile") -> str:
    named: dict[str, float] = {}
    for metric, value in profile.neurobench.items():
        named |= (
            {f"{metric} {name}": part for name, part in value.items()} if isinstance(value, dict) else {metric: value}
        )
    rows = [(name, f"{value:,.0f}" if value >= 1 else f"{value:.4g}") for name, value in named.items()]
    return format_table(("NeuroBench, a sample", ""), rows)


def _format_energy(profile: "Profile") -> str:
    from eventdet.models.analysis.energy import ACCOUNTINGS

    rows = [
        (name, f"{value * 1e-9:.4f}", f"{profile.efficiency[name]:.2f}x", ACCOUNTINGS[name][0])
        for name, value in profile.energy_pj.items()
    ]
    rows.append(
        ("real-valued", f"{profile.ann_pj * 1e-9:.4f}", "1.00x", "the same network, one pass of multiplications")
    )
    costs = profile.constants
    return format_table(("energy", "mJ a sample", "ratio", "what it counts"), rows, last_is_text=True) + (
        f"\n{costs.mac_pj:g} pJ a multiplication, {costs.ac_pj:g} pJ an addition (45 nm, Horowitz 2014); "
        "memory is left out"
    )
