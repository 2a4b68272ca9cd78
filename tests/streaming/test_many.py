import asyncio
import json
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import eventdet
from eventdet.boxes import Boxes
from eventdet.errors import OptionError
from eventdet.models import StreamingDetector
from eventdet.sinks import WindowResult
from eventdet.streaming import Streamer, StreamGroup, StreamOptions, TraceLog
from eventdet.tracking import TrackerConfig

from .support import SMALL, MemorySource, make_options, small_detector, some_events


@pytest.fixture(scope="module")
def detector() -> StreamingDetector:
    return small_detector(readout_steps=3)


def _source(seed: int = 5, duration_us: int = 400_000) -> MemorySource:
    return MemorySource(some_events(SMALL, seed=seed, duration_us=duration_us), SMALL)


def _assert_same(found: list[WindowResult], expected: list[WindowResult]) -> None:
    assert [(one.seq, one.t_us, one.reset_reason) for one in found] == [
        (one.seq, one.t_us, one.reset_reason) for one in expected
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.boxes.xyxy, other.boxes.xyxy)
        np.testing.assert_array_equal(one.boxes.score, other.boxes.score)


@pytest.mark.parametrize("changes", [{}, {"state": "reset", "reset_steps": 3}], ids=["keep", "reset"])
def test_sources_together_give_what_each_gives_alone(detector: StreamingDetector, changes: dict[str, object]) -> None:
    options = make_options(**changes)
    sources = [_source(1), _source(2, duration_us=250_000), _source(3)]
    alone = [list(Streamer(source, detector, options)) for source in sources]
    group = StreamGroup(sources, detector, options)
    together: list[list[WindowResult]] = [[], [], []]
    for number, result in group:
        together[number].append(result)
    for found, expected in zip(together, alone, strict=True):
        _assert_same(found, expected)
    assert [summary.num_windows for summary in group.summaries()] == [8, 5, 8]


def test_a_detector_runs_one_stream_at_a_time(detector: StreamingDetector) -> None:
    first, second = (Streamer(_source(), detector, make_options()) for _ in range(2))
    results = iter(first)
    next(results)
    with pytest.raises(OptionError, match="one stream at a time"):
        list(second)
    with pytest.raises(OptionError, match="one stream at a time"):
        list(StreamGroup([_source()], detector, make_options()))
    first.close()
    assert len(list(second)) == 8


def test_a_loop_that_is_left_lets_the_detector_go(detector: StreamingDetector) -> None:
    first, second = (Streamer(_source(), detector, make_options()) for _ in range(2))
    for _ in first:
        break
    assert len(list(second)) == 8


def test_an_event_loop_gets_the_same_results_and_is_not_held_up(detector: StreamingDetector) -> None:
    expected = list(Streamer(_source(), detector, make_options()))
    ticks: list[None] = []

    async def run() -> list[WindowResult]:
        async def tick() -> None:
            while True:
                ticks.append(None)
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        found = [result async for result in Streamer(_source(), detector, make_options())]
        ticking.cancel()
        return found

    _assert_same(asyncio.run(run()), expected)
    assert len(ticks) > len(expected)


def test_a_cancelled_wait_lets_the_detector_go(detector: StreamingDetector) -> None:
    async def run() -> None:
        # At this pace the first window would be due in 50,000 s.
        async for _ in Streamer(_source(), detector, make_options(pace=1e-6)):
            raise AssertionError("no window was due")

    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(run(), 0.2))
    assert len(list(Streamer(_source(), detector, make_options()))) == 8


def test_a_seek_goes_on_elsewhere_with_the_state_at_rest(detector: StreamingDetector) -> None:
    streamer = Streamer(_source(), detector, make_options())
    fresh = list(Streamer(_source(), detector, make_options(start_us=100_000)))
    results = []
    for result in streamer:
        results.append(result)
        if result.seq == 5:
            streamer.seek(130_000)
    assert [(result.seq, result.t0_us, result.reset_reason) for result in results[5:8]] == [
        (5, 250_000, ""), (6, 100_000, "seek"), (7, 150_000, ""),
    ]  # fmt: skip
    np.testing.assert_array_equal(results[7].boxes.score, fresh[1].boxes.score)


