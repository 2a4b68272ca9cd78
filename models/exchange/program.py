"""One step of a detector as a ``torch.export`` program: for torch itself, AOTInductor and ExecuTorch, without our code.

It takes and gives what the ONNX graph does: counts and every membrane in, logits and every membrane out.
"""

import io
import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from eventdet.geometry import SensorSize
from eventdet.models._files import replace_file
from eventdet.models.detector import Detector
from eventdet.models.export_onnx import StepIO, StepNetwork

__all__ = ["export_program"]


def export_program(
    detector: Detector, path: str | Path, *, batch: int = 1, input_size: Sequence[int] | None = None
) -> StepIO:
    """Write one step of a detector to a ``.pt2`` file, and return the names and shapes of what it takes and gives.

    Parameters
    ----------
    detector : Detector
        With its weights.
    path : str or Path
        Where to; a file there is replaced in one go. ``torch.export.load`` reads it; its extra file ``eventdet.json``
        has the configuration, the hash of the weights, and the names of inputs and outputs.
    batch : int
        Pictures a step.
    input_size : (height, width), optional
        The configuration's when left out.

    Raises
    ------
    OptionError
        When the size is not a multiple of 32.
    """
    size = None if input_size is None else SensorSize(*input_size)
    network = StepNetwork(detector, batch=batch, input_size=size)
    program = torch.export.export(network, network.example(), strict=False)
    described = {
        "config": detector.config.to_dict(),
        "weights_hash": detector.weights_hash,
        "inputs": network.io.inputs,
        "outputs": network.io.outputs,
    }
    content = io.BytesIO()
    with warnings.catch_warnings():
        # torch warns of its own use of a deprecated serialiser.
        warnings.simplefilter("ignore")
        torch.export.save(program, content, extra_files={"eventdet.json": json.dumps(described)})
    replace_file(Path(path), content.getvalue())
    return network.io
