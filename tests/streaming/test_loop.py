import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import OnRead, Window, WindowGrid, open_recording, write_dat
from eventdet.geometry import GEN1, SensorSize
from eventdet.models import StreamingDetector, build_detector
from eventdet.preprocessing import ConvertOptions, Representation, convert, open_stored_recording
from eventdet.report import ReadReport
from eventdet.sinks import Outputs, plan_resume
from eventdet.streaming import Streamer
from eventdet.streaming.asynchronous import AsyncResults

from .support import SMALL, MemorySource, make_options, small_detector, some_events


class EndlessSource(MemorySource):
    """The same to someone who cannot know where it begins and ends, as of a live source."""

    t_first_us = None  # type: ignore[assignment] # an int in the parent
    t_last_us = None  # type: ignore[assignment] # an int in the parent

    def __init__(self, events: Events, sensor_size: SensorSize) -> None:
        self.events = events
        self.sensor_size = sensor_size
        self.report = ReadReport(num_events=len(events))


@pytest.fixture(scope="module")
def detector() -> StreamingDetector:
    return small_detector()


def _same(first: Boxes, second: Boxes) -> bool:
    return np.array_equal(first.xyxy, second.xyxy) and np.array_equal(first.score, second.score)


def test_every_window_is_delivered_also_the_empty_ones(detector: StreamingDetector) -> None:
    source = MemorySource(some_events(SMALL, silence=(100_000, 250_000)), SMALL)
    results = list(Streamer(source, detector, make_options()))
    assert [result.seq for result in results] == list(range(8))
    assert [result.t_us for result in results] == list(range(50_000, 450_000, 50_000))
    assert [result.num_events == 0 for result in results] == [False, False, True, True, True, False, False, False]
    assert sum(result.num_events for result in results) == len(source.events)


def test_boxes_carry_the_end_of_their_window_and_lie_on_the_sensor(detector: StreamingDetector) -> None:
    sensor = SensorSize(480, 640)
    for result in Streamer(MemorySource(some_events(sensor), sensor), detector, make_options()):
        assert len(result.boxes) == 5
        assert (result.boxes.t == result.t_us).all()
        assert (result.boxes.xyxy >= 0).all()
        assert (result.boxes.xyxy <= [640, 480, 640, 480]).all()


def test_detections_depend_on_the_events(detector: StreamingDetector) -> None:
    scores = [
        result.boxes.score for result in Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options())
    ]
    assert len({score.tobytes() for score in scores}) == len(scores)


def test_a_second_run_starts_at_rest_and_repeats_the_first(detector: StreamingDetector) -> None:
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options())
    first, second = list(streamer), list(streamer)
    assert all(_same(a.boxes, b.boxes) for a, b in zip(first, second, strict=True))
    assert streamer.summary().num_windows == len(second)


def test_state_reset_makes_each_group_of_windows_a_run_of_its_own(detector: StreamingDetector) -> None:
    source = MemorySource(some_events(SMALL), SMALL)
    reset = list(Streamer(source, detector, make_options(state="reset", reset_steps=3)))
    fresh = list(Streamer(source, detector, make_options(start_us=150_000)))
    assert [result.state_reset for result in reset] == [True, False, False, True, False, False, True, False]
    for k in range(3):
        assert _same(reset[3 + k].boxes, fresh[k].boxes)


def test_state_keep_remembers_the_windows_before(detector: StreamingDetector) -> None:
    source = MemorySource(some_events(SMALL), SMALL)
    kept = list(Streamer(source, detector, make_options()))
    fresh = list(Streamer(source, detector, make_options(start_us=150_000)))
    assert not _same(kept[3].boxes, fresh[0].boxes)


def test_a_file_gives_the_bits_of_the_events_in_memory(detector: StreamingDetector, tmp_path: Path) -> None:
    events = some_events(GEN1)
    write_dat(tmp_path / "a_td.dat", events, GEN1)
    from_memory = list(Streamer(MemorySource(events, GEN1), detector, make_options()))
    from_file = list(Streamer(open_recording(tmp_path / "a_td.dat"), detector, make_options()))
    assert all(_same(a.boxes, b.boxes) for a, b in zip(from_memory, from_file, strict=True))


