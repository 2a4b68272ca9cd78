"""Sources on a real Dask cluster of two processes on this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from eventdet.formats import write_dat
from eventdet.service import SourceSpec, Supervisor
from eventdet.service.actors import ClusterSupervisor
from tests.sinks.broker import free_port
from tests.sources.network import SIZE, WAIT_S, random_events

distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")

WINDOWS = 30

# Dask leaves sockets and its own timers to the collector when a worker is killed.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as connected,
    ):
        yield connected


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("recording") / "a_td.dat"
    write_dat(target, random_events(num_events=6000, duration_us=5000 * WINDOWS), SIZE)
    return target


def _spec(name: str, path: Path, folder: Path, *more: str, **options: object) -> SourceSpec:
    outputs = [str(folder / f"{name}.jsonl"), *more]
    return SourceSpec(name, {"threads": 1, "window": "5ms", "output": outputs, "source": str(path), **options})


def _records(path: Path) -> list[dict[str, object]]:
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: one[name] for name in one if name not in ("latency_ms", "wall_s")} for one in records]


def test_actors_give_what_processes_give_and_publish_it(client: Any, path: Path, tmp_path: Path) -> None:
    zmq = pytest.importorskip("zmq", reason="the extra zmq is not installed")
    port = free_port()
    with zmq.Context() as context, context.socket(zmq.SUB) as subscriber:
        subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        subscriber.setsockopt(zmq.RCVTIMEO, round(1e3 * WAIT_S))
        subscriber.connect(f"tcp://127.0.0.1:{port}")
        # Slowed down so that the subscriber is there before the end.
        specs = [_spec("a", path, tmp_path, f"zmq://127.0.0.1:{port}", pace="0.1x"), _spec("b", path, tmp_path)]
        supervisor = ClusterSupervisor(specs, client)
        thread = threading.Thread(target=supervisor.run)
        thread.start()
        kinds = [subscriber.recv_multipart()[0]]
        while kinds[-1] != b"summary":
            kinds.append(subscriber.recv_multipart()[0])
        thread.join(WAIT_S)
    assert [(one.state, one.num_windows) for one in supervisor.statuses] == [("done", WINDOWS)] * 2
    # The window that was being sent when the subscriber came may go before.
    assert b"header" in kinds[:2]
    assert kinds.count(b"window") > WINDOWS // 2
    Supervisor([_spec("c", path, tmp_path)]).run()
    for name in "ab":
        assert _records(tmp_path / f"{name}.jsonl") == _records(tmp_path / "c.jsonl")


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A scheduler and two workers, as a user starts them: address of the scheduler."""
    told = tmp_path / "scheduler.json"
    quiet = ["--host=127.0.0.1", "--no-dashboard", f"--scheduler-file={told}"]
    dask = [sys.executable, "-m", "dask"]
    with ExitStack() as stack:
        for more in (["scheduler", "--port=0"], *[["worker", "--nthreads=1", "--no-nanny"]] * 2):
            log = stack.enter_context((tmp_path / "dask.log").open("a"))
            process = stack.enter_context(subprocess.Popen([*dask, *more, *quiet], stdout=log, stderr=log))
            stack.callback(process.terminate)
            deadline = time.monotonic() + WAIT_S
            while not told.exists():
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield json.loads(told.read_text())["address"]


def _sources(path: Path, folder: Path, **options: object) -> Path:
    lines = [f"{name} = {json.dumps(value)}" for name, value in {"window": "5ms", **options}.items()]
    for name in "ab":
        lines += ["[[source]]", f'name = "{name}"', f'source = "{path}"', f'output = "{folder}/{name}.jsonl"']
    target = folder / "sources.toml"
    target.write_text("\n".join(["[defaults]", *lines]))
    return target


@pytest.mark.slow
def test_the_command_line_runs_sources_on_a_cluster_of_processes(cluster: str, path: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eventdet.cli", "stream", "--cluster", cluster, "--sources"]
    ran = subprocess.run([*command, _sources(path, tmp_path)], stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    placed = {line.split()[0]: line.split()[-1] for line in ran.stderr.splitlines() if "runs on" in line}
    assert placed.keys() == {"[a]", "[b]"}
    assert len(set(placed.values())) == 2
    assert f"a: done, {WINDOWS} windows" in ran.stderr
    Supervisor([_spec("c", path, tmp_path)]).run()
    for name in "ab":
        assert _records(tmp_path / f"{name}.jsonl") == _records(tmp_path / "c.jsonl")
    slow = _sources(path, tmp_path, pace="0.02x")
    for name in "ab":
        (tmp_path / f"{name}.jsonl").unlink()
    with subprocess.Popen([*command, slow], stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + WAIT_S
        files = [tmp_path / f"{name}.jsonl" for name in "ab"]
        while not all(file.exists() and file.read_bytes().count(b"\n") > 2 for file in files):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 130
    for file in files:
        assert _records(file)[-1]["type"] == "summary"


@pytest.mark.slow
def test_a_source_moves_when_its_dask_worker_is_killed(client: Any, path: Path, tmp_path: Path) -> None:
    supervisor = ClusterSupervisor([_spec("a", path, tmp_path, pace="0.02x")], client)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    deadline = time.monotonic() + WAIT_S
    file = tmp_path / "a.jsonl"
    while not file.exists() or file.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    holder = next(one for one, keys in client.has_what().items() if keys)
    os.kill(client.run(os.getpid, workers=[holder])[holder], signal.SIGKILL)
    while not (supervisor.statuses[0].restarts and supervisor.statuses[0].num_windows):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    supervisor.stop()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert supervisor.statuses[0].state == "stopped"
    records = _records(file)
    assert records[-1]["type"] == "summary"
    assert [record["seq"] for record in records[1:-1]] == list(range(len(records) - 2))
