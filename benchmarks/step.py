"""One step of the detector: the streaming form against the network as it is trained."""

import torch

from eventdet.models import StreamingDetector, build_detector
from eventdet.models.detector import Detector, State
from eventdet.models.lif import LIF, Membranes, lif_reference, split_steps

from .rows import BenchmarkRow, cpu_seconds

__all__ = ["benchmark_step"]

_MEAN_COUNT = 0.3
"""Events a pixel and polarity of the window that is timed; the time hardly depends on it."""


_STEPS = 10
"""Steps in one timing."""


class _PlainLIF(LIF):
    """Neurons in torch operations, as one would write them down."""

    def forward(self, x: torch.Tensor, membranes: Membranes) -> torch.Tensor:
        spikes, v = lif_reference(split_steps(x, membranes.num_steps), membranes.take())
        membranes.put(v)
        return spikes.flatten(0, 1)


class _PlainStream:
    """The detector step by step in float32 and NCHW, nothing folded or fused."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._state: State | None = None
        for module in list(detector.modules()):
            for name, child in module.named_children():
                if type(child) is LIF:
                    setattr(module, name, _PlainLIF())

    @torch.inference_mode()
    def step(self, counts: torch.Tensor) -> None:
        self._state = self._detector.step(counts, self._state).state


def _step_seconds(stream: "StreamingDetector | _PlainStream", counts: torch.Tensor, *, repeats: int) -> float:
    """Return the CPU time of a step, taken over several: one alone is short enough for a neighbour to double it."""

    def steps() -> None:
        for _ in range(_STEPS):
            stream.step(counts)

    return cpu_seconds(steps, repeats=repeats) / _STEPS


def benchmark_step(*, repeats: int = 5) -> list[BenchmarkRow]:
    """Return the time of one step of EMS-Res10 on a 256x320 window, as CPU time of all threads together.

    Parameters
    ----------
    repeats : int
        Timings of each form; the median counts.

    Returns
    -------
    list of BenchmarkRow
        Streaming in the dtype chosen here, in float32, and the plain network; the ratio is plain to streaming.
    """
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    detector = build_detector("ems-res10").eval()
    mean = torch.full((1, detector.config.channels, *detector.config.input_size), _MEAN_COUNT)
    counts = torch.poisson(mean, generator=generator).to(torch.uint8)
    chosen, single = StreamingDetector(detector), StreamingDetector(detector, dtype="float32")
    plain = _PlainStream(detector)
    threads = torch.get_num_threads()
    # One thread each: threads that wait for the other by spinning would count as work.
    torch.set_num_threads(1)
    try:
        plain_s, chosen_s, single_s = (
            _step_seconds(stream, counts, repeats=repeats) for stream in (plain, chosen, single)
        )
    finally:
        torch.set_num_threads(threads)
    return [
        BenchmarkRow(f"streaming step, {chosen.dtype}", 1e3 * chosen_s, "ms CPU", None, "chosen here, one thread"),
        BenchmarkRow("streaming step, float32", 1e3 * single_s, "ms CPU", single_s / chosen_s, "one thread"),
        BenchmarkRow(
            "plain network, float32", 1e3 * plain_s, "ms CPU", plain_s / chosen_s, "NCHW, unfused, one thread"
        ),
    ]
