"""The step in memory that stays in place, so that a CUDA graph can replay it.

A step is some two hundred small kernels; at batch 1 a GPU waits for the launches. A graph launches them at once, but
reads and writes the addresses that it was recorded with: events, membranes and logits are copied in and out of buffers
of their own. Without CUDA the same code runs without the graph, which is how it is tested.
"""

import torch
from torch import Tensor

from eventdet.errors import OptionError

from ._folding import folded
from ._layout import channels_last
from .detector import Detector, State

__all__ = ["StaticEngine"]

_WARM_UP_STEPS = 3
"""Before the recording, so that libraries have chosen their algorithms and kernels are compiled."""


class StaticEngine:
    """A detector's step on a device; the first step fixes the shape.

    Parameters
    ----------
    detector : Detector
        Copied.
    dtype : str
        ``float32`` or ``bfloat16``.
    device : str
        Torch device; on CUDA the step is recorded as a graph.
    """

    def __init__(self, detector: Detector, dtype: str, device: str) -> None:
        self._network = channels_last(folded(detector).to(device, getattr(torch, dtype)))
        self._device = torch.device(device)
        self._counts: Tensor | None = None
        self._states: State = ()
        self._logits: tuple[Tensor, ...] = ()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._at_rest = True

    @property
    def state(self) -> State | None:
        """The membranes, until the next step changes them; None at rest."""
        return None if self._at_rest else self._states

    def reset(self) -> None:
        """Bring every membrane to rest."""
        self._at_rest = True

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, new memory of the CPU."""
        kept = self._counts = self._prepare(counts) if self._counts is None else self._counts
        if counts.shape != kept.shape:
            raise OptionError(
                f"counts must keep the shape {tuple(kept.shape)} of the steps before, got {tuple(counts.shape)}"
            )
        if self._at_rest:
            self._rest()
        kept.copy_(counts)
        if self._graph is None:
            self._advance(kept)
        else:
            self._graph.replay()
        # A copy even on the CPU, where `cpu` gives the buffer itself.
        return tuple(scale.to("cpu", torch.float32, copy=True) for scale in self._logits)

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the mean logits of a sequence from rest, (T, B, C, H, W), by scale; the state stays as it is."""
        return tuple(scale.to("cpu", torch.float32) for scale in self._network(counts.to(self._device)).logits)

    def _prepare(self, counts: Tensor) -> Tensor:
        """Make the buffers, return the one of the counts, and on CUDA record the step."""
        placed = counts.to(self._device).contiguous(memory_format=torch.channels_last).clone()
        output = self._network.step(placed)
        self._states, self._logits = output.state, output.logits
        if self._device.type == "cuda":
            self._record(placed)
        return placed

    def _record(self, counts: Tensor) -> None:
        side = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call] # torch is untyped here
        side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(side):
            for _ in range(_WARM_UP_STEPS):
                self._advance(counts)
        torch.cuda.current_stream(self._device).wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._advance(counts)

    def _rest(self) -> None:
        for v in self._states:
            v.zero_()
        self._at_rest = False

    def _advance(self, counts: Tensor) -> None:
        """Compute a step from the buffers into the buffers."""
        output = self._network.step(counts, self._states)
        for kept, new in zip((*self._states, *self._logits), (*output.state, *output.logits), strict=True):
            kept.copy_(new)
