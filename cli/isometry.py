"""``eventdet isometry``: how gradients pass through a network at the start of training, measured and in theory."""

from typing import TYPE_CHECKING, Annotated

import typer

from ._report import FigurePath, JsonPath, check_targets, format_table, save_figure, write_json

if TYPE_CHECKING:
    from eventdet.models.analysis.isometry import ChainGain
    from eventdet.models.analysis.propositions import ChainClaim, MomentClaim

__all__ = ["command"]

_NETWORKS = ("ems-res10", "ems-res18", "ems-res34")


def command(
    networks: Annotated[
        list[str] | None, typer.Argument(help="Networks; default: ems-res10, -res18, -res34.", show_default=False)
    ] = None,
    initialisation: Annotated[str, typer.Option("--init", help="official, unit, or both.")] = "both",
    size: Annotated[int, typer.Option(help="Rows and columns behind the encoding layer.", min=32, max=512)] = 64,
    probes: Annotated[int, typer.Option(help="Random backward passes a figure.", min=1, max=1000)] = 8,
    seed: Annotated[int, typer.Option(help="Of weights, input and probes.", min=0)] = 0,
    json: JsonPath = None,
    figure: FigurePath = None,
) -> None:
    """Measure phi(J J^T) a block and along the chain, beside its closed form and the paper's propositions."""
    from dataclasses import asdict

    from eventdet.errors import OptionError, check_option
    from eventdet.models.analysis.isometry import INITIALISATIONS, measure_chain
    from eventdet.models.analysis.propositions import ERRATA, check_blocks, check_chains

    check_targets(json, figure)
    check_option("--init", initialisation, (*INITIALISATIONS, "both"))
    if size % 16:
        raise OptionError(f"--size must be a multiple of 16, got {size}")
    wanted = INITIALISATIONS if initialisation == "both" else (initialisation,)
    chains = [
        measure_chain(network, each, size=size, probes=probes, seed=seed)
        for each in wanted
        for network in networks or _NETWORKS
    ]
    blocks, claims = check_blocks(probes=probes, seed=seed), check_chains(chains)
    typer.echo("\n\n".join((_chains(chains), _proposition1(blocks), _proposition2(claims), _errata(ERRATA))))
    if json is not None:
        record = {
            "seed": seed,
            "probes": probes,
            "size": size,
            "chains": [asdict(chain) for chain in chains],
            "proposition1": [claim._asdict() for claim in blocks],
            "proposition2": [claim._asdict() for claim in claims],
            "errata": list(ERRATA),
        }
        write_json(json, record)
    if figure is not None:
        from eventdet.models.analysis.figures import draw_isometry

        save_figure(figure, draw_isometry(chains, title=f"Gradients at initialisation, one step, {probes} probes"))


def _chains(chains: "list[ChainGain]") -> str:
    rows = []
    for chain in chains:
        name = f"{chain.network} {chain.initialisation}"
        for gain in chain.blocks:
            predicted = "-" if gain.predicted is None else f"{gain.predicted:.3f}"
            figures = (f"{value:.3f}" for value in (gain.alpha_in, gain.alpha_out, gain.phi))
            rows.append((f"{name}, {gain.name}", *figures, predicted))
        figures = (f"{value:.3f}" for value in (chain.alpha_in, chain.alpha_out, chain.phi))
        rows.append((f"{name}, whole chain", *figures, f"{chain.product:.3f} product"))
    return format_table(("network", "alpha in", "alpha out", "phi(JJ^T)", "closed form"), rows)


def _proposition1(claims: "list[MomentClaim]") -> str:
    rows = [(claim.block, *(f"{value:.2f}" for value in claim[1:])) for claim in claims]
    columns = ("alpha in", "out claimed", "corrected", "measured", "phi claimed", "closed form", "measured")
    return format_table(("Proposition 1", *columns), rows)


def _proposition2(claims: "list[ChainClaim]") -> str:
    rows = [(claim.network, *(f"{value:.2f}" for value in claim[1:])) for claim in claims]
    columns = ("alpha_0", "3 / alpha_0", "by its argument", "alpha_L / alpha_0", "phi measured")
    return format_table(("Proposition 2", *columns), rows) if rows else "Proposition 2 needs --init unit or both"


def _errata(errata: "tuple[str, ...]") -> str:
    return "Errata of the supplement\n" + "\n".join(f"- {line}" for line in errata)
