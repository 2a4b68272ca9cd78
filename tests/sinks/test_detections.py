"""Detections read back: the round trip, and files that are not what they claim."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventdet import Boxes
from eventdet.errors import FormatError, InputError, OptionError
from eventdet.sinks import StreamHeader, StreamTotals, WindowResult, open_sink, read_detections
from eventdet.sinks.detections import read_windows
from eventdet.sinks.jsonl import header_record


@pytest.mark.parametrize("suffix", [".jsonl", ".npy"])
def test_detections_written_come_back(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult], suffix: str
) -> None:
    target = tmp_path / f"detections{suffix}"
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(result)
    read_header, boxes = read_detections(target)
    expected = Boxes.concatenate(result.boxes for result in results)
    assert read_header == (header if suffix == ".jsonl" else None)
    # JSON lines keep two decimals of a pixel and four of a score.
    tolerance = 0.006 if suffix == ".jsonl" else 1e-4
    np.testing.assert_allclose(boxes.xyxy, expected.xyxy, atol=tolerance)
    np.testing.assert_allclose(boxes.score, expected.score, atol=6e-5)
    np.testing.assert_array_equal(boxes.t, expected.t)
    np.testing.assert_array_equal(boxes.class_id, expected.class_id)


def test_detections_are_the_same_with_and_without_the_closing_record(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    for name in ("with.jsonl", "without.jsonl"):
        with open_sink(str(tmp_path / name), header=header) as sink:
            for result in results:
                sink.write(result)
            if name == "with.jsonl":
                sink.conclude(StreamTotals(5, 2000, 8, recorded_s=0.25, wall_s=0.5))
    (first_header, first), (second_header, second) = (
        read_detections(tmp_path / name) for name in ("with.jsonl", "without.jsonl")
    )
    assert first_header == second_header
    np.testing.assert_array_equal(first.xyxy, second.xyxy)
    np.testing.assert_array_equal(first.t, second.t)


def test_detections_of_a_stream_without_windows_are_empty(tmp_path: Path, header: StreamHeader) -> None:
    for name in ("a.jsonl", "a.npy"):
        with open_sink(str(tmp_path / name), header=header):
            pass
        assert len(read_detections(tmp_path / name)[1]) == 0


def write_lines(path: Path, header: StreamHeader, *lines: str) -> Path:
    path.write_text("\n".join([json.dumps(header_record(header)), *lines]) + "\n")
    return path


GOOD = '{"t_us":50000,"boxes":[]}'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"t_us":50000,"bo', "not a JSON record"),
        ("\\xff", "not a JSON record"),
        ("[1,2]", "a record must be a JSON object, got list"),
        ('{"boxes":[]}', "'t_us' is missing"),
        ('{"t_us":1,"boxes":[{"xywh":[1,2,3,4]}]}', "'class_id' is missing"),
        ('{"t_us":1,"boxes":[{"xywh":[1,2,3],"score":1,"class_id":0,"track_id":null}]}', "broken window record"),
        ('{"t_us":1,"boxes":[{"xywh":"abcd","score":1,"class_id":0,"track_id":null}]}', "broken window record"),
        ('{"t_us":1,"boxes":[{"xywh":[1,2,3,4],"score":1,"class_id":1e99,"track_id":null}]}', "broken window record"),
        ('{"t_us":1,"boxes":7}', "broken window record"),
    ],
)
def test_malformed_line_is_named(tmp_path: Path, header: StreamHeader, line: str, reason: str) -> None:
    path = write_lines(tmp_path / "bad.jsonl", header, GOOD, line, GOOD)
    with pytest.raises(FormatError, match=f"line 3: .*{reason}") as caught:
        read_detections(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("", "empty file"),
        (GOOD + "\n", "must be a header record of version 1, got type None"),
        ('{"type":"header","v":2}\n', "got type 'header' and version 2"),
        ('{"type":"header","v":1}\n', "'sensor_size' is missing"),
    ],
)
def test_missing_header_is_named(tmp_path: Path, first: str, reason: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(first)
    with pytest.raises(FormatError, match=reason):
        read_detections(path)


def test_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_detections(tmp_path / "absent.jsonl")


def test_folder_is_an_input_error(tmp_path: Path) -> None:
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        read_detections(folder)


def test_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"detections must be \.jsonl or \.npy, got '\.csv'"):
        read_detections(tmp_path / "boxes.csv")


def test_windows_come_back_with_their_latency_and_the_empty_ones(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    with open_sink(str(target), header=header) as sink:
        for result in results:
            sink.write(replace(result, latency_ms={"total": 12.5}))
    windows = read_windows(target)
    assert windows.t_us.tolist() == [result.t_us for result in results]
    assert windows.latency_us is not None
    assert windows.latency_us.tolist() == [12_500] * len(results)


def test_latency_that_one_window_does_not_tell_is_not_known(
    tmp_path: Path, header: StreamHeader, results: list[WindowResult]
) -> None:
    target = tmp_path / "detections.jsonl"
    with open_sink(str(target), header=header) as sink:
        sink.write(replace(results[0], latency_ms={"total": 12.5}))
        sink.write(replace(results[1], latency_ms={}))
    assert read_windows(target).latency_us is None
