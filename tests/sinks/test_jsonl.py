"""JSON lines: the schema, whole lines, and the standard output."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet import Boxes
from eventdet.errors import OutputError
from eventdet.sinks import StreamHeader, StreamTotals, TrackColumns, WindowResult
from eventdet.sinks.jsonl import JsonlSink


def test_jsonl_begins_with_a_header_record(tmp_path: Path, header: StreamHeader) -> None:
    target = tmp_path / "out" / "detections.jsonl"
    with JsonlSink(str(target), header=header):
        pass
    assert json.loads(target.read_text()) == {
        "type": "header",
        "v": 1,
        "source": "recordings/drive_td.dat",
        "format": "dat",
        "sensor_size": {"height": 240, "width": 304},
        "class_names": ["car", "pedestrian"],
        "window_us": 50_000,
        "stride_us": 50_000,
        "model": "ems-res10",
        "weights_hash": "0123abcd",
        "state": "keep",
        "synthetic": True,
        "eventdet_version": "0.1.0",
        "hardware": "",
        "window_events": None,
        "stride_events": None,
        "rules": "",
    }


def test_jsonl_writes_a_record_a_window_empty_ones_too(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    with JsonlSink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)
    records = [json.loads(line) for line in target.read_text().splitlines()[1:]]
    assert [record["seq"] for record in records] == [0, 1, 2, 3, 4]
    assert records[1] == {
        "t_us": 100_000,
        "t0_us": 50_000,
        "seq": 1,
        "n_events": 400,
        "latency_ms": {"read": 0.123, "detect": 7.5},
        "dropped": 0,
        "dropped_events": 0,
        "state_reset": False,
        "reset_reason": None,
        "boxes": [
            # 11.125 in float32 is exact and rounds half to even.
            {"xywh": [11.12, 20.0, 60.0, 40.0], "score": 0.9123, "class_id": 0, "name": "car", "track_id": None},
            {"xywh": [150.0, 100.5, 20.0, 50.0], "score": 0.5, "class_id": 1, "name": "pedestrian", "track_id": None},
        ],
    }
    assert records[2]["boxes"] == []
    assert records[2]["n_events"] == 0


def test_jsonl_tells_why_the_state_was_reset_and_how_tracks_move(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    tracks = TrackColumns(np.array([70_000]), np.array([[12.345, -1]], np.float32), np.array([True]))
    result = replace(
        results[0],
        boxes=Boxes.from_xywh([[0, 0, 5, 5]], track_id=3),
        tracks=tracks,
        reset_reason="gap",
        dropped_events=7,
    )
    with JsonlSink(str(target), header=header) as sink:
        sink.write(result)
    record = json.loads(target.read_text().splitlines()[1])
    assert (record["state_reset"], record["reset_reason"], record["dropped_events"]) == (True, "gap", 7)
    (box,) = record["boxes"]
    assert (box["track_age_us"], box["velocity"], box["predicted"]) == (70_000, [12.35, -1.0], True)


def test_jsonl_keeps_track_ids_and_unknown_classes(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    boxes = Boxes.from_xywh([[0, 0, 5, 5]], t=50_000, class_id=9, track_id=3)
    with JsonlSink(str(target), header=header) as sink:
        sink.write(replace(results[0], boxes=boxes))
    (box,) = json.loads(target.read_text().splitlines()[1])["boxes"]
    assert (box["class_id"], box["name"], box["track_id"]) == (9, None, 3)


def test_jsonl_lines_are_whole_while_the_stream_runs(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    with JsonlSink(str(target), header=header) as sink:
        for count, result in enumerate(results, start=2):
            sink.write(result)
            text = target.read_text()
            assert text.endswith("\n")
            assert len(text.splitlines()) == count


def test_jsonl_numpy_scalars_are_written_as_numbers(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    latency_ms: dict[str, Any] = {"total": np.float32(1.5)}
    result = replace(results[0], t_us=np.int64(50_000), latency_ms=latency_ms)  # type: ignore[arg-type]  # callers do
    with JsonlSink(str(target), header=header) as sink:
        sink.write(result)
    record = json.loads(target.read_text().splitlines()[1])
    assert (record["t_us"], record["latency_ms"]) == (50_000, {"total": 1.5})


def test_jsonl_to_standard_output_leaves_it_open(
    capfdbinary: pytest.CaptureFixture[bytes], header: StreamHeader, results: list[WindowResult]
) -> None:
    with JsonlSink("-", header=header) as sink:
        sink.write(results[0])
    print("still open")  # noqa: T201  # the point of the test
    lines = capfdbinary.readouterr().out.splitlines()
    assert json.loads(lines[0])["type"] == "header"
    assert json.loads(lines[1])["seq"] == 0
    assert lines[2] == b"still open"


def test_jsonl_second_close_does_nothing(tmp_path: Path, header: StreamHeader) -> None:
    sink = JsonlSink(str(tmp_path / "a.jsonl"), header=header)
    sink.close()
    sink.close()


def test_jsonl_ends_with_the_totals(tmp_path: Path, header: StreamHeader, results: list[WindowResult]) -> None:
    target = tmp_path / "a.jsonl"
    with JsonlSink(str(target), header=header) as sink:
        sink.write(results[0])
        sink.conclude(StreamTotals(1, 400, 2, recorded_s=0.05, wall_s=0.125, repairs={"trailing_bytes": 3}))
    assert json.loads(target.read_text().splitlines()[-1]) == {
        "type": "summary",
        "n_windows": 1,
        "n_events": 400,
        "n_boxes": 2,
        "repairs": {"trailing_bytes": 3},
        "recorded_s": 0.05,
        "wall_s": 0.125,
        "windows_skipped": 0,
        "events_dropped": 0,
    }


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of file sizes there")
def test_jsonl_on_a_full_disk_ends_with_a_whole_line(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    import resource

    target = tmp_path / "a.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    sink = JsonlSink(str(target), header=header)
    sink.write(results[0])
    whole = target.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) + 20, before[1]))
    try:
        with pytest.raises(OutputError, match=r"a\.jsonl cannot be written: File too large"):
            sink.write(results[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    sink.discard()
    assert target.read_bytes() == whole


def test_a_pipe_that_nobody_reads_is_refused_and_one_that_is_read_gets_the_lines(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "a.jsonl"
    os.mkfifo(pipe)
    monkeypatch.setattr("eventdet.sinks._lines._READER_S", 0.01)
    with pytest.raises(OutputError, match="nobody reads this pipe"):
        JsonlSink(str(pipe), header=header)
    with ThreadPoolExecutor(1) as pool:
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        os.set_blocking(reader, True)
        with JsonlSink(str(pipe), header=header) as sink, os.fdopen(reader, "rb") as lines:
            read = pool.submit(lines.readline)
            assert json.loads(read.result())["type"] == "header"
            sink.write(results[0])
            assert json.loads(lines.readline())["seq"] == results[0].seq
