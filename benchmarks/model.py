"""The detector, streaming, on whole clips and in training, against plain forms of the same network."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from eventdet.geometry import SensorSize
from eventdet.models import StreamingDetector, build_detector
from eventdet.models._layout import channels_last
from eventdet.models._packed_conv import can_convolve_int8
from eventdet.models.detector import Detector, State
from eventdet.models.lif import LIF, lif_reference
from eventdet.models.loss import DetectionLoss
from eventdet.models.loss_terms import Targets
from eventdet.models.runtimes import RUNTIMES, installed

from ._per_step import PerStepNetwork
from .rows import BenchmarkRow, interleaved_cpu_seconds

__all__ = ["Workload", "benchmark_model"]

_MEAN_COUNT = 0.3
"""Events a pixel and polarity of the windows that are timed; the time hardly depends on it."""

_STEPS = 5
"""Steps of a clip, as the paper has them on Gen1."""

_STREAM_ROUNDS = 4
"""How often that many windows are streamed in one timing: a stream runs on, and finds its weights in the caches."""

_LEARNING_RATE = 1e-3


class Workload(NamedTuple):
    """What is timed."""

    network: str = "ems-res10"
    """Name of the network."""

    size: SensorSize = SensorSize(256, 320)
    """Rows and columns of a step and of a clip."""

    training_size: SensorSize = SensorSize(128, 160)
    """Rows and columns in training."""

    training_batch: int = 4
    """Clips a training step."""


DEFAULT_WORKLOAD = Workload()


class _PlainLIF(LIF):
    """Neurons in torch operations, as one would write them down."""

    def run(self, x: Tensor, v0: Tensor | None) -> tuple[Tensor, Tensor]:
        return lif_reference(x, v0)


class _PlainStream:
    """The detector step by step in float32 and NCHW, nothing folded or fused."""

    def __init__(self, detector: Detector) -> None:
        self._detector = deepcopy(detector)
        self._state: State | None = None
        for module in list(self._detector.modules()):
            for name, child in module.named_children():
                if type(child) is LIF:
                    setattr(module, name, _PlainLIF())

    @torch.inference_mode()
    def step(self, counts: Tensor) -> None:
        self._state = self._detector.step(counts, self._state).state


def benchmark_model(*, repeats: int = 5, workload: Workload = DEFAULT_WORKLOAD) -> list[BenchmarkRow]:
    """Return the time of a streaming step, of a clip and of a training step, as CPU time of one thread.

    Parameters
    ----------
    repeats : int
        Timings of each form, in turns; the median counts.
    workload : Workload
        Network and sizes.

    Returns
    -------
    list of BenchmarkRow
        In each group ours first; the ratios of the others refer to it.
    """
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    # One thread each: threads that wait for the other by spinning would count as work.
    torch.set_num_threads(1)
    try:
        return [*_streaming(workload, repeats), *_clips(workload, repeats), *_training(workload, repeats)]
    finally:
        torch.set_num_threads(threads)


def _streaming(workload: Workload, repeats: int) -> list[BenchmarkRow]:
    detector = build_detector(workload.network).eval()
    windows = _counts(_STEPS, 1, workload.size)
    streams: dict[str, StreamingDetector | _PlainStream] = {
        f"{'step' if runtime == 'torch' else runtime}, {dtype}": StreamingDetector(
            detector, dtype=dtype, runtime=runtime
        )
        for runtime, dtype in _forms(detector)
    }
    streams["plain network, float32, NCHW"] = _PlainStream(detector)

    def steps(stream: StreamingDetector | _PlainStream) -> Callable[[], None]:
        def run() -> None:
            for _ in range(_STREAM_ROUNDS):
                for window in windows:
                    stream.step(window)

        return run

    timed = {name: steps(stream) for name, stream in streams.items()}
    return _rows(timed, repeats, each=_STREAM_ROUNDS * _STEPS, note="one step")


def _clips(workload: Workload, repeats: int) -> list[BenchmarkRow]:
    detector = build_detector(workload.network).eval()
    plain = PerStepNetwork(detector).eval()
    clip = _counts(_STEPS, 1, workload.size)

    @torch.inference_mode()
    def per_step() -> None:
        plain(detector.encode(clip))

    forms: dict[str, Callable[[], object]] = {}
    for dtype in [dtype for runtime, dtype in _forms(detector) if runtime == "torch"]:
        stream = StreamingDetector(detector, dtype=dtype)
        forms[f"clip, {dtype}"] = lambda stream=stream: stream.clip(clip)  # type: ignore[misc] # its default is a stream
    forms["each layer a loop over steps, float32"] = per_step
    return _rows(forms, repeats, note=f"T = {_STEPS}")


def _training(workload: Workload, repeats: int) -> list[BenchmarkRow]:
    detector = build_detector(workload.network)
    plain = PerStepNetwork(deepcopy(detector))
    ours = channels_last(detector)
    counts = _counts(_STEPS, workload.training_batch, workload.training_size)
    loss = DetectionLoss(detector.config)
    boxes = [[0, picture, picture % 2, 20, 30, 60, 55] for picture in range(workload.training_batch)]
    targets = Targets(np.array(boxes, np.float32), np.ones((1, workload.training_batch), np.bool_))
    optimizers: dict[torch.nn.Module, torch.optim.SGD] = {
        module: torch.optim.SGD(module.parameters(), lr=_LEARNING_RATE, momentum=0.9) for module in (plain, ours)
    }

    def learn(module: torch.nn.Module, logits: Callable[[], list[Tensor]]) -> None:
        optimizers[module].zero_grad(set_to_none=True)
        loss(logits(), targets).total.backward()  # type: ignore[no-untyped-call] # torch is untyped here
        optimizers[module].step()

    def autocast() -> list[Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            return list(ours(counts).logits)

    forms = {
        "training step, bfloat16 by autocast": lambda: learn(ours, autocast),
        "training, each layer a loop, float32": lambda: learn(plain, lambda: plain(detector.encode(counts))),
    }
    size = f"{workload.training_size.height}x{workload.training_size.width}"
    return _rows(forms, repeats, note=f"T = {_STEPS}, batch {workload.training_batch}, {size}")


def _forms(detector: Detector) -> list[tuple[str, str]]:
    """Return runtimes and dtypes that this machine has; the first is what a stream takes when nothing is asked for."""
    chosen = StreamingDetector(detector).dtype
    dtypes = dict.fromkeys([chosen, *(["int8"] if can_convolve_int8() else []), "float32"])
    others = [runtime for runtime in RUNTIMES if runtime not in ("torch", "auto") and installed(runtime)]
    return [
        *(("torch", dtype) for dtype in dtypes),
        *((runtime, "float32" if runtime == "onnxruntime" else chosen) for runtime in others),
    ]


def _counts(steps: int, batch: int, size: SensorSize) -> Tensor:
    mean = torch.full((steps, batch, 2, *size), _MEAN_COUNT)
    return torch.poisson(mean, generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def _rows(forms: Mapping[str, Callable[[], object]], repeats: int, *, each: int = 1, note: str) -> list[BenchmarkRow]:
    seconds = interleaved_cpu_seconds(list(forms.values()), repeats=repeats)
    return [
        BenchmarkRow(name, 1e3 * taken / each, "ms CPU", taken / seconds[0] if place else None, note)
        for place, (name, taken) in enumerate(zip(forms, seconds, strict=True))
    ]
