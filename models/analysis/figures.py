"""Pictures of what the analyses print: bars and lines, by matplotlib (extra ``plots``)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from eventdet.errors import MissingExtraError

from .profile import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .ablation import AblationRow
    from .isometry import ChainGain

__all__ = ["draw_ablation", "draw_isometry", "draw_profile", "new_figure"]


def new_figure(columns: int, *, title: str, width: float = 10.0, height: float = 4.5) -> "tuple[Figure, list[Axes]]":
    """Return a figure of so many axes side by side; sizes in inches.

    Raises
    ------
    MissingExtraError
        When matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("drawing figures", extra="plots") from error
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    return figure, list(axes)


def draw_profile(profile: Profile, *, title: str) -> "Figure":
    """Return firing rates by layer, where they were measured, and energy by accounting."""
    height = max(4.5, 0.22 * len(profile.neurons))
    figure, axes = new_figure(2 if profile.neurons else 1, title=title, height=height)
    if profile.neurons:
        _draw_rates(axes[0], profile)
    energy = axes[-1]
    accountings = [*profile.energy_pj, "real-valued"]
    millijoules = [value * 1e-9 for value in (*profile.energy_pj.values(), profile.ann_pj)]
    bars = energy.barh(accountings, millijoules, color=["tab:blue"] * len(profile.energy_pj) + ["tab:gray"])
    energy.bar_label(
        bars, [*(f"{ratio:.2f}x less" for ratio in profile.efficiency.values()), ""], padding=3, fontsize=8
    )
    energy.set(xlabel="mJ per sample", xlim=(0, 1.25 * max(millijoules)))
    energy.invert_yaxis()
    return figure


def _draw_rates(axes: "Axes", profile: Profile) -> None:
    axes.barh([layer.name for layer in profile.neurons], [layer.rate for layer in profile.neurons], color="tab:blue")
    for rate, color, what in (
        (profile.firing_rate, "tab:orange", "mean of layers"),
        (profile.weighted_firing_rate, "tab:green", "by size"),
    ):
        axes.axvline(rate, color=color, label=f"{what} {rate:.3f}")
    axes.set(xlabel="spikes per neuron and step")
    axes.tick_params(axis="y", labelsize=7)
    axes.invert_yaxis()
    axes.legend(fontsize=8)


def draw_isometry(chains: "Sequence[ChainGain]", *, title: str) -> "Figure":
    """Return phi a block and along the chain: marks are probes, lines the closed form."""
    initialisations = list(dict.fromkeys(chain.initialisation for chain in chains))
    figure, axes = new_figure(2 * len(initialisations), title=title, width=5.0 * 2 * len(initialisations))
    for index, initialisation in enumerate(initialisations):
        blocks, product = axes[2 * index : 2 * index + 2]
        for color, chain in zip(_colors(), [c for c in chains if c.initialisation == initialisation], strict=False):
            places = range(1, len(chain.blocks) + 1)
            blocks.plot(places, [gain.phi for gain in chain.blocks], "o", color=color, label=chain.network)
            known = [float("nan") if gain.predicted is None else gain.predicted for gain in chain.blocks]
            blocks.plot(places, known, "-", color=color, linewidth=1)
            running, cumulative = 1.0, []
            for gain in chain.blocks:
                running *= gain.phi
                cumulative.append(running)
            product.plot(places, cumulative, "-", color=color, label=chain.network)
            product.plot([len(chain.blocks)], [chain.phi], "s", color=color)
        blocks.axhline(1.0, color="black", linewidth=0.5)
        product.axhline(1.0, color="black", linewidth=0.5)
        blocks.set(title=f"{initialisation}: each block", xlabel="block", ylabel="phi(J Jᵀ); line: closed form")
        product.set(title=f"{initialisation}: along the chain", xlabel="blocks", ylabel="product; square: whole chain")
        if initialisation != "official":
            product.set_yscale("log")
        blocks.legend(fontsize=8)
    return figure


def draw_ablation(rows: "Sequence[AblationRow]", *, title: str) -> "Figure":
    """Return scores, firing rate and energy of each variant."""
    figure, (scores, rates, energy) = new_figure(3, title=title, width=13.0)
    names = [row.variant for row in rows]
    places = range(len(rows))
    for shift, label, values in (
        (-0.2, "mAP50", [row.map50 for row in rows]),
        (0.2, "mAP50:95", [row.map50_95 for row in rows]),
    ):
        bars = scores.bar([place + shift for place in places], [100 * value for value in values], 0.4, label=label)
        scores.bar_label(bars, fmt="%.1f", fontsize=8)
    scores.set_xticks(list(places), names)
    scores.set(ylabel="percent", title="mean average precision")
    # Room above the bars, so that the legend stands over none of them.
    scores.margins(y=0.2)
    scores.legend(fontsize=8, ncols=2, loc="upper center")
    rates.bar_label(rates.bar(names, [100 * row.firing_rate for row in rows]), fmt="%.1f", fontsize=8)
    rates.set(ylabel="percent", title="firing rate, mean of the layers")
    energy.bar_label(energy.bar(names, [row.energy_mj for row in rows]), fmt="%.3g", fontsize=8)
    energy.set(ylabel="mJ", title="energy of a clip, as run")
    return figure


def _colors() -> list[str]:
    return [
        f"tab:{name}" for name in ("blue", "orange", "green", "red", "purple", "brown", "pink", "gray", "olive", "cyan")
    ]
