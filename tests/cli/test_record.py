"""A live source to a file."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import open_recording
from tests.sources.network import HEADER, SIZE, WAIT_S, end, frame, random_events, tcp_sender

_EVENTS = random_events(num_events=2000, duration_us=100_000)
_DATA = HEADER + frame(0, _EVENTS[:1000]) + frame(1, _EVENTS[1000:]) + end(2)


def read(path: Path) -> Events:
    return Events.concatenate(open_recording(path, policy="strict").chunks())


def assert_equal(ours: Events, theirs: Events) -> None:
    for column, expected in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize("name", ["a.dat", "a.raw"])
def test_record_writes_what_came_and_says_what_was_lost(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tcp_sender(_DATA) as address:
        assert run(["record", address, "-o", str(tmp_path / name)]) == 0
    assert_equal(read(tmp_path / name), _EVENTS)
    recording = open_recording(tmp_path / name)
    assert (recording.sensor_size, recording.synthetic) == (SIZE, True)
    printed = capsys.readouterr()
    assert "2,000 events as" in printed.out
    assert printed.err == "link: 3 frames, nothing lost; the stream ended\n"


def test_record_stops_after_a_duration_and_starts_at_zero(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.dat"
    with tcp_sender(_DATA) as address:
        arguments = ["record", address, "-o", str(path), "--duration", "30ms", "--from-zero", "--json", "--quiet"]
        assert run(arguments) == 0
    kept = _EVENTS.between(int(_EVENTS.t[0]), int(_EVENTS.t[0]) + 30_000)
    np.testing.assert_array_equal(read(path).t, kept.t - kept.t[0])
    assert json.loads(capsys.readouterr().out)["num_events"] == len(kept)


def test_record_passes_filters(tmp_path: Path) -> None:
    path = tmp_path / "a.dat"
    with tcp_sender(_DATA) as address:
        assert run(["record", address, "-o", str(path), "--filter", "polarity:keep=on", "--quiet"]) == 0
    assert_equal(read(path), _EVENTS[_EVENTS.p == 1])


def test_record_of_a_file_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["record", "synthetic://?seconds=0.01", "-o", str(tmp_path / "a.dat")]) == 2
    assert "source must be a live one" in capsys.readouterr().err
    assert run(["record", "tcp://127.0.0.1:1", "-o", str(tmp_path / "a.jpg")]) == 2
    assert list(tmp_path.iterdir()) == []


def test_interrupted_record_leaves_a_whole_file(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eventdet.cli", "record", "-", "-o", str(tmp_path / "a.dat")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as recorder:
        assert recorder.stdin is not None
        assert recorder.stderr is not None
        recorder.stdin.write(HEADER + frame(0, _EVENTS))
        recorder.stdin.flush()
        # Its hidden file says that the events have come.
        while not any(path.stat().st_size for path in tmp_path.iterdir()):
            assert recorder.poll() is None
            time.sleep(0.01)
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(WAIT_S) == 130
        assert b"link: 1 frames, nothing lost; interrupted\n" in recorder.stderr.read()
    assert_equal(read(tmp_path / "a.dat"), _EVENTS)
