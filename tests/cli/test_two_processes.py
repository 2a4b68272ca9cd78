"""``eventdet serve`` in one process, ``eventdet stream`` in another: what is detected is what the file gives."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from eventdet.cli.main import run
from eventdet.formats import write_dat
from tests.sources.network import SIZE, WAIT_S, random_events

OPTIONS = ["--window", "20ms", "--conf", "0.05", "--threads", "1", "-q"]
NUM_EVENTS = 20_000


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("recording") / "a_td.dat"
    write_dat(target, random_events(num_events=NUM_EVENTS, duration_us=300_000), SIZE)
    return target


@pytest.fixture(scope="module")
def from_file(path: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    target = tmp_path_factory.mktemp("file") / "a.jsonl"
    assert run(["stream", str(path), "-o", str(target), *OPTIONS]) == 0
    return _windows(target)


def _windows(path: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[0]["type"] == "header"
    assert records[-1]["type"] == "summary"
    return [{**record, "latency_ms": None} for record in records[1:-1]]


def _serve(path: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "eventdet.cli", "serve", str(path), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("to", ["tcp://127.0.0.1:0", "zmq://127.0.0.1:0"])
def test_detections_over_a_network_are_those_of_the_file(
    to: str, path: Path, from_file: list[dict[str, Any]], tmp_path: Path
) -> None:
    if to.startswith("zmq"):
        pytest.importorskip("zmq", reason="the extra zmq is not installed")
    with _serve(path, "--to", to, "--pace", "max") as server:
        assert server.stderr is not None
        address = server.stderr.readline().split()[-1]
        assert run(["stream", address, "-o", str(tmp_path / "a.jsonl"), *OPTIONS]) == 0
        assert server.wait(WAIT_S) == 0
    assert _windows(tmp_path / "a.jsonl") == from_file


class _Relay(threading.Thread):
    """Passes datagrams on to a receiver once it listens, all but every seventh."""

    def __init__(self, path: Path, port: int) -> None:
        super().__init__(daemon=True)
        self._path = path
        self._target = ("127.0.0.1", port)
        self.num_passed = 0
        self.num_dropped = 0
        self.served = ""

    def run(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while not _is_bound(self._target) and time.monotonic() < deadline:
            time.sleep(0.01)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as relay:
            relay.bind(("127.0.0.1", 0))
            relay.settimeout(0.5)
            address = f"udp://127.0.0.1:{relay.getsockname()[1]}"
            with _serve(self._path, "--to", address, "--pace", "0.5x") as server:
                while True:
                    try:
                        datagram = relay.recv(65_536)
                    except TimeoutError:
                        if server.poll() is not None:
                            break
                        continue
                    if (self.num_passed + self.num_dropped) % 7 == 3:
                        self.num_dropped += 1
                    else:
                        self.num_passed += 1
                        relay.sendto(datagram, self._target)
                assert server.stderr is not None
                self.served = server.stderr.read()


def _is_bound(target: tuple[str, int]) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind(target)
        except OSError:
            return True
    return False


def test_losses_of_datagrams_are_counted_exactly(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    relay = _Relay(path, port)
    relay.start()
    target = tmp_path / "a.jsonl"
    address = f"udp://127.0.0.1:{port}?timeout=10"
    assert (
        run(["stream", address, "-o", str(target), "--window", "20ms", "--threads", "1", "--log-format", "json"]) == 0
    )
    relay.join(WAIT_S)
    link = next(json.loads(line) for line in capsys.readouterr().err.splitlines() if '"event": "link"' in line)
    messages = int(re.search(r"events in ([\d,]+) messages", relay.served)[1].replace(",", ""))  # type: ignore[index]
    assert relay.num_passed + relay.num_dropped == messages
    assert relay.num_dropped > 10
    assert link["dropped_messages"] == 0
    assert link["lost_frames"] == relay.num_dropped
    # Every frame that came is in the windows, and no other event is.
    assert 0 < sum(record["n_events"] for record in _windows(target)) < NUM_EVENTS
    # The end is said three times, and the stream is over with the first that comes.
    assert 0 <= relay.num_passed - link["frames"] - link["repeated_frames"] <= 2
