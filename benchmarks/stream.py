"""A recording from its file to JSON lines, by stage, against the steps of the network alone."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from eventdet.formats import open_recording, write_dat
from eventdet.geometry import GEN1, fit_pixels
from eventdet.models import StreamingDetector, load_detector
from eventdet.preprocessing import event_histogram
from eventdet.sinks import Outputs
from eventdet.streaming import Streamer, StreamOptions, StreamSummary

from ._traffic import traffic
from .rows import BenchmarkRow
from .wire import receive_windows, synthetic_stream

__all__ = ["benchmark_stream"]

_MODEL = "ems-res10-plain"
_RATE_EV_S = 250_000
"""About the mean rate of Gen1 recordings, 0.2 Mev/s."""

_WINDOW_US = 50_000
_THREADS = 2
_FLOOR_STEPS = 100
_REALTIME_S = 10.0


def benchmark_stream(
    *, repeats: int = 1, seconds: float = 60.0, realtime_s: float = _REALTIME_S, ingest_events: int = 40_000_000
) -> list[BenchmarkRow]:
    """Return the speed of a stream and where its time goes.

    Parameters
    ----------
    repeats : int
        Not used: a run has a thousand windows of its own.
    seconds : float
        Length of the synthetic recording.
    realtime_s : float
        How much of it runs at its own speed, for latencies.
    ingest_events : int
        Events that go over TCP, without a network behind them.

    Returns
    -------
    list of BenchmarkRow
        The whole run, each stage as mean wall time a window, the floor, latencies at pace realtime, and ingest.
    """
    detector = StreamingDetector(load_detector(_MODEL))
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as folder, _threads(_THREADS):
        path = Path(folder) / "a_td.dat"
        write_dat(path, traffic(round(seconds * _RATE_EV_S), round(1e6 * seconds)), GEN1)
        floor_ms = _floor_ms(detector, path)
        full = _stream(detector, path, StreamOptions())
        # As the command does: one thread where windows wait for time.
        with _threads(1):
            paced = _stream(detector, path, StreamOptions(pace=1.0, stop_us=round(1e6 * realtime_s)))
        served = Path(folder) / "b.dat"
        write_dat(served, synthetic_stream(ingest_events), GEN1)
        ingest = ingest_events / receive_windows(served, ingest_events) / 1e6
    return [
        *_stage_rows(full, floor_ms),
        BenchmarkRow("realtime: end to end, median", paced.latency_ms["end_to_end"].p50, "ms", None, "one thread"),
        BenchmarkRow("realtime: end to end, p99", paced.latency_ms["end_to_end"].p99, "ms", None, "target 25"),
        BenchmarkRow("realtime: lateness, mean", paced.latency_ms["late"].mean, "ms", None, "target 2"),
        BenchmarkRow("ingest over TCP", ingest, "Mev/s", None, "serve to windows, nothing lost; target 40"),
    ]


def _stage_rows(run: StreamSummary, floor_ms: float) -> list[BenchmarkRow]:
    total_ms = run.latency_ms["end_to_end"].mean
    network_ms = run.latency_ms["inference"].mean
    stages = [(name, run.latency_ms[name].mean) for name in ("read", "window", "tensor", "inference", "decode", "sink")]
    note = f"{run.num_windows} windows, {run.num_events / 1e6:.1f} M synthetic events; target 4"
    return [
        BenchmarkRow("file to JSON lines, pace max", run.speed, "x realtime", None, note),
        *(
            BenchmarkRow(f"  {name}", mean_ms, "ms/window", None, f"{100 * mean_ms / total_ms:.1f} %")
            for name, mean_ms in stages
        ),
        BenchmarkRow("  all", total_ms, "ms/window", total_ms / floor_ms, "end to end; the ratio is to the floor"),
        BenchmarkRow("  outside the network", 100 * (1 - network_ms / total_ms), "%", None, "target 15"),
        BenchmarkRow("floor", floor_ms, "ms/window", None, f"the steps alone, {_THREADS} threads, the same tensors"),
    ]


def _stream(detector: StreamingDetector, path: Path, options: StreamOptions) -> StreamSummary:
    streamer = Streamer(open_recording(path), detector, options, model=_MODEL)
    with Outputs([str(path.with_suffix(".jsonl"))], header=streamer.header) as outputs:
        for result in streamer:
            outputs.write(result)
        outputs.conclude(streamer.summary().totals)
    return streamer.summary()


def _floor_ms(detector: StreamingDetector, path: Path) -> float:
    """Return the mean wall time of a step with nothing around it, on the first windows of the recording."""
    pixels = fit_pixels(GEN1, detector.config.input_size)
    tensors = []
    for window, _ in zip(open_recording(path).windows(_WINDOW_US), range(_FLOOR_STEPS), strict=False):
        counts = np.zeros((1, 2, *detector.config.input_size), np.uint8)
        event_histogram(window.events, (window.t0_us, window.t1_us), bins=1, pixel_map=pixels, out=counts)
        tensors.append(torch.from_numpy(counts))
    detector.reset()
    detector.step(tensors[0])
    begin = time.perf_counter()
    for counts_tensor in tensors:
        detector.step(counts_tensor)
    return 1e3 * (time.perf_counter() - begin) / len(tensors)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
