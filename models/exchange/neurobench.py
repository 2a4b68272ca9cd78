"""Detectors in NeuroBench's harness (extra ``neurobench``), to cross-check what `eventdet profile` counts itself.

NeuroBench hooks convolutions and the modules that it is told are neurons. Its detection task is another data set than
Gen1 and needs a vendor's SDK; the metrics of operations and sparsity work on any batch.
"""

from importlib import import_module
from typing import Any

from torch import Tensor

from eventdet.errors import MissingExtraError
from eventdet.models.detector import Detector
from eventdet.models.lif import Neurons

__all__ = ["neurobench_model"]


def neurobench_model(detector: Detector) -> Any:
    """Return a detector as a ``neurobench.models.TorchModel``, for ``neurobench.benchmarks.Benchmark``.

    It takes batches of shape (B, T, C, H, W), as NeuroBench's loaders give them, and returns the logits by scale, of
    the mean over the steps. Its ``MembraneUpdates`` knows snnTorch's neurons only and stays 0.

    Parameters
    ----------
    detector : Detector
        Put into evaluation mode; hooked while a benchmark runs.

    Raises
    ------
    MissingExtraError
        When NeuroBench is not installed.
    """
    try:
        models = import_module("neurobench.models")
    except ImportError as error:
        raise MissingExtraError("measuring in NeuroBench's harness", extra="neurobench") from error
    base: Any = models.TorchModel

    class DetectorModel(base):  # type: ignore[misc] # known only at run time
        """A detector that takes the batch first."""

        def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
            """Return logits, shape (B, anchors * (5 + classes), rows, columns) a scale."""
            logits: tuple[Tensor, ...] = self.net(batch.transpose(0, 1)).logits
            return logits

    model = DetectorModel(detector)
    model.add_activation_module(Neurons)
    return model
