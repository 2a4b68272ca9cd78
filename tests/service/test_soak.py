"""A stream of 5 million events a second through stalls, disconnections, garbage, dying outputs and a frozen sender.

It runs for `CI_SECONDS`, and in the slow suite for 30 minutes or ``EVENTDET_SOAK_SECONDS``. Memory stays flat and every
count adds up.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sinks.broker import broker, free_port
from tests.sources.network import WAIT_S

from .soak_sender import FRAME_EVENTS

CI_SECONDS = 120.0
"""What the whole suite has time for."""

SLOW_SECONDS = float(os.environ.get("EVENTDET_SOAK_SECONDS", "1800"))

WARM_UP_SHARE = 0.4
"""Of the run, after which memory may grow no more: kernels are loaded and queues have been full by then."""

MOST_GROWTH_MB = 32.0
"""Between the middle and the end of a run: what the allocator of the system gives and takes, and no trend."""


def _resident_mb(pid: int) -> float | None:
    """Return the memory of a process, None when it is over."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), None)


class _Troubles(threading.Thread):
    """Freezes the sender and kills the broker now and then; and watches the memory of the stream."""

    def __init__(self, sender: int, stream: int, port: int, folder: Path) -> None:
        super().__init__(daemon=True)
        self._sender, self._stream, self._port, self._folder = sender, stream, port, folder
        self.stop = threading.Event()
        self.memory: list[tuple[float, float]] = []
        self.freezes = self.deaths = 0

    def run(self) -> None:
        dice = random.Random(3)
        while not self.stop.is_set():
            with broker(self._port, self._folder):
                self._watch(dice.uniform(2, 5))
                try:
                    os.kill(self._sender, signal.SIGSTOP)
                    self.freezes += 1
                    self._watch(dice.uniform(0.2, 1.5))
                finally:
                    os.kill(self._sender, signal.SIGCONT)
            self.deaths += 1
            self._watch(dice.uniform(0.2, 2))

    def _watch(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s and not self.stop.wait(0.2):
            size_mb = _resident_mb(self._stream)
            if size_mb is not None:
                self.memory.append((time.monotonic(), size_mb))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("seconds", [CI_SECONDS, pytest.param(SLOW_SECONDS, marks=pytest.mark.slow)])
@pytest.mark.timeout(2 * SLOW_SECONDS + 300)
def test_a_soak_adds_up_and_stays_flat(
    seconds: float, tmp_path: Path, record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("paho.mqtt", reason="the extra mqtt is not installed")
    pytest.importorskip("zmq", reason="the extra zmq is not installed")
    script = Path(__file__).with_name("soak_sender.py")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(
        [sys.executable, str(script), str(seconds)], stdout=subprocess.PIPE, text=True, env=environment
    ) as sender:
        assert sender.stdout is not None
        source = f"tcp://127.0.0.1:{int(sender.stdout.readline())}?timeout={WAIT_S:g}"
        port = free_port()
        outputs = [f"mqtt://127.0.0.1:{port}/soak?qos=1", f"zmq://127.0.0.1:{free_port()}", "udp://127.0.0.1:9"]
        command = [sys.executable, "-m", "eventdet.cli", "stream", source, "--window=100ms", "--threads=1"]
        command += ["--log-format=json", *(f"-o{one}" for one in outputs), f"-o{tmp_path / 'a.jsonl'}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as stream:
            troubles = _Troubles(sender.pid, stream.pid, port, tmp_path)
            troubles.start()
            assert stream.stderr is not None
            log = [json.loads(line) for line in stream.stderr]
            troubles.stop.set()
        # The sender is not waited for before: its number must not be another's while it is frozen and thawed.
        troubles.join(WAIT_S)
        assert stream.returncode == 0, log
        sent = json.loads(sender.stdout.read().splitlines()[-1])
    _check_counts(log, sent, outputs, tmp_path / "a.jsonl")
    slope, growth = _growth(troubles.memory)
    with capsys.disabled():
        rate = sent["frames"] * FRAME_EVENTS / seconds / 1e6
        print(  # noqa: T201 - the figures of the run
            f"\nsoak of {seconds:g} s: {rate:.2f} Mev/s, memory {slope:+.1f} MB/min, {growth:+.1f} MB; {sent}, "
            f"frozen {troubles.freezes}, broker killed {troubles.deaths}"
        )
    record_property("memory_mb_per_minute", slope)
    assert growth < MOST_GROWTH_MB


def _check_counts(log: list[dict[str, Any]], sent: dict[str, int], outputs: list[str], path: Path) -> None:
    summary = next(record for record in log if record["event"] == "summary")
    link = next(record for record in log if record["event"] == "link")
    # The frame that says the end has no events.
    assert link["frames"] + link["lost_frames"] == sent["frames"] + 1
    assert link["overflow_events"] == 0
    assert summary["num_events"] == (link["frames"] - 1) * FRAME_EVENTS
    # One that is reset before its header has been read is not seen.
    assert 0 < link["reconnects"] <= sent["closes"] + sent["resets"]
    assert (link["garbage_bytes"] > 0) == (sent["garbage"] + link["cut_frames"] > 0)
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    seqs = [record["seq"] for record in lines[1:-1]]
    skipped = lines[-2]["dropped"]
    assert seqs == sorted(set(seqs))
    assert len(seqs) == summary["num_windows"] == seqs[-1] + 1 - skipped
    assert sum(record["n_events"] for record in lines[1:-1]) == summary["num_events"]
    for record in log:
        # Other records tell of an output that lost its connection.
        if record["event"] == "output" and record["output"] in outputs:
            assert record["sent"] + record["dropped"] == summary["num_windows"]
            assert record["queued"] == 0


def _growth(memory: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the slope after the warm-up in MB a minute, and how much the end is above the middle in MB."""
    times, sizes = np.array(memory).T
    warm = times > times[0] + WARM_UP_SHARE * (times[-1] - times[0])
    times, sizes = times[warm], sizes[warm]
    third = len(sizes) // 3
    slope = float(np.polyfit((times - times[0]) / 60, sizes, 1)[0])
    return slope, float(np.median(sizes[-third:]) - np.median(sizes[:third]))
