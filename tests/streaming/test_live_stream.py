"""What a stream makes of a sender that is over, pauses, is cut or goes back in time."""

from collections.abc import Iterator
from itertools import chain

import pytest

from eventdet.formats import OnRead, Window, WindowGrid
from eventdet.models import StreamingDetector
from eventdet.sources import LiveSource, open_source
from eventdet.streaming import Streamer
from eventdet.wire import LinkReport
from tests.sources.network import HEADER, end, frame, random_events, tcp_sender

from .support import SMALL, MemorySource, VirtualTime, make_options, small_detector, some_events

STRIDE_NS = 50_000_000


class ScriptedSource(LiveSource):
    """Eight windows of 50 ms that come when a script says, in virtual time."""

    format = "memory"
    synthetic = True
    sensor_size = SMALL

    def __init__(self, virtual: VirtualTime, script: list[int | None], *, overslept_ns: int = 0) -> None:
        # None of the link: a window for each stamp, from the start, at which it comes; None where nothing comes.
        memory = MemorySource(some_events(SMALL), SMALL)
        self.name, self.report, self.link_report = "script", memory.report, LinkReport()
        self.waited_ns = self.completed_ns = 0
        self.handed: list[int] = []
        self._memory, self._virtual, self._script, self._overslept_ns = memory, virtual, script, overslept_ns

    def poll(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window | None]:  # type: ignore[override] # no generator
        self._virtual.now += self._overslept_ns
        windows = self._memory.cut(grid, on_read=on_read)
        for arrived_ns in self._script:
            if arrived_ns is None:
                self._virtual.now += 100_000_000
                yield None
            else:
                self._virtual.now = max(self._virtual.now, arrived_ns)
                self.completed_ns = arrived_ns
                window = next(windows)
                self.handed.append(len(window.events))
                yield window

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def detector() -> StreamingDetector:
    return small_detector()


def _arrivals(*numbers: int) -> list[int | None]:
    return [(number + 1) * STRIDE_NS for number in numbers]


def _run(
    detector: StreamingDetector, script: list[int | None], **changes: object
) -> tuple[list[tuple[int, float, str]], tuple[int, int]]:
    """Return number, lateness and reason of each result, and the windows skipped and events dropped."""
    virtual = VirtualTime()
    source = ScriptedSource(virtual, script, overslept_ns=10_000_000_000)
    streamer = Streamer(source, detector, make_options(late="latest", **changes), clock=virtual.clock)
    results = [(result.seq, result.latency_ms["late"], result.reset_reason) for result in streamer]
    summary = streamer.summary()
    assert summary.num_windows + summary.windows_skipped == len(source.handed)
    assert summary.num_events + summary.events_dropped == sum(source.handed)
    return results, (summary.num_windows, summary.windows_skipped)


@pytest.mark.parametrize("changes", [{}, {"max_latency_us": 20_000}, {"max_latency_us": 1_000_000}], ids=str)
def test_of_a_stream_that_was_over_before_the_detector_was_ready_the_newest_window_is_run(
    detector: StreamingDetector, changes: dict[str, object]
) -> None:
    results, counts = _run(detector, _arrivals(*range(8)), **changes)
    assert results == [(7, 9600.0, "start")]
    assert counts == (1, 7)


def test_when_the_sender_pauses_the_newest_window_is_run_before_it_goes_on(detector: StreamingDetector) -> None:
    # Three windows wait since 9.85 s or longer; then nothing, until two come at 12 s, and one in time.
    script: list[int | None] = [*_arrivals(0, 1, 2), None, None, 12_000_000_000, 12_000_000_000, 12_050_000_000]
    results, counts = _run(detector, script)
    assert results == [(2, 9950.0, "start"), (3, 0.0, ""), (4, 0.0, ""), (5, 0.0, "")]
    assert counts == (4, 2)


def test_a_window_over_the_limit_waits_for_its_successor_until_that_is_due(detector: StreamingDetector) -> None:
    # Late by 60 ms of the 20 that are allowed, at a period of 200: the silence says nothing before the period is over.
    now_ns = 10_000_000_000
    script: list[int | None] = [now_ns - 60_000_000, None, now_ns + 140_000_000]
    options = {"window_us": 200_000, "max_latency_us": 20_000}
    assert _run(detector, script, **options) == ([(1, 0.0, "start")], (1, 1))
    assert _run(detector, [now_ns - 60_000_000, None, None], **options) == ([(0, 260.0, "start")], (1, 0))


def test_a_stop_while_a_late_window_is_held_counts_it_as_skipped(detector: StreamingDetector) -> None:
    virtual = VirtualTime()
    source = ScriptedSource(virtual, _arrivals(0, 1, 2), overslept_ns=10_000_000_000)
    streamer = Streamer(source, detector, make_options(late="latest"), clock=virtual.clock)
    windows = source._memory.cut(WindowGrid(50_000, 50_000, None, None))

    def poll(_grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window | None]:
        virtual.now = 10_000_000_000
        yield next(windows)
        streamer.stop()
        yield None

    source.poll = poll  # type: ignore[method-assign, assignment] # the script does not know the streamer
    assert list(streamer) == []
    assert streamer.summary().windows_skipped == 1


def test_over_a_real_link_the_last_window_of_a_stream_that_is_over_is_run(detector: StreamingDetector) -> None:
    events = random_events(duration_us=400_000)
    # Far ahead of what the receiver notes: as if the detector had been loaded meanwhile.
    virtual = VirtualTime(2**62)
    with tcp_sender(HEADER + frame(0, events) + end(1, 400_000)) as address:
        source = open_source(address)
        streamer = Streamer(source, detector, make_options(late="latest"), clock=virtual.clock)
        results = list(streamer)
    summary = streamer.summary()
    assert [result.seq for result in results] == [7]
    assert (summary.windows_skipped, summary.num_events + summary.events_dropped) == (7, len(events))


def test_a_link_that_is_made_again_clears_the_state_and_the_result_says_gap(detector: StreamingDetector) -> None:
    first, second = random_events(duration_us=100_000), random_events(start_us=100_000, duration_us=200_000)
    with tcp_sender(HEADER + frame(0, first), HEADER + frame(1, second) + end(2, 300_000)) as address:
        streamer = Streamer(open_source(address), detector, make_options())
        found = [(result.t0_us, result.reset_reason) for result in streamer]
    # The window that was open when the link broke is completed by what came over the new one.
    assert found == [(0, "start"), (50_000, "gap"), *((t_us, "") for t_us in range(100_000, 300_000, 50_000))]
    assert streamer.summary().resets == {"start": 1, "gap": 1}


def test_time_that_goes_back_clears_the_state_and_the_result_says_so(detector: StreamingDetector) -> None:
    class Repeating(MemorySource):
        def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
            again = (window._replace(seq=window.seq + 8) for window in super().cut(grid))
            return chain(super().cut(grid, on_read=on_read), again)

    streamer = Streamer(Repeating(some_events(SMALL), SMALL), detector, make_options())
    results = list(streamer)
    reasons = {result.seq: result.reset_reason for result in results if result.reset_reason}
    assert reasons == {0: "start", 8: "backward"}
    # At rest again: the second time is the first, bit for bit.
    for one, other in zip(results[:8], results[8:], strict=True):
        assert one.boxes.score.tobytes() == other.boxes.score.tobytes()
    assert streamer.summary().resets == {"start": 1, "backward": 1}
