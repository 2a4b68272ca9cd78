"""``eventdet export-model``: a network in the file formats of other runtimes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._networks import NETWORK_HELP, open_network
from ._options import Quiet

if TYPE_CHECKING:
    from eventdet.geometry import SensorSize
    from eventdet.models import Detector

__all__ = ["command"]

_ENDINGS = (".onnx", ".pt2", ".nir")


def command(
    model: Annotated[str, typer.Argument(help=NETWORK_HELP, show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="x.onnx, x.pt2 (torch.export) or x.nir.", show_default=False)
    ],
    input_size: Annotated[
        str | None,
        typer.Option(metavar="WxH", help="Columns and rows; default: the network's, 320x256.", show_default=False),
    ] = None,
    batch: Annotated[int, typer.Option(help="Pictures a step; not for NIR.", min=1)] = 1,
    part: Annotated[str, typer.Option(help="NIR: whole, or the backbone alone.")] = "whole",
    seed: Annotated[int, typer.Option(help="Of the weights of a network without any.", min=0)] = 0,
    quiet: Quiet = False,
) -> None:
    """Write one step of a network, its membranes as inputs and outputs; for data sets there is `eventdet export`."""
    from eventdet.errors import OptionError, check_option
    from eventdet.geometry import SensorSize
    from eventdet.sinks._files import check_target, writing

    ending = check_option("ending of --output", output.suffix.lower(), _ENDINGS)
    if ending == ".nir" and batch != 1:
        raise OptionError(f"--batch does not apply to NIR, got {batch}", hint="leave it out")
    if ending != ".nir" and part != "whole":
        raise OptionError(f"--part is for NIR, got {part!r} with {ending}", hint="leave it out")
    check_target(output)
    size = None if input_size is None else SensorSize.parse(input_size)
    detector, is_fresh = open_network(model, seed=seed)
    with writing(output):
        if ending == ".nir":
            from eventdet.models.exchange.nir_graph import write_nir

            write_nir(detector, output, part=part, input_size=size)
            described = f"one step of its {part if part != 'whole' else 'network'}; neurons keep their membranes"
        else:
            described = _export_step(detector, output, ending, batch, size)
    if not quiet:
        weights = f"fresh weights (seed {seed})" if is_fresh else f"weights {detector.weights_hash[:12]}"
        typer.echo(f"wrote {output}: {model}, {weights}; {described}")


def _export_step(detector: "Detector", output: Path, ending: str, batch: int, size: "SensorSize | None") -> str:
    """Write a step with its state outside, and return what it takes and gives."""
    if ending == ".onnx":
        from eventdet.models.export_onnx import OPSET, export_onnx

        step, form = export_onnx(detector, output, batch=batch, input_size=size), f"opset {OPSET}"
    else:
        from eventdet.models.exchange.program import export_program

        step, form = export_program(detector, output, batch=batch, input_size=size), "torch.export"
    shape = "x".join(map(str, step.counts))
    return f"{form}, counts {shape} uint8 and {len(step.states)} membranes to {', '.join(step.logits)} and membranes"
