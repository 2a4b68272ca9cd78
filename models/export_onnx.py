"""One step of a detector as an ONNX graph, with every membrane an input and an output.

The runtimes that read ONNX keep nothing between calls. With the state outside they need not, and the graph is the same
for the first window and any later one: zeros are a fresh start.
"""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from eventdet.errors import MissingExtraError
from eventdet.geometry import SensorSize

from ._files import replace_file
from ._folding import folded
from .config import check_input_size
from .detector import Detector
from .lif import DECAY, LIF, THRESHOLD, Membranes

__all__ = ["OPSET", "StepIO", "StepNetwork", "export_onnx", "onnx_model"]

OPSET = 20
"""Version of the operators: the newest that torch's exporter writes without conversion."""


class StepLIF(LIF):
    """Neurons in operations that every runtime has, a step at a time."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return the spikes of one step, as :func:`lif` does, and move the layer's membrane on."""
        v = membranes.take()
        membrane = x if v is None else DECAY * v + x
        fired = membrane > THRESHOLD
        membranes.put(torch.where(fired, torch.zeros_like(membrane), membrane))
        return fired.to(x.dtype)


class StepIO(NamedTuple):
    """Names and shapes of what a graph takes and gives."""

    counts: tuple[int, ...]
    """Shape (B, C, H, W) of the input ``counts``, uint8."""

    logits: tuple[str, ...]
    """Names of the logits by scale, fine first: the first outputs."""

    states: tuple[str, ...]
    """Names of the membranes: the inputs after ``counts``, float32; the outputs after the logits are ``next_NAME``."""

    state_shapes: tuple[tuple[int, ...], ...]
    """(B, C, H, W) of each membrane."""

    @property
    def inputs(self) -> list[str]:
        """Names of the inputs, in order."""
        return ["counts", *self.states]

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs, in order."""
        return [*self.logits, *(f"next_{name}" for name in self.states)]


class StepNetwork(nn.Module):
    """A folded detector as a function of flat tensors: ``(counts, *state) -> (*logits, *next_state)``.

    Parameters
    ----------
    detector : Detector
        Copied.
    batch : int
        Pictures a step.
    input_size : SensorSize, optional
        Rows and columns; the configuration's when left out.
    """

    def __init__(self, detector: Detector, *, batch: int = 1, input_size: SensorSize | None = None) -> None:
        super().__init__()
        self.detector = folded(detector, StepLIF)
        config = detector.config
        size = check_input_size(input_size or config.input_size)
        counts = torch.zeros(batch, config.channels, *size, dtype=torch.uint8)
        state = self.detector.step(counts).state
        self.io = StepIO(
            counts=tuple(counts.shape),
            logits=tuple(f"logits_stride{stride}" for stride in config.strides),
            states=detector.state_names,
            state_shapes=tuple(tuple(v.shape) for v in state),
        )

    def forward(self, counts: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of the step by scale, then the membranes after it."""
        output = self.detector.step(counts, state)
        return (*output.logits, *output.state)

    def example(self) -> tuple[Tensor, ...]:
        """Return inputs of the right shapes: no events, and membranes at rest."""
        counts = torch.zeros(self.io.counts, dtype=torch.uint8)
        return (counts, *(torch.zeros(shape) for shape in self.io.state_shapes))


def onnx_model(network: StepNetwork) -> Any:
    """Return the network as an ``onnx.ModelProto``, with its configuration in the metadata.

    Raises
    ------
    MissingExtraError
        When the packages of the extra ``export`` are not installed.
    """
    try:
        import onnxscript  # noqa: F401 # torch's exporter needs it
        from onnx import helper
    except ImportError as error:
        raise MissingExtraError("exporting to ONNX", extra="export") from error
    with _quiet_exporter():
        program: Any = torch.onnx.export(
            network,
            network.example(),
            dynamo=True,
            opset_version=OPSET,
            input_names=network.io.inputs,
            output_names=network.io.outputs,
            verbose=False,
        )
    model = program.model_proto
    detector = network.detector
    helper.set_model_props(
        model,
        {
            "eventdet_config": json.dumps(detector.config.to_dict(), sort_keys=True),
            "eventdet_weights_hash": detector.weights_hash,
        },
    )
    return model


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide that the exporter misses torchvision, which it does not need here, and warns of its own use of torch."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(level)


def export_onnx(
    detector: Detector, path: str | Path, *, batch: int = 1, input_size: Sequence[int] | None = None
) -> StepIO:
    """Write one step of a detector to an ``.onnx`` file, and return the names and shapes of what it takes and gives.

    Parameters
    ----------
    detector : Detector
        With its weights.
    path : str or Path
        Where to; a file there is replaced in one go.
    batch : int
        Pictures a step.
    input_size : (height, width), optional
        The configuration's when left out.

    Returns
    -------
    StepIO
        Names and shapes.

    Raises
    ------
    MissingExtraError
        When the packages of the extra ``export`` are not installed.
    OptionError
        When the size is not a multiple of 32.
    """
    network = StepNetwork(detector, batch=batch, input_size=None if input_size is None else SensorSize(*input_size))
    content = onnx_model(network).SerializeToString()
    replace_file(Path(path), content)
    return network.io
