"""Streaming: one step at a time, as fast as the CPU allows.

Batch normalisation is folded into the convolutions, whose kernels are packed once; activations lie channels_last;
weights are bfloat16 where that is faster; and the neurons run in fused kernels that move float32 membranes on in place.
Other runtimes take the same step as an ONNX graph.
"""

import os
from collections import deque
from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from torch import Tensor

from eventdet.boxes import Boxes
from eventdet.errors import OptionError

from .config import DetectorConfig
from .detector import Detector, State
from .postprocess import boxes_from_logits
from .runtimes import choose_on_device, choose_runtime, make_engine
from .silence import SilenceReplay

__all__ = ["StreamingDetector"]


class StreamingDetector:
    """A detector that is fed window by window and remembers.

    Parameters
    ----------
    detector : Detector
        Copied; the original is not changed.
    dtype : str
        One of `DTYPES`.
    runtime : str
        One of `RUNTIMES`.
    device : str
        Torch device; on CUDA the step is a graph that is launched at once. Counts and logits stay on the CPU.

    Raises
    ------
    OptionError
        When `dtype` or `runtime` is unknown, or the runtime has no such dtype.
    MissingExtraError
        When the runtime is not installed.

    Examples
    --------
    >>> from eventdet.models import build_detector
    >>> stream = StreamingDetector(build_detector(), dtype="float32")
    >>> [tuple(scale.shape) for scale in stream.step(torch.zeros(1, 2, 64, 96, dtype=torch.uint8))]
    [(1, 21, 4, 6), (1, 21, 2, 3)]
    """

    def __init__(self, detector: Detector, *, dtype: str = "auto", runtime: str = "torch", device: str = "cpu") -> None:
        self.choice = (
            choose_runtime(detector, dtype=dtype, runtime=runtime)
            if device == "cpu"
            else choose_on_device(device, dtype=dtype, runtime=runtime)
        )
        """What runs the steps, and why."""
        self.made_in = os.getpid()
        """Process whose threads run the steps; they do not live on in one that is forked from it."""
        self._device = device
        self.config: DetectorConfig = detector.config
        self.weights_hash = detector.weights_hash
        self._engine = make_engine(detector, self.choice, device=device)
        self._steps = SilenceReplay(self._engine)
        self._recent: deque[tuple[Tensor, ...]] = deque(maxlen=self.config.readout_steps)
        self._ages: list[int] = []

    def __setstate__(self, state: dict[str, object]) -> None:
        """Belong to the process that it was sent to, as `spawn` does it."""
        self.__dict__.update(state)
        self.made_in = os.getpid()

    @property
    def dtype(self) -> str:
        """``float32``, ``bfloat16`` or ``int8``."""
        return self.choice.dtype

    @property
    def arithmetic(self) -> str:
        """What computes, for headers: the dtype, with the runtime or device if it is not torch on the CPU."""
        named = [self.choice.runtime] * (self.choice.runtime != "torch") + [self._device] * (self._device != "cpu")
        return " ".join([*named, self.dtype])

    @property
    def state(self) -> State | None:
        """The membranes, float32, in the order in which the layers run; None at rest."""
        self._steps.wake()
        return self._engine.state

    @torch.inference_mode()
    def reset(self, rows: Sequence[int] | None = None) -> None:
        """Bring membranes to rest and forget the steps so far.

        Parameters
        ----------
        rows : sequence of int, optional
            Pictures of the batch, each a stream of its own, that begin anew; by default all.
        """
        self._steps.wake()
        if rows is None or self._engine.state is None:
            self._engine.reset()
            self._recent.clear()
            self._ages = []
            return
        for membranes in self._engine.state:
            membranes[list(rows)] = 0
        self._ages = [0 if row in rows else age for row, age in enumerate(self._ages)]

    @torch.inference_mode()
    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of the last `readout_steps` steps, averaged; fewer right after a reset.

        Parameters
        ----------
        counts : Tensor, shape (B, C, H, W), uint8
            Events a pixel of the newest window, OFF then ON.

        Returns
        -------
        tuple of Tensor, shape (B, anchors * (5 + classes), rows, columns), float32
            By scale, fine first.

        Raises
        ------
        OptionError
            When the shape is not that of the steps before, or the network does not take it.
        """
        self._recent.append(self._steps.step(counts))
        self._ages = [age + 1 for age in self._ages] or [1] * len(counts)
        if min(self._ages) >= len(self._recent):
            return tuple(_mean(scales) for scales in zip(*self._recent, strict=True))
        rows = [self._readout(row, age) for row, age in enumerate(self._ages)]
        return tuple(torch.cat(scales) for scales in zip(*rows, strict=True))

    @torch.inference_mode()
    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of a sequence from rest, averaged over its steps: the paper's protocol.

        Afterwards every membrane is at rest.

        Parameters
        ----------
        counts : Tensor, shape (T, B, C, H, W), uint8
            Events a pixel of each window, oldest first.

        Returns
        -------
        tuple of Tensor, shape (B, anchors * (5 + classes), rows, columns), float32
            By scale, fine first.

        Raises
        ------
        OptionError
            When the network does not take the shape.
        """
        if counts.ndim != 5 or counts.shape[0] == 0:
            raise OptionError(f"counts must be (T, B, C, H, W) with T > 0, got {tuple(counts.shape)}")
        self.reset()
        return self._engine.clip(counts)

    def _readout(self, row: int, age: int) -> tuple[Tensor, ...]:
        """Return the mean logits of one picture over its steps since it began anew."""
        steps = list(self._recent)[-age:]
        by_scale = zip(*steps, strict=True)
        return tuple(_mean([maps[row : row + 1] for maps in scale]) for scale in by_scale)

    def detect(
        self, counts: Tensor, *, conf: float = 0.25, iou: float = 0.45, max_det: int = 300, t_us: int = 0
    ) -> list[Boxes]:
        """Return the boxes of each picture after one step; the arguments as in :func:`boxes_from_logits`."""
        logits = [np.ascontiguousarray(scale.numpy()) for scale in self.step(counts)]
        return boxes_from_logits(logits, self.config, conf=conf, iou=iou, max_det=max_det, t_us=t_us)


def _mean(maps: Sequence[Tensor]) -> Tensor:
    """Return the mean of tensors of one shape, new memory; torch's own takes several times as long for these few."""
    return reduce(torch.add, maps) / len(maps)
