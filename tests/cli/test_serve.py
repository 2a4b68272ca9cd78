"""Two processes on one machine: what is served is what is received."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.formats import open_recording, write_dat
from eventdet.sources import LiveSource, open_source
from tests.sources.network import HEADER, SIZE, WAIT_S, assert_same_windows, frame, random_events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_dat(tmp_path / "a_td.dat", random_events(num_events=50_000, duration_us=300_000), SIZE)
    return tmp_path / "a_td.dat"


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "eventdet.cli", "serve", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            first, _, address = server.stderr.readline().strip().rpartition(" ")
            assert first == "serving on"
            yield server, address
        finally:
            server.kill()


@pytest.mark.parametrize("to", ["tcp://127.0.0.1:0", "unix", "zmq://127.0.0.1:0"])
def test_windows_from_another_process_are_those_of_the_file(to: str, path: Path, tmp_path: Path) -> None:
    if to.startswith("zmq"):
        pytest.importorskip("zmq")
    to = f"unix://{tmp_path}/socket" if to == "unix" else to
    with serving(str(path), "--to", to, "--pace", "max") as (server, address), live(address) as source:
        assert_same_windows(source.windows(20_000), open_recording(path).windows(20_000))
        assert server.wait(WAIT_S) == 0
        assert server.stderr is not None
        assert server.stderr.read().startswith("50,000 events in ")
    assert source.link_report.faults == {}


def live(address: str) -> LiveSource:
    source = open_source(address)
    assert isinstance(source, LiveSource)
    return source


def test_detections_of_a_pipe_are_those_of_the_file(path: Path, tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m eventdet.cli serve {path} --to - --pace max | "
        f"{sys.executable} -m eventdet.cli stream - -o {tmp_path}/live.jsonl"
    )
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing lost; the stream ended" in done.stderr
    assert run(["stream", str(path), "-o", f"{tmp_path}/file.jsonl", "-q"]) == 0
    live_records, file_records = (
        [json.loads(line) for line in (tmp_path / name).read_text().splitlines()]
        for name in ("live.jsonl", "file.jsonl")
    )
    assert len(live_records) == len(file_records) == 8
    for one, other in zip(live_records[1:-1], file_records[1:-1], strict=True):
        assert {**one, "latency_ms": None} == {**other, "latency_ms": None}
    assert {**live_records[-1], "wall_s": None} == {**file_records[-1], "wall_s": None}


def test_a_server_killed_in_the_middle_ends_the_stream_after_the_timeout(path: Path) -> None:
    with (
        serving(str(path), "--to", "tcp://127.0.0.1:0", "--pace", "0.2x") as (server, address),
        live(f"{address}?timeout=3") as source,
    ):
        windows = source.windows(1000)
        first = next(windows)
        server.kill()
        rest = list(windows)
    assert "for 3 s" in source.link_report.ended
    expected = list(open_recording(path).windows(1000))
    found = np.concatenate([window.events.t for window in (first, *rest)])
    np.testing.assert_array_equal(found, np.concatenate([window.events.t for window in expected])[: len(found)])


def test_ctrl_c_ends_a_live_stream_with_whole_outputs_and_its_counts(tmp_path: Path) -> None:
    events = random_events(num_events=5000, duration_us=500_000)
    output = tmp_path / "out.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)
        command = [sys.executable, "-m", "eventdet.cli", "stream", f"tcp://127.0.0.1:{server.getsockname()[1]}"]
        with subprocess.Popen([*command, "-o", str(output)], stderr=subprocess.PIPE, text=True) as stream:
            with server.accept()[0] as connection:
                connection.sendall(HEADER + frame(0, events))
                # The connection stays: nothing but the interrupt can end the stream.
                deadline = time.monotonic() + WAIT_S
                while not output.exists() or output.read_bytes().count(b"\n") < 3:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                stream.send_signal(signal.SIGINT)
                assert stream.wait(WAIT_S) == 130
            assert stream.stderr is not None
            shown = stream.stderr.read()
    assert "Traceback" not in shown
    assert "link: 1 frames, nothing lost; interrupted" in shown
    assert output.read_text().endswith("\n")
    assert all(json.loads(line) for line in output.read_text().splitlines())


def test_an_interrupted_server_is_exit_code_130_without_a_traceback(path: Path) -> None:
    with serving(str(path), "--to", "tcp://127.0.0.1:0") as (server, _):
        server.terminate()
        assert server.wait(WAIT_S) == 130
        assert server.stderr is not None
        assert "Traceback" not in server.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--to", "tcp://0.0.0.0:0"], 2, "can be reached from other machines"),
        (["--to", "ftp://127.0.0.1:0"], 2, "scheme of the address must be one of"),
        (["--to", "tcp://127.0.0.1:0", "--pace", "fast"], 2, "pace must be"),
    ],
    ids=["remote", "scheme", "pace"],
)
def test_a_wrong_call_says_why(
    arguments: list[str], code: int, message: str, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", str(path), *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_part_of_a_live_source_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stream", "udp://127.0.0.1:0?format=spif&size=64x48", "--start", "1s"]) == 2
    assert "need a recording" in capsys.readouterr().err
