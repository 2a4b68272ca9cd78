"""Streaming: one step at a time, as fast as the CPU allows.

Batch normalisation is folded into the convolutions, whose kernels are packed once; activations lie channels_last;
weights are bfloat16 where that is faster; and the neurons run in fused kernels that move float32 membranes on in place.
"""

from collections import deque

import numpy as np
import torch
from torch import Tensor, nn

from eventdet.boxes import Boxes
from eventdet.errors import check_option

from . import _lif_cpu
from ._folding import folded
from ._layout import channels_last
from ._packed_conv import PackedConv2d, can_pack
from .config import DetectorConfig
from .detector import Detector, State
from .lif import DECAY, LIF, THRESHOLD, Membranes, split_steps
from .postprocess import boxes_from_logits

__all__ = ["DTYPES", "StreamingDetector", "faster_dtype"]

DTYPES = ("auto", "float32", "bfloat16")
"""``auto`` is bfloat16 on a CPU that has it in hardware, else float32."""


class InPlaceLIF(LIF):
    """Neurons that overwrite the membrane they are given; the same numbers as :class:`LIF`, without its copies."""

    def forward(self, x: Tensor, membranes: Membranes) -> Tensor:
        """Return the spikes of `x`, shape (T*B, C, H, W), and move the layer's membrane on in place."""
        currents = split_steps(x, membranes.num_steps)
        v = membranes.take()
        if v is None:
            v = torch.zeros_like(currents[0], dtype=torch.float32)
        membranes.put(v)
        return _lif_cpu.forward_(currents, v, DECAY, THRESHOLD).flatten(0, 1)


class StreamingDetector:
    """A detector that is fed window by window and remembers.

    Parameters
    ----------
    detector : Detector
        Copied; the original is not changed.
    dtype : str
        One of `DTYPES`.

    Raises
    ------
    OptionError
        When `dtype` is unknown.

    Examples
    --------
    >>> from eventdet.models import build_detector
    >>> stream = StreamingDetector(build_detector(), dtype="float32")
    >>> [tuple(scale.shape) for scale in stream.step(torch.zeros(1, 2, 64, 96, dtype=torch.uint8))]
    [(1, 21, 4, 6), (1, 21, 2, 3)]
    """

    def __init__(self, detector: Detector, *, dtype: str = "auto") -> None:
        check_option("dtype", dtype, DTYPES)
        self.dtype = faster_dtype() if dtype == "auto" else dtype
        """``float32`` or ``bfloat16``."""
        self.config: DetectorConfig = detector.config
        self.weights_hash = detector.weights_hash
        self._network = _packed(channels_last(folded(detector, InPlaceLIF).to(getattr(torch, self.dtype))))
        self._state: State | None = None
        self._recent: deque[tuple[Tensor, ...]] = deque(maxlen=self.config.readout_steps)

    @property
    def state(self) -> State | None:
        """The membranes, float32, in the order in which the layers run; None at rest."""
        return self._state

    def reset(self) -> None:
        """Bring every membrane to rest and forget the steps so far."""
        self._state = None
        self._recent.clear()

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
        output = self._network.step(counts.contiguous(memory_format=torch.channels_last), self._state)
        self._state = output.state
        self._recent.append(tuple(scale.float() for scale in output.logits))
        return tuple(torch.stack(scales).mean(0) for scales in zip(*self._recent, strict=True))

    def detect(
        self, counts: Tensor, *, conf: float = 0.25, iou: float = 0.45, max_det: int = 300, t_us: int = 0
    ) -> list[Boxes]:
        """Return the boxes of each picture after one step; the arguments as in :func:`boxes_from_logits`."""
        logits = [np.ascontiguousarray(scale.numpy()) for scale in self.step(counts)]
        return boxes_from_logits(logits, self.config, conf=conf, iou=iou, max_det=max_det, t_us=t_us)


def faster_dtype() -> str:
    """Return ``bfloat16`` where the CPU multiplies it in hardware, else ``float32``.

    Decided by what the CPU is, not by a trial: a trial on a loaded machine may go either way, and the two do not give
    the same bits.
    """
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"


def _packed(network: Detector) -> Detector:
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d) and can_pack(child.weight.dtype):
                setattr(module, name, PackedConv2d(child))
    return network