def test_windows_by_count_are_those_of_the_cutter(detector: StreamingDetector) -> None:
    source = _source()
    options = make_options(window_events=700, stride_events=300)
    results = list(Streamer(source, detector, options))
    expected = list(source.cut(options.grid(50_000)))
    assert [(result.t0_us, result.t_us, result.num_events) for result in results] == [
        (window.t0_us, window.t1_us, len(window.events)) for window in expected
    ]
    header = Streamer(source, detector, options).header
    assert (header.window_events, header.stride_events, header.window_us) == (700, 300, 50_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"conf": 0.5}, {"iou": 0.6}, {"max_detections": 7}, {"track": True}, {"start_us": 50_000}, {"fit": "crop"},
        {"late": "latest"}, {"late": "latest", "max_latency_us": 100_000}, {"late": "thin"},
        {"late": "thin", "thin": 0.3}, {"window_events": 700}, {"window_events": 700, "window_us": 50_000},
    ],
)  # fmt: skip
def test_the_header_tells_streams_of_other_results_apart(
    detector: StreamingDetector, changes: dict[str, object]
) -> None:
    plain, other = (Streamer(_source(), detector, make_options(**given)).header for given in ({}, changes))
    assert plain != other
    assert plain.rules.startswith("conf 0, iou 0.45, at most 5 boxes, fit scale")


def test_the_header_tells_whether_time_ends_windows_of_a_number_of_events(detector: StreamingDetector) -> None:
    lengths: tuple[dict[str, object], ...] = ({}, {"window_us": 50_000, "stride_us": 50_000})
    alone, limited = (make_options(window_events=700, **given) for given in lengths)
    assert Streamer(_source(), detector, alone).header != Streamer(_source(), detector, limited).header


