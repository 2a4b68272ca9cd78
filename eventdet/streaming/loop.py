"""One source through one detector, window by window.

A window is read, binned into a tensor, run for one step, decoded, and handed out, in one thread: at the speeds
measured (docs/benchmarks.md) a step takes a fraction of a window, and one thread keeps results in order and memory at
one window. The generator holds no more than the window in hand.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet import __version__
from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option
from eventdet.events import Events
from eventdet.formats import Window
from eventdet.geometry import fit_pixels
from eventdet.models import StreamingDetector, boxes_from_logits, load_detector
from eventdet.models.runtimes import NAMED
from eventdet.pace import Pacer
from eventdet.preprocessing import event_histogram
from eventdet.sinks import StreamHeader, WindowResult
from eventdet.sources import EventSource, LiveSource
from eventdet.units import format_duration

from .hardware import machine
from .summary import RunTally, StreamSummary

__all__ = ["STATES", "StreamOptions", "Streamer"]

_POLARITIES = 2

STATES = ("keep", "reset")
"""``keep`` carries the membranes from window to window; ``reset`` puts them to rest every few windows."""


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How to stream."""

    window_us: int | None = None
    """Length of a window, microseconds; None: what the model was trained on."""

    stride_us: int | None = None
    """From one window's start to the next, microseconds; None: the window."""

    pace: float = float("inf")
    """Recorded seconds per wall second; infinite: as fast as possible."""

    state: str = "keep"
    """One of `STATES`."""

    reset_steps: int | None = None
    """Windows between resets with state ``reset``; None: what the model was trained on."""

    conf: float = 0.25
    """Lowest score of a detection."""

    iou: float = 0.45
    """Overlap at which the lower score of the same class is dropped."""

    max_detections: int = 100
    """Most detections of a window."""

    fit: str = "scale"
    """How a sensor larger than the network's input is brought into it."""

    start_us: int | None = None
    """First window starts at the stride that holds this stamp; None: the first event."""

    stop_us: int | None = None
    """No window starts at or after this stamp; None: the last event."""

    def __post_init__(self) -> None:
        """Check what does not depend on the recording.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("state", self.state, STATES)
        for name in ("window_us", "stride_us", "reset_steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise OptionError(f"{name} must be > 0, got {value}")
        if not self.pace > 0:
            raise OptionError(f"pace must be > 0, got {self.pace}")


class Streamer:
    """Iterates over the results of one recording; closing the iteration early leaves nothing behind.

    Parameters
    ----------
    source : EventSource
        Where events come from, e.g. what ``eventdet.open`` returns.
    detector : StreamingDetector
        Its state is reset when the iteration starts.
    options : StreamOptions
        How to stream.
    model : str
        Name of the detector, for headers.

    Raises
    ------
    OptionError
        When the sensor does not fit with ``fit="none"``, or the detector does not take OFF and ON counts.
    """

    def __init__(
        self, source: EventSource, detector: StreamingDetector, options: StreamOptions, *, model: str = "unnamed"
    ) -> None:
        config = detector.config
        if config.channels != _POLARITIES:
            raise OptionError(f"streaming needs a detector with {_POLARITIES} input channels, got {config.channels}")
        self._model = model
        self._source = source
        self._detector = detector
        self._options = options
        self._pixels = fit_pixels(source.sensor_size, config.input_size, fit=options.fit)
        self._window_us = options.window_us or config.window_us
        self._stride_us = options.stride_us or self._window_us
        self._reset_steps = options.reset_steps or config.readout_steps
        self._tally = RunTally(begin_ns=0)
        self._is_stopping = False

    @classmethod
    def from_model(
        cls,
        model: str,
        source: EventSource,
        options: StreamOptions,
        *,
        dtype: str = "auto",
        runtime: str = "torch",
        threads: int | None = None,
    ) -> "Streamer":
        """Return a streamer with a bundled or saved detector, made ready for this machine.

        Parameters
        ----------
        model : str
            Name of bundled weights, or path of a ``.safetensors`` file.
        source : EventSource
            Where events come from.
        options : StreamOptions
            How to stream.
        dtype : {"auto", "float32", "bfloat16", "int8"}
            Arithmetic of the convolutions; ``auto`` depends on the CPU, the others give the same numbers everywhere
            but for rounding.
        runtime : {"torch", "openvino", "onnxruntime", "auto"}
            What computes the steps; ``auto`` is the fastest in a trial on this machine.
        threads : int, optional
            Threads of torch; all cores when left out.
        """
        if threads is not None:
            torch.set_num_threads(_check_threads(threads))
        detector = StreamingDetector(load_detector(model), dtype=dtype, runtime=runtime)
        return cls(source, detector, options, model=model)

    @property
    def start_us(self) -> int | None:
        """Start of the first window, microseconds on the clock of the source; None: the first event will tell."""
        begin = self._source.t_first_us if self._options.start_us is None else self._options.start_us
        return None if begin is None else begin // self._stride_us * self._stride_us

    @property
    def duration_s(self) -> float | None:
        """Seconds of events to stream; None for a live source, whose end nobody knows."""
        start = self.start_us
        stop = self._source.t_last_us if self._options.stop_us is None else self._options.stop_us
        return None if start is None or stop is None else max(0, stop - start) / 1e6

    @property
    def recorded_s(self) -> float:
        """Seconds of events that the latest iteration has covered so far."""
        return self._tally.recorded_s

    @property
    def header(self) -> StreamHeader:
        """What every output should say about this run."""
        config = self._detector.config
        return StreamHeader(
            source=self._source.name,
            format=self._source.format,
            sensor_size=self._source.sensor_size,
            class_names=config.class_names,
            window_us=self._window_us,
            stride_us=self._stride_us,
            model=self._model,
            weights_hash=self._detector.weights_hash,
            state="keep" if self._options.state == "keep" else f"reset every {self._reset_steps}",
            synthetic=self._source.synthetic,
            eventdet_version=__version__,
            hardware=f"{machine()}, {torch.get_num_threads()} threads, {self._detector.arithmetic}",
        )

    def __iter__(self) -> Iterator[WindowResult]:
        """Yield one result a window, empty windows too, in order, until `stop`."""
        buffer = np.zeros((1, _POLARITIES, *self._detector.config.input_size), np.uint8)
        self._warm_up(buffer)
        pacer = Pacer(self._options.pace, should_stop=self._should_stop)
        tally = self._tally = RunTally(begin_ns=time.perf_counter_ns())
        windows = self._source.windows(
            self._window_us, self._stride_us, start_us=self.start_us, stop_us=self._options.stop_us
        )
        while not self._should_stop():
            asked = time.perf_counter_ns()
            window = next(windows, None)
            if window is None:
                return
            read = time.perf_counter_ns()
            available = pacer.wait_until(window.t1_us, start_us=window.t0_us)
            if self._should_stop():
                return
            if np.isinf(self._options.pace):
                # To read is then part of being late, but for a live source, which is mostly waited for.
                available = self._source.completed_ns if isinstance(self._source, LiveSource) else asked
            result = self._detect(window, buffer, read_ns=read - asked, available_ns=available)
            cut = self._pixels.count_cut(window.events.x, window.events.y)
            tally.add(result, events_cut=cut, now_ns=time.perf_counter_ns())
            yield result

    def stop(self) -> None:
        """End the iteration before its next window, and any later one; soon also while a window is waited for.

        A signal's handler or another thread may call it.
        """
        self._is_stopping = True
        if isinstance(self._source, LiveSource):
            self._source.stop()

    def _should_stop(self) -> bool:
        return self._is_stopping

    def _warm_up(self, buffer: NDArray[np.uint8]) -> None:
        """Run an empty window through, so that no latency holds what is compiled and allocated on first use."""
        self._detect(Window(0, 0, self._window_us, Events.empty()), buffer, read_ns=0, available_ns=0)
        self._detector.reset()

    def _detect(self, window: Window, buffer: NDArray[np.uint8], *, read_ns: int, available_ns: int) -> WindowResult:
        reset = self._options.state == "reset" and window.seq % self._reset_steps == 0
        if reset:
            self._detector.reset()
        started = time.perf_counter_ns()
        event_histogram(window.events, (window.t0_us, window.t1_us), bins=1, pixel_map=self._pixels, out=buffer)
        binned = time.perf_counter_ns()
        logits = self._detector.step(torch.from_numpy(buffer))
        inferred = time.perf_counter_ns()
        boxes = self._decode(logits, t_us=window.t1_us)
        done = time.perf_counter_ns()
        stages = {
            "read": read_ns,
            "tensor": binned - started,
            "inference": inferred - binned,
            "decode": done - inferred,
            # From the moment the last event of the window could be had: lateness of a paced replay shows here.
            "total": done - available_ns,
        }
        return WindowResult(
            seq=window.seq,
            t0_us=window.t0_us,
            t_us=window.t1_us,
            num_events=len(window.events),
            boxes=boxes,
            latency_ms={stage: round(value / 1e6, 3) for stage, value in stages.items()},
            reset_reason="schedule" if reset else "start" if window.seq == 0 else "",
            events=window.events,
        )

    def _decode(self, logits: tuple[torch.Tensor, ...], *, t_us: int) -> Boxes:
        options = self._options
        boxes = boxes_from_logits(
            [scale.numpy() for scale in logits],
            self._detector.config,
            conf=options.conf,
            iou=options.iou,
            max_det=options.max_detections,
            t_us=t_us,
        )[0]
        return replace(boxes, xyxy=self._pixels.to_sensor(boxes.xyxy)).clipped(self._source.sensor_size)

    def summary(self) -> StreamSummary:
        """Return what the latest iteration did, up to the last result it handed out."""
        return self._tally.summary(self._source.report, self._notes())

    def _notes(self) -> tuple[str, ...]:
        trained_us = self._detector.config.window_us
        notes = []
        if self._detector.choice.reason != NAMED:
            notes.append(f"runtime {self._detector.choice.runtime}, {self._detector.choice.reason}")
        if self._tally.begin_ns and not self._tally.num_windows and not self._is_stopping:
            notes.append("there was no window in that span")
        if self._window_us != trained_us:
            notes.append(
                f"windows are {format_duration(self._window_us)}, the weights were trained on "
                f"{format_duration(trained_us)}: expect worse detections"
            )
        if self._pixels.scale != 1.0:
            notes.append(
                f"the {self._source.sensor_size} sensor is scaled by {self._pixels.scale:.4g} to the network's input"
            )
        return tuple(notes)


def _check_threads(threads: int) -> int:
    # torch takes any number, and dies when the system will not start that many.
    most = 4 * (os.cpu_count() or 1)
    if not 1 <= threads <= most:
        raise OptionError(f"threads must be in 1..{most}, got {threads}")
    return threads
