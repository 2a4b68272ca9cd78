"""Sources over processes: restarts, ends and signals, with stand-ins for the command and with the command itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eventdet.formats import write_dat
from eventdet.service import SourceSpec, StreamProcess, Supervisor, WorkerStatus, workers
from tests.sources.network import SIZE, WAIT_S, random_events

WINDOWS = 30

STAND_IN = """
import json, os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
source, count = sys.argv[-1], len(os.listdir(sys.argv[-3].partition("=")[2]))
open(os.path.join(sys.argv[-3].partition("=")[2], str(count)), "w").close()
print(json.dumps({"event": "progress", "message": "", "num_windows": 10 * count + 1}), file=sys.stderr, flush=True)
print("what a library prints", file=sys.stderr, flush=True)
codes = source.split("://")[-1].split(",")
code = codes[min(count, len(codes) - 1)]
if code == "wait":
    time.sleep(60)
if code == "segv":
    os.kill(os.getpid(), signal.SIGSEGV)
sys.exit(int(code))
"""
"""Ends as its source says, e.g. ``tcp://1,1,0``: the first two times with 1, then with 0. Files count its starts."""


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "COMMAND", (sys.executable, "-c", STAND_IN))
    monkeypatch.setattr(workers, "_FIRST_PAUSE_S", 0.01)


def _until_over(process: StreamProcess) -> WorkerStatus:
    deadline = time.monotonic() + WAIT_S
    while not (status := process.poll()).is_over:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return status


@pytest.mark.usefixtures("stand_in")
@pytest.mark.parametrize(
    ("source", "state", "restarts", "code"),
    [
        ("tcp://0", "done", 0, 0),
        ("tcp://1,segv,0", "done", 2, 0),
        ("tcp://3,3,0", "done", 2, 0),
        ("3", "failed", 0, 3),
        ("tcp://2", "failed", 0, 2),
        ("tcp://4", "failed", 0, 4),
        ("tcp://130", "stopped", 0, 130),
        ("tcp://1", "failed", 3, 1),
    ],
    ids=["done", "crashes", "camera-away", "file-missing", "usage", "extra", "signalled", "hopeless"],
)
def test_an_end_decides_what_comes_next(source: str, state: str, restarts: int, code: int, tmp_path: Path) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    spec = SourceSpec("front", {"record": None, "model": str(tmp_path), "source": source})
    process = StreamProcess(spec, max_restarts=3, log=lambda name, record: told.append((name, record)))
    status = _until_over(process)
    assert (status.state, status.restarts, status.exit_code) == (state, restarts, code)
    assert len(list(tmp_path.iterdir())) == restarts + 1
    assert status.num_windows == 10 * restarts + 1
    assert {name for name, _ in told} == {"front"}
    assert status.message == told[1][1]["message"] == "what a library prints"


@pytest.mark.usefixtures("stand_in")
def test_a_worker_is_stopped_while_it_runs_and_while_it_waits(tmp_path: Path) -> None:
    for name, source in (("runs", "tcp://wait"), ("waits", "tcp://1")):
        folder = tmp_path / name
        folder.mkdir()
        process = StreamProcess(SourceSpec(name, {"model": str(folder), "source": source}), max_restarts=10_000)
        deadline = time.monotonic() + WAIT_S
        while not process.poll().num_windows:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.stop()
        assert _until_over(process).state in ("stopped", "failed")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("recording") / "a_td.dat"
    write_dat(target, random_events(num_events=6000, duration_us=5000 * WINDOWS), SIZE)
    return target


def _spec(name: str, path: Path, folder: Path, **options: object) -> SourceSpec:
    outputs = [str(folder / f"{name}.jsonl"), str(folder / f"{name}.csv")]
    return SourceSpec(name, {"threads": 1, "window": "5ms", "output": outputs, "source": str(path), **options})


def _records(path: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: one[name] for name in one if name not in ("latency_ms", "wall_s")} for one in records]


def _wait(is_so: Callable[[], object], process: StreamProcess) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        process.poll()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_worker_goes_on_to_the_same_file(path: Path, tmp_path: Path) -> None:
    (whole,) = Supervisor([_spec("whole", path, tmp_path)]).run()
    assert (whole.state, whole.num_windows) == ("done", WINDOWS)
    process = StreamProcess(_spec("cut", path, tmp_path, pace="0.05x"))
    lines = tmp_path / "cut.jsonl"
    _wait(lambda: lines.exists() and lines.read_bytes().count(b"\n") > 5, process)
    os.kill(process.status.pid, signal.SIGKILL)
    status = _until_over(process)
    assert (status.state, status.restarts, status.exit_code) == ("done", 1, 0)
    assert _records(lines) == _records(tmp_path / "whole.jsonl")


def test_sigterm_ends_all_sources_with_whole_files(path: Path, tmp_path: Path) -> None:
    tables = "".join(
        f'[[source]]\nname = "{name}"\nsource = "{path}"\noutput = "{tmp_path}/{name}.jsonl"\n' for name in "ab"
    )
    (tmp_path / "s.toml").write_text(f'[defaults]\nwindow = "5ms"\npace = "0.02x"\n{tables}')
    command = [sys.executable, "-m", "eventdet.cli", "stream", "--sources", str(tmp_path / "s.toml")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + WAIT_S
        files = [tmp_path / f"{name}.jsonl" for name in "ab"]
        while not all(file.exists() and file.read_bytes().count(b"\n") > 2 for file in files):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if sys.platform == "linux":
            # Who only watches over others needs no half a gigabyte for it.
            assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
        process.terminate()
        assert process.wait(WAIT_S) == 130
        assert process.stderr is not None
        shown = process.stderr.read()
    for file in files:
        records = _records(file)
        assert records[-1]["type"] == "summary"
        assert f"{file.stem}: stopped, {len(records) - 2} windows" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="the signal of a parent's death is Linux's")
def test_workers_end_when_their_supervisor_is_killed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        f'[[source]]\nname = "a"\nwindow = "5ms"\npace = "0.01x"\nsource = "{path}"\noutput = "{tmp_path}/a.jsonl"\n'
    )
    file = tmp_path / "a.jsonl"
    command = [sys.executable, "-m", "eventdet.cli", "stream", "--sources", str(tmp_path / "s.toml")]
    deadline = time.monotonic() + WAIT_S
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while not (file.exists() and file.read_bytes().count(b"\n") > 1):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.kill()
    while "summary" not in file.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