@pytest.mark.parametrize("sensor", [SMALL, SensorSize(40, 60)], ids=["as large", "padded"])
@pytest.mark.parametrize("stride_us", [50_000, 20_000], ids=["end to end", "overlapping"])
def test_the_network_is_fed_the_bits_of_the_store(
    detector: StreamingDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sensor: SensorSize, stride_us: int
) -> None:
    write_dat(tmp_path / "drive_td.dat", some_events(sensor, silence=(100_000, 250_000)), sensor)
    options = ConvertOptions(Representation("histogram", bins=1), window_us=50_000, stride_us=stride_us)
    convert(tmp_path / "drive_td.dat", tmp_path / "store", options)
    frames = open_stored_recording(tmp_path / "store").frames()
    fed: list[torch.Tensor] = []
    step = detector.step

    def recorded_step(counts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        fed.append(counts.clone())
        return step(counts)

    monkeypatch.setattr(detector, "step", recorded_step)
    streamer = Streamer(open_recording(tmp_path / "drive_td.dat"), detector, make_options(stride_us=stride_us))
    spans = [(result.t0_us, result.t_us) for result in streamer]
    assert spans == [frames.window(k) for k in range(len(frames))]
    # The first step warms up and is fed nothing.
    for tensor, counts in zip(frames, fed[1:], strict=True):
        assert counts.dtype == torch.uint8
        np.testing.assert_array_equal(counts.numpy()[:, :, : sensor.height, : sensor.width], tensor)
        assert counts.sum() == tensor.sum()


def test_a_source_of_unknown_extent_gives_the_results_of_a_known_one(detector: StreamingDetector) -> None:
    events = some_events(SMALL)[500:]
    known = Streamer(MemorySource(events, SMALL), detector, make_options())
    expected = list(known)
    unknown = Streamer(EndlessSource(events, SMALL), detector, make_options())
    assert (unknown.start_us, unknown.duration_s) == (None, None)
    results = list(unknown)
    assert [result.t0_us for result in results] == [result.t0_us for result in expected]
    assert all(_same(a.boxes, b.boxes) for a, b in zip(results, expected, strict=True))
    assert unknown.recorded_s == known.recorded_s == unknown.summary().recorded_s


def test_the_summary_tells_what_the_source_repaired(detector: StreamingDetector) -> None:
    source = MemorySource(some_events(SMALL), SMALL)
    streamer = Streamer(source, detector, make_options())
    list(streamer)
    summary = streamer.summary()
    source.report.trailing_bytes += 1
    assert summary.report == ReadReport(num_events=len(source.events), trailing_bytes=3)
    assert summary.totals.repairs == {"trailing_bytes": 3}
    assert (summary.totals.num_windows, summary.totals.num_events) == (8, len(source.events))


def test_a_span_without_windows_is_noted(detector: StreamingDetector) -> None:
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options(start_us=99_000_000))
    assert list(streamer) == []
    assert streamer.summary().notes[0] == "there was no window in that span"
    assert streamer.summary().speed == 0.0


def test_a_stop_ends_the_iteration_before_the_next_window(detector: StreamingDetector) -> None:
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options())
    seen = []
    for result in streamer:
        seen.append(result.seq)
        if result.seq == 2:
            streamer.stop()
    assert seen == [0, 1, 2]
    assert streamer.summary().num_windows == 3


def test_a_stop_ends_the_wait_for_a_paced_window(detector: StreamingDetector) -> None:
    # At this pace the first window would be due in 50,000 s.
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options(pace=1e-6))
    timer = threading.Timer(0.1, streamer.stop)
    timer.start()
    assert list(streamer) == []
    timer.join()


def test_everything_has_run_once_before_the_first_window_is_read(
    detector: StreamingDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []

    class LoggingSource(MemorySource):
        def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
            log.append("read")
            return super().cut(grid, on_read=on_read)

    step, reset = detector.step, detector.reset

    def logged_step(counts: torch.Tensor) -> tuple[torch.Tensor, ...]:
        log.append(f"step {bool(counts.any())}")
        return step(counts)

    def logged_reset() -> None:
        log.append("reset")
        reset()

    monkeypatch.setattr(detector, "step", logged_step)
    monkeypatch.setattr(detector, "reset", logged_reset)
    streamer = Streamer(LoggingSource(some_events(SMALL), SMALL), detector, make_options(stop_us=50_000))
    list(streamer)
    assert log == ["reset", "step False", "read", "reset", "step True"]
    assert streamer.summary().num_windows == 1


def test_closing_early_stops_without_reading_on(detector: StreamingDetector) -> None:
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options())
    results = iter(streamer)
    next(results)
    results.close()  # type: ignore[attr-defined] # the iterator is a generator
    assert streamer.summary().num_windows == 1


