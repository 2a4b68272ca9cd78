"""``eventdet import-weights``: checkpoints of EMS-YOLO's released code to weights of ours."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import Quiet

__all__ = ["command"]


def command(
    file: Annotated[Path, typer.Argument(help="Checkpoint: best.pt or last.pt.", show_default=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Weights to write: x.safetensors, and x.json beside it.")
    ],
    steps: Annotated[int, typer.Option(help="Steps it was trained on, which the file does not say.", min=1)] = 5,
    quiet: Quiet = False,
) -> None:
    """Read weights from a pickled checkpoint, running nothing of it; for data sets there is `eventdet import`."""
    from eventdet.models import save_detector
    from eventdet.models.exchange.reference_import import detector_of_reference
    from eventdet.models.exchange.reference_pickle import read_reference_checkpoint
    from eventdet.sinks._files import check_target, writing

    check_target(output)
    checkpoint = read_reference_checkpoint(file)
    detector = detector_of_reference(checkpoint, readout_steps=steps)
    metadata = {"imported_from": file.name, "network_in_file": checkpoint.source, "epoch": checkpoint.epoch}
    with writing(output):
        written = save_detector(detector, output, metadata, half=checkpoint.is_half)
    if quiet:
        return
    config = detector.config
    parameters = sum(weights.numel() for weights in detector.parameters())
    typer.echo(
        f"{config.name}, {config.classes} classes, {config.channels} input channels, {parameters:,} parameters; "
        f"from '{checkpoint.source}', {len(checkpoint.tensors)} tensors\n"
        f"shortcut_lif {config.shortcut_lif}, pool_first {config.pool_first}: as the released code is\n"
        f"{'half' if checkpoint.is_half else 'single'} precision, as in the file\n"
        f"wrote {written} and {written.with_suffix('.json').name}"
    )
