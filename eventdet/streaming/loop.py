"""One source through one detector, window by window.

Three stages in one thread: a lane takes the next window from the source, at its time; a step turns it into detections;
whoever iterates takes the result. At the speeds measured (docs/benchmarks.md) a step takes a fraction of a window, and
one thread keeps results in order. Each buffer has one owner and none grows: what waits to be read lies in the source's
bounded queue, the window in hand in the lane, the tensor in the step, and what waits to be written in the outputs.
"""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from weakref import ReferenceType, ref

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet import __version__
from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import Window
from eventdet.geometry import PixelMap, SensorSize, fit_pixels
from eventdet.models import StreamingDetector, boxes_from_logits, load_detector
from eventdet.models.runtimes import NAMED
from eventdet.sinks import StreamHeader, WindowResult
from eventdet.sources import EventSource
from eventdet.units import format_duration

from .asynchronous import AsyncResults
from .hardware import machine
from .lane import WALL_CLOCK, Clock, Lane, Taken
from .lease import in_use, leased
from .options import StreamOptions
from .summary import StreamSummary
from .trace import Span, TraceLog

__all__ = ["Streamer", "make_result", "new_lane"]

_POLARITIES = 2


class Streamer:
    """Iterates over the results of one source, with ``for`` or ``async for``.

    Closing the iteration early, or `close`, leaves nothing behind: a live source is let go, the detector is free.

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
    trace : TraceLog, optional
        Takes what each stage did when.
    clock : Clock
        Wall time; another one for tests.

    Raises
    ------
    OptionError
        When the sensor does not fit with ``fit="none"``, or the detector does not take OFF and ON counts.
    """

    def __init__(
        self,
        source: EventSource,
        detector: StreamingDetector,
        options: StreamOptions,
        *,
        model: str = "unnamed",
        trace: TraceLog | None = None,
        clock: Clock = WALL_CLOCK,
    ) -> None:
        self._model = model
        self._source = source
        self._detector = detector
        self._options = options
        self._trace = trace
        self._clock = clock
        self._lane = new_lane(source, detector, options, clock=clock)
        # Not held: a loop that is left lets go of it, and so of the detector.
        self._iteration: ReferenceType[Generator[WindowResult, None, None]] | None = None

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
        trace: TraceLog | None = None,
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
        dtype : {"auto", "float32", "bfloat16"}
            Arithmetic of the convolutions; ``auto`` depends on the CPU, the others give the same numbers everywhere
            but for rounding.
        runtime : {"torch", "openvino", "onnxruntime", "auto"}
            What computes the steps; ``auto`` is the fastest in a trial on this machine.
        threads : int, optional
            Threads of torch; all cores when left out.
        trace : TraceLog, optional
            Takes what each stage did when.
        """
        if threads is not None:
            torch.set_num_threads(_check_threads(threads))
        detector = StreamingDetector(load_detector(model), dtype=dtype, runtime=runtime)
        return cls(source, detector, options, model=model, trace=trace)

    @property
    def start_us(self) -> int | None:
        """Start of the first window, microseconds on the clock of the source; None: the first event will tell."""
        grid = self._lane.grid
        begin = self._source.t_first_us if grid.start_us is None else grid.start_us
        return begin if begin is None or grid.stride_us is None else begin // grid.stride_us * grid.stride_us

    @property
    def duration_s(self) -> float | None:
        """Seconds of events to stream; None for a live source, whose end nobody knows."""
        start = self.start_us
        stop = self._source.t_last_us if self._options.stop_us is None else self._options.stop_us
        return None if start is None or stop is None else max(0, stop - start) / 1e6

    @property
    def recorded_s(self) -> float:
        """Seconds of events that the latest iteration has covered so far."""
        return self._lane.tally.recorded_s

    @property
    def header(self) -> StreamHeader:
        """What every output should say about this run."""
        config, grid = self._detector.config, self._lane.grid
        return StreamHeader(
            source=self._source.name,
            format=self._source.format,
            sensor_size=self._source.sensor_size,
            class_names=config.class_names,
            window_us=grid.length_us or config.window_us,
            stride_us=grid.stride_us or config.window_us,
            model=self._model,
            weights_hash=self._detector.weights_hash,
            state="keep" if self._options.state == "keep" else f"reset every {self._lane.reset_steps}",
            synthetic=self._source.synthetic,
            eventdet_version=__version__,
            hardware=f"{machine()}, {torch.get_num_threads()} threads, {self._detector.arithmetic}",
            window_events=grid.num_events,
            stride_events=grid.stride_events,
            rules=self._options.rules,
        )

    def __iter__(self) -> Iterator[WindowResult]:
        """Yield one result a window, empty windows too, in order, until `stop`.

        Raises
        ------
        OptionError
            When another iteration uses the detector.
        """
        if not self._end():
            raise in_use()
        results = self._results()
        self._iteration = ref(results)
        return results

    def __aiter__(self) -> AsyncResults[WindowResult]:
        """Yield the same without holding up the event loop: windows are run in a thread."""
        return AsyncResults(iter(self), self.stop)

    def close(self) -> None:
        """End the iteration that is under way, as if its loop had been left; results that are out stay valid.

        Any thread may call it. While another one, or a signal's handler, has a window in hand, it is `stop`: the
        iteration ends, and lets go of source and detector, after that window.
        """
        if not self._end():
            self.stop()

    def stop(self) -> None:
        """End the iteration before its next window, and any later one; soon also while a window is waited for.

        A signal's handler or another thread may call it.
        """
        self._lane.stop()

    def seek(self, t_us: int) -> None:
        """Go on with the window that holds `t_us`, with the state at rest; any thread may call it.

        Raises
        ------
        OptionError
            When the source is live.
        """
        self._lane.seek(t_us)

    def hurry_until(self, t_us: int) -> None:
        """Let the next iteration run through what ends by `t_us` without waiting, whatever the pace."""
        self._lane.hurry_until_us = t_us

    def summary(self) -> StreamSummary:
        """Return what the latest iteration did up to now; any thread may ask, at any time."""
        return self._lane.tally.summary(self._source.report, self._notes())

    def _end(self) -> bool:
        """Close the iteration unless it has a window in hand; return whether there is none any more."""
        results = None if self._iteration is None else self._iteration()
        if results is None:
            return True
        try:
            results.close()
        except ValueError as error:
            # Python's word for a generator that runs. To ask before would be too early: it may begin to meanwhile.
            if "already executing" not in str(error):
                raise
            return False
        return True

    def _results(self) -> Generator[WindowResult, None, None]:
        lane = self._lane
        buffer = np.zeros((1, _POLARITIES, *self._detector.config.input_size), np.uint8)
        with leased(self._detector), closing(lane):
            self._warm_up(buffer)
            lane.begin()
            while (taken := lane.take()) is not None:
                result = self._detect(taken, buffer)
                handed = self._clock.now_ns()
                yield result
                self._note(taken, result.seq, handed)

    def _detect(self, taken: Taken, buffer: NDArray[np.uint8]) -> WindowResult:
        if taken.reset_reason:
            self._detector.reset()
        self._lane.fill(taken, buffer)
        begin = self._clock.now_ns()
        logits = self._detector.step(torch.from_numpy(buffer))
        inferred = self._clock.now_ns()
        taken.spans.append(Span("inference", begin, inferred - begin))
        return make_result(self._lane, taken, logits, self._detector, clock=self._clock)

    def _note(self, taken: Taken, seq: int, handed_ns: int) -> None:
        now = self._clock.now_ns()
        self._lane.tally.add_sink(now - handed_ns, now - taken.available_ns)
        if self._trace is not None:
            self._trace.add(seq, (*taken.spans, Span("sink", handed_ns, now - handed_ns)))

    def _warm_up(self, buffer: NDArray[np.uint8]) -> None:
        """Run an empty window through, so that no latency holds what is compiled and allocated on first use."""
        taken = Taken(Window(0, 0, 50_000, Events.empty()), 0, "", [], None)
        self._detector.reset()
        self._lane.fill(taken, buffer)
        logits = self._detector.step(torch.from_numpy(buffer))
        # The first window begins with a reset.
        _detections(self._lane.pixels, self._source.sensor_size, logits, self._detector, self._options)

    def _notes(self) -> tuple[str, ...]:
        trained_us = self._detector.config.window_us
        lane, grid = self._lane, self._lane.grid
        notes = []
        if self._detector.choice.reason != NAMED:
            notes.append(f"runtime {self._detector.choice.runtime}, {self._detector.choice.reason}")
        if lane.tally.begin_ns and lane.tally.start_us is None and not lane.is_stopping:
            notes.append("there was no window in that span")
        if grid.num_events is not None or grid.length_us != trained_us:
            length = [] if grid.length_us is None else [format_duration(grid.length_us)]
            count = [] if grid.num_events is None else [f"{grid.num_events} events"]
            notes.append(
                f"windows are {' or '.join(length + count)}, the weights were trained on "
                f"{format_duration(trained_us)}: expect worse detections"
            )
        if lane.pixels.scale != 1.0:
            notes.append(
                f"the {self._source.sensor_size} sensor is scaled by {lane.pixels.scale:.4g} to the network's input"
            )
        return tuple(notes)


def new_lane(
    source: EventSource, detector: StreamingDetector, options: StreamOptions, *, clock: Clock = WALL_CLOCK
) -> Lane:
    """Return the lane of a source to a detector.

    Raises
    ------
    OptionError
        When the two do not fit.
    """
    config = detector.config
    if config.channels != _POLARITIES:
        raise OptionError(f"streaming needs a detector with {_POLARITIES} input channels, got {config.channels}")
    pixels = fit_pixels(source.sensor_size, config.input_size, fit=options.fit)
    return Lane(source, options, (config.window_us, config.readout_steps), pixels, clock)


def make_result(
    lane: Lane, taken: Taken, logits: tuple[torch.Tensor, ...], detector: StreamingDetector, *, clock: Clock
) -> WindowResult:
    """Return the result of a window from the logits of its step, shape (1, ...), and count it."""
    begin = clock.now_ns()
    window, size = taken.window, lane.source.sensor_size
    boxes = _detections(lane.pixels, size, logits, detector, lane.options, t_us=window.t1_us)
    done = clock.now_ns()
    taken.spans.append(Span("decode", begin, done - begin))
    boxes, tracks = lane.follow(taken, boxes)
    done = clock.now_ns()
    stages = {span.name: span.duration_ns for span in taken.spans}
    if taken.late_ns is not None:
        stages["late"] = max(0, taken.late_ns)
    # From the moment the last event of the window could be had: lateness of a paced replay shows here.
    stages["total"] = done - taken.available_ns
    result = WindowResult(
        seq=window.seq,
        t0_us=window.t0_us,
        t_us=window.t1_us,
        num_events=len(window.events),
        boxes=boxes,
        latency_ms={stage: round(value / 1e6, 3) for stage, value in stages.items()},
        dropped=lane.tally.windows_skipped,
        dropped_events=lane.tally.events_dropped,
        reset_reason=taken.reset_reason,
        events=window.events,
        tracks=tracks,
    )
    lane.tally.add(result, events_cut=lane.pixels.count_cut(window.events.x, window.events.y), now_ns=done)
    return result


def _detections(
    pixels: PixelMap,
    sensor_size: SensorSize,
    logits: tuple[torch.Tensor, ...],
    detector: StreamingDetector,
    options: StreamOptions,
    *,
    t_us: int = 0,
) -> Boxes:
    """Return the boxes, in sensor pixels, that the logits of one picture say."""
    boxes = boxes_from_logits(
        [scale.numpy() for scale in logits],
        detector.config,
        conf=options.least_score,
        iou=options.iou,
        max_det=options.max_detections,
        t_us=t_us,
    )[0]
    return replace(boxes, xyxy=pixels.to_sensor(boxes.xyxy)).clipped(sensor_size)


def _check_threads(threads: int) -> int:
    # torch takes any number, and dies when the system will not start that many.
    most = 4 * (os.cpu_count() or 1)
    if not 1 <= threads <= most:
        raise OptionError(f"threads must be in 1..{most}, got {threads}")
    return threads
