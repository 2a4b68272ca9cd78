"""Several sources through one detector: the newest window of each in one step, with separate states.

The windows of all sources go in step, number by number: a source is held back until the others have theirs. That suits
recordings, of one rig above all. Cameras that stall and vanish on their own are better run a process each
(``eventdet stream --sources``).
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

import numpy as np
import torch

from eventdet.errors import OptionError
from eventdet.models import StreamingDetector
from eventdet.sinks import WindowResult
from eventdet.sources import EventSource

from .lane import WALL_CLOCK, Lane, Taken
from .lease import leased
from .loop import make_result, new_lane
from .options import StreamOptions
from .summary import StreamSummary
from .trace import Span

__all__ = ["StreamGroup"]


class StreamGroup:
    """Iterates over the results of several sources, as pairs of the number of the source and a result.

    What a source gives is what it gives alone, bit for bit where the convolutions treat the pictures of a batch alike,
    as those of oneDNN here do.

    Parameters
    ----------
    sources : sequence of EventSource
        At least one.
    detector : StreamingDetector
        Its state is reset when the iteration starts; it is used by nobody else meanwhile.
    options : StreamOptions
        For all of them.

    Raises
    ------
    OptionError
        When there is no source, or one does not fit the detector.
    """

    def __init__(self, sources: Sequence[EventSource], detector: StreamingDetector, options: StreamOptions) -> None:
        if not sources:
            raise OptionError("sources must be one or more, got none")
        self._detector = detector
        self._lanes = [new_lane(source, detector, options) for source in sources]

    def __iter__(self) -> Iterator[tuple[int, WindowResult]]:
        """Yield the results of a step by number of source, then those of the next; a source that ends drops out."""
        lanes = self._lanes
        buffer = np.zeros((len(lanes), 2, *self._detector.config.input_size), np.uint8)
        with leased(self._detector), ExitStack() as stack:
            self._detector.reset()
            # Once for nothing, so that no latency holds what is allocated on first use; rows can then be reset.
            self._detector.step(torch.from_numpy(buffer))
            for lane in lanes:
                stack.enter_context(closing(lane))
                lane.begin()
            while any(taken := [lane.take() for lane in lanes]):
                yield from self._step(taken, buffer)

    def stop(self) -> None:
        """End the iteration before its next windows; any thread may call it."""
        for lane in self._lanes:
            lane.stop()

    def summaries(self) -> list[StreamSummary]:
        """Return what each source did up to now; ``inference`` is the time of the step of all."""
        return [lane.tally.summary(lane.source.report, ()) for lane in self._lanes]

    def _step(self, taken: list[Taken | None], buffer: np.ndarray) -> Iterator[tuple[int, WindowResult]]:
        fresh = [row for row, one in enumerate(taken) if one is not None and one.reset_reason]
        if fresh:
            self._detector.reset(fresh)
        for row, one in enumerate(taken):
            if one is None:
                # Its membranes go on through silence that nobody hears.
                buffer[row] = 0
            else:
                self._lanes[row].fill(one, buffer[row : row + 1])
        begin = WALL_CLOCK.now_ns()
        logits = self._detector.step(torch.from_numpy(buffer))
        span = Span("inference", begin, WALL_CLOCK.now_ns() - begin)
        for row, one in enumerate(taken):
            if one is not None:
                one.spans.append(span)
                yield row, self._result(self._lanes[row], one, tuple(scale[row : row + 1] for scale in logits))

    def _result(self, lane: Lane, taken: Taken, logits: tuple[torch.Tensor, ...]) -> WindowResult:
        return make_result(lane, taken, logits, self._detector, clock=WALL_CLOCK)