def test_results_are_the_tracks_of_the_detections_and_a_seek_forgets_them(
    detector: StreamingDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_moving_box(*_logits: object, t_us: int, **_options: object) -> list[Boxes]:
        return [Boxes.from_xywh([[5 + t_us / 20_000, 10, 30, 20]], t=t_us, score=0.9)]

    monkeypatch.setattr("eventdet.streaming.loop.boxes_from_logits", one_moving_box)
    options = make_options(conf=0.3)
    detections = list(Streamer(_source(), detector, options))
    tracker = replace(options, track=True).tracker(SMALL)
    assert tracker is not None
    expected = [tracker.update(result.boxes, result.t_us) for result in detections]
    assert any(len(tracks) for tracks in expected)
    streamer = Streamer(_source(), detector, replace(options, track=True))
    results = []
    for result in streamer:
        results.append(result)
        if result.seq == 7:
            streamer.seek(0)
        if result.seq == 8:
            break
    for result, tracks in zip(results, expected, strict=False):
        np.testing.assert_array_equal(result.boxes.track_id, tracks.boxes.track_id)
        assert result.tracks is not None
        np.testing.assert_array_equal(result.tracks.age_us, tracks.age_us)
        np.testing.assert_array_equal(result.tracks.velocity, tracks.velocity)
    assert len(results[8].boxes) == 0
    assert "track" in results[0].latency_ms


def test_a_trace_keeps_the_newest_windows_and_its_stages_follow_each_other(
    detector: StreamingDetector, tmp_path: Path
) -> None:
    trace = TraceLog(tmp_path / "deep" / "trace.json", most_windows=2)
    list(Streamer(_source(), detector, make_options(), trace=trace))
    trace.write()
    record = json.loads((tmp_path / "deep" / "trace.json").read_text())
    assert record["otherData"] == {"windows": 8, "windows_kept": 2}
    events = record["traceEvents"]
    stages = ["read", "window", "tensor", "inference", "decode", "sink"]
    assert [(event["args"]["seq"], event["name"]) for event in events] == [(k, name) for k in (6, 7) for name in stages]
    ends = [event["ts"] + event["dur"] for event in events]
    assert all(event["ts"] >= end - 0.01 for event, end in zip(events[1:], ends[:-1], strict=True))


def test_the_summary_has_what_the_caller_took_and_why_the_state_was_cleared(detector: StreamingDetector) -> None:
    streamer = Streamer(_source(), detector, make_options(state="reset", reset_steps=4))
    for _ in streamer:
        pass
    summary = streamer.summary()
    assert list(summary.latency_ms) == [
        "read", "window", "tensor", "inference", "decode", "total", "sink", "end_to_end",
    ]  # fmt: skip
    assert summary.resets == {"start": 1, "schedule": 1}
    assert summary.latency_ms["end_to_end"].max >= summary.latency_ms["total"].max - 0.001


def test_the_detector_of_the_package_streams_what_a_path_names() -> None:
    detector = eventdet.Detector(dtype="float32")
    stream = detector.stream("synthetic://?seed=3&seconds=0.2", window="50ms", stride="25ms", conf=0.1)
    alone = list(stream)
    assert [result.t0_us for result in alone] == [0, 25_000, 50_000, 75_000, 100_000, 125_000, 150_000]
    pairs = list(detector.stream_many(["synthetic://?seed=3&seconds=0.2"] * 2, "50ms", "25ms", conf=0.1))
    _assert_same([result for number, result in pairs if number == 1], alone)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"window": "5 parsecs"}, "window must be a number with a unit"),
        ({"window": "50ms", "stride": "100ev"}, "same units"),
        ({"stride": "100ev"}, "same units"),
        ({"lateness": 3}, "fields of StreamOptions, got lateness"),
        ({"late": "never"}, "late must be one of block, latest, thin"),
        ({"max_latency_us": 5}, "late block"),
        ({"late": "thin", "thin": 1.0}, "thin must be in"),
    ],
)
def test_a_wrong_option_is_refused(detector: StreamingDetector, arguments: dict[str, object], message: str) -> None:
    made = eventdet.Detector.__new__(eventdet.Detector)
    made._model, made._detector, made._options = "small", detector, make_options()
    with pytest.raises(OptionError, match=message):
        made.stream(_source(), **arguments)  # type: ignore[arg-type] # wrong on purpose


def test_a_low_conf_leaves_the_rules_of_tracks_and_a_high_one_raises_them() -> None:
    rules = TrackerConfig()
    low, high = (StreamOptions(conf=conf, track=True).tracker(SMALL) for conf in (0.02, 0.9))
    assert low is not None
    assert low.config == rules
    assert high is not None
    assert high.config == replace(rules, high_score=0.9, new_score=0.9)
    assert StreamOptions(conf=0.9, track=True).least_score == rules.low_score


def test_an_async_loop_that_is_left_frees_the_detector_at_once(detector: StreamingDetector) -> None:
    async def run() -> int:
        async for _ in Streamer(_source(), detector, make_options()):
            break
        return len(list(Streamer(_source(), detector, make_options())))

    assert asyncio.run(run()) == len(list(Streamer(_source(), detector, make_options())))


def test_an_async_loop_can_be_closed_by_name(detector: StreamingDetector) -> None:
    async def run() -> None:
        results = aiter(Streamer(_source(), detector, make_options()))
        async with aclosing(results):
            await anext(results)
            with pytest.raises(OptionError, match="one stream at a time"):
                list(Streamer(_source(), detector, make_options()))
        assert list(Streamer(_source(), detector, make_options()))
        with pytest.raises(StopAsyncIteration):
            await anext(results)

    asyncio.run(run())