def test_cropping_counts_the_events_outside(detector: StreamingDetector) -> None:
    sensor = SensorSize(64, 192)
    events = some_events(sensor)
    streamer = Streamer(MemorySource(events, sensor), detector, make_options(fit="crop"))
    list(streamer)
    # 96 of 192 columns stay, from column 48 on.
    outside = int(np.count_nonzero((events.x < 48) | (events.x >= 144)))
    assert streamer.summary().events_cut == outside > 0


def test_latency_has_every_stage_and_the_total_covers_them(detector: StreamingDetector) -> None:
    for result in Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options()):
        stages = dict(result.latency_ms)
        total = stages.pop("total")
        assert list(stages) == ["read", "window", "tensor", "inference", "decode"]
        assert total >= sum(stages.values()) - 0.01


def test_another_window_than_the_trained_one_is_noted(detector: StreamingDetector) -> None:
    streamer = Streamer(MemorySource(some_events(SMALL), SMALL), detector, make_options(window_us=20_000))
    assert "trained on 50ms" in streamer.summary().notes[0]


def test_a_grey_detector_is_refused() -> None:
    grey = StreamingDetector(build_detector("ems-res10", channels=3, input_size=SMALL), dtype="float32")
    with pytest.raises(OptionError, match="2 input channels, got 3"):
        Streamer(MemorySource(some_events(SMALL), SMALL), grey, make_options())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "forget"}, "state must be one of keep, reset"),
        ({"window_us": 0}, "window_us must be > 0"),
        ({"pace": 0.0}, "pace must be > 0"),
        ({"reset_steps": -1}, "reset_steps must be > 0"),
    ],
)
def test_an_option_outside_its_rule_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_options(**changes)


def test_other_arithmetic_than_that_of_a_header_does_not_resume(detector: StreamingDetector, tmp_path: Path) -> None:
    source = MemorySource(some_events(SMALL), SMALL)
    rounded = StreamingDetector(build_detector("ems-res10", input_size=SMALL), dtype="bfloat16")
    rounded.weights_hash = detector.weights_hash
    target = str(tmp_path / "a.jsonl")
    streamer = Streamer(source, detector, make_options())
    with Outputs([target], header=streamer.header) as outputs:
        for result in streamer:
            outputs.write(result)
    assert plan_resume([target], header=streamer.header).next_seq == 8
    with pytest.raises(OptionError, match="the earlier run computed in float32, this one in bfloat16"):
        plan_resume([target], header=Streamer(source, rounded, make_options()).header)


class _HeldSource(MemorySource):
    """One that waits before its third window until it is let go."""

    def __init__(self, events: Events, sensor_size: SensorSize) -> None:
        super().__init__(events, sensor_size)
        self.is_waiting, self.go_on = threading.Event(), threading.Event()

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        for window in super().cut(grid, on_read=on_read):
            if window.seq == 2:
                self.is_waiting.set()
                assert self.go_on.wait(30)
            yield window


def test_close_from_another_thread_stops_the_stream_amid_a_window(detector: StreamingDetector) -> None:
    source = _HeldSource(some_events(SMALL), SMALL)
    streamer = Streamer(source, detector, make_options())
    found: list[int] = []
    reader = threading.Thread(target=lambda: found.extend(result.seq for result in streamer))
    reader.start()
    assert source.is_waiting.wait(30)
    with pytest.raises(OptionError, match="one stream at a time"):
        iter(streamer)
    streamer.close()
    source.go_on.set()
    reader.join(30)
    # The third was being cut: it is not run.
    assert found == [0, 1]
    assert len(list(Streamer(MemorySource(source.events, SMALL), detector, make_options()))) == 8


def test_a_loop_that_is_left_lets_go_of_its_source_at_once(detector: StreamingDetector) -> None:
    gc.disable()
    try:
        for options in (make_options(), make_options(pace=100.0)):
            source = MemorySource(some_events(SMALL), SMALL)
            gone = weakref.ref(source)
            for _ in Streamer(source, detector, options):
                break
            del source
            assert gone() is None
    finally:
        gc.enable()


def test_async_results_can_be_closed_while_another_task_waits_for_one() -> None:
    stopped = threading.Event()

    def results() -> Iterator[int]:
        stopped.wait(60)
        yield from ()

    async def run() -> None:
        opened = AsyncResults(results(), stopped.set)
        waiting = asyncio.ensure_future(anext(opened))
        await asyncio.sleep(0.05)
        await opened.aclose()
        with pytest.raises(StopAsyncIteration):
            await waiting

    asyncio.run(run())
    assert stopped.is_set()
