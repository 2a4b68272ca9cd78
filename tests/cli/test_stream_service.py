"""The stream command as a service: configuration, log records, recording, metrics, and going on after a kill."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.formats import open_recording, write_boxes, write_dat
from eventdet.models import build_detector, save_detector
from tests.sources.network import HEADER, SIZE, WAIT_S, end, frame, random_events, tcp_sender

WINDOWS = 40


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of 40 windows of 5 ms."""
    target = tmp_path_factory.mktemp("recording") / "a_td.dat"
    write_dat(target, random_events(num_events=20_000, duration_us=5000 * WINDOWS), SIZE)
    return target


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _same(found: Path, expected: Path) -> None:
    """Compare all that a clock of the wall has no part in."""
    one, other = _records(found), _records(expected)
    for record in (*one, *other):
        record.pop("latency_ms", None)
        record.pop("wall_s", None)
    assert one == other


def _wait(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_a_run_killed_in_the_middle_goes_on_to_the_same_files(path: Path, tmp_path: Path) -> None:
    options = ["--window", "5ms", "--conf", "0.05", "--threads", "1", "-q"]
    whole = [str(tmp_path / f"whole.{kind}") for kind in ("jsonl", "csv", "txt")]
    assert run(["stream", str(path), *options, *(f"-o{one}" for one in whole)]) == 0
    cut = [str(tmp_path / f"cut.{kind}") for kind in ("jsonl", "csv", "txt")]
    outputs = [f"-o{one}" for one in cut]
    # The pace gives time to kill it in the middle.
    command = [sys.executable, "-m", "eventdet.cli", "stream", str(path), *options, *outputs, "--pace", "0.1x"]
    with subprocess.Popen(command) as process:
        _wait(lambda: _lines(Path(cut[0])) > 12)
        process.kill()
    assert 12 < _lines(Path(cut[0])) < WINDOWS
    with Path(cut[0]).open("ab") as file:
        file.write(b'{"t_us": 12')
    assert run(["stream", str(path), *options, *outputs, "--resume"]) == 0
    _same(Path(cut[0]), Path(whole[0]))
    assert Path(cut[1]).read_bytes() == Path(whole[1]).read_bytes()
    assert Path(cut[2]).read_bytes() == Path(whole[2]).read_bytes()


def test_resume_without_anything_to_continue_says_why(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["stream", str(path), "--resume", "-o", str(tmp_path / "a.mp4")]) == 2
    assert "only .jsonl, .csv and .txt can" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_goes_before_the_file_and_the_file_before_defaults(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "stream.toml"
    config.write_text(f'source = "{path}"\nmax-det = 7\nconf = 0.5\nfilter = ["background:time=2ms"]\n')
    assert run(["stream", "--config", str(config), "--conf", "0.4", "--print-config"]) == 0
    printed = capsys.readouterr().out
    for line in (f'source = "{path}"', "max-det = 7", "conf = 0.4", "iou = 0.45", 'filter = ["background:time=2ms"]'):
        assert line in printed.splitlines()
    # What is printed is a file again.
    config.write_text(printed)
    assert run(["stream", "--config", str(config), "--print-config"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("wndow = '5ms'", 2, "unknown key 'wndow'; did you mean window?"),
        ("max-det = 'many'", 2, "Invalid value for '--max-det'"),
        ("sources = 'a.toml'", 2, "unknown key 'sources'"),
        ("max-det = ", 3, "no TOML"),
    ],
)
def test_a_wrong_file_says_where(
    text: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.toml").write_text(text)
    assert run(["stream", "a.dat", "--config", str(tmp_path / "a.toml")]) == code
    assert message in capsys.readouterr().err


def test_a_json_log_is_records_alone(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = str(tmp_path / "a.jsonl")
    assert run(["stream", str(path), "--window", "5ms", "--threads", "1", "-o", target, "--log-format", "json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    by_event = {record["event"]: record for record in records}
    assert by_event["summary"]["num_windows"] == WINDOWS
    assert by_event["summary"]["latency_ms"]["total"]["p50"] > 0
    assert by_event["output"]["output"] == target
    assert run(["stream", "gone.dat", "--log-format", "json"]) == 3
    (record,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (record["level"], record["message"]) == ("error", "gone.dat: no such file")
    assert run(["stream", "gone.dat", "--log-format", "xml"]) == 2


def test_a_live_stream_is_recorded_beside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = random_events(num_events=3000)
    record = tmp_path / "seen.raw"
    with tcp_sender(HEADER + frame(0, events) + end(1)) as address:
        assert run(["stream", address, "-o", str(tmp_path / "a.jsonl"), "--record", str(record), "--threads", "1"]) == 0
    assert f"wrote {record} (3,000 events)" in capsys.readouterr().err
    for found, expected in zip(open_recording(record).slice(0, 1_000_000), events, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert run(["stream", str(record), "--record", str(tmp_path / "again.raw")]) == 2
    assert "--record is for live sources" in capsys.readouterr().err


@pytest.mark.parametrize(
    "wrong",
    ["--record b.raw", "--metrics-port {port}", "--profile {path}", "-o {labels}", "-m {model} --profile {model}"],
)
def test_a_wrong_call_leaves_an_earlier_file_as_it_was(path: Path, tmp_path: Path, wrong: str) -> None:
    earlier, labels, model = (tmp_path / name for name in ("a.jsonl", "a_bbox.npy", "m.safetensors"))
    path = Path(shutil.copy(path, tmp_path))
    earlier.write_bytes(b"earlier\n")
    write_boxes(labels, Boxes.empty())
    save_detector(build_detector("ems-nano"), model)
    inputs = [file.read_bytes() for file in (path, labels, model)]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = wrong.format(port=taken.getsockname()[1], path=path, labels=labels, model=model).split()
        assert run(["stream", str(path), "-o", str(earlier), "-q", *options]) in (1, 2)
    assert earlier.read_bytes() == b"earlier\n"
    assert [file.read_bytes() for file in (path, labels, model)] == inputs


def test_metrics_are_served_while_it_runs_and_sigterm_finalises_all(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="the extra metrics is not installed")
    pytest.importorskip("av", reason="the extra video is not installed")
    targets = [tmp_path / name for name in ("a.jsonl", "b.mp4", "c.json", "d.npy", "e.csv")]
    command = [
        sys.executable,
        "-m",
        "eventdet.cli",
        "stream",
        str(path),
        "--window",
        "5ms",
        "--pace",
        "0.05x",
        "--threads",
        "1",
    ]
    command += ["--metrics-port", "0", "--log-format", "json", *(f"-o{target}" for target in targets)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = json.loads(process.stderr.readline())["address"]
        _wait(lambda: _lines(targets[0]) > 3)
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=WAIT_S)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 130
        rest = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert rest[-1]["event"] == "interrupted"
    count = next(float(line.split()[1]) for line in text.splitlines() if line.startswith("eventdet_windows_total "))
    assert 2 <= count < WINDOWS
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(target.name for target in targets)
    num_windows = next(record["num_windows"] for record in rest if record["event"] == "summary")
    assert len(_records(targets[0])) == num_windows + 2
    assert len(json.loads(targets[2].read_text())["images"]) == num_windows
    import av

    with av.open(str(targets[1])) as video:
        assert sum(1 for _ in video.decode(video=0)) == num_windows


@pytest.mark.skipif(sys.platform != "linux", reason="torch brings GNU's OpenMP on Linux alone")
@pytest.mark.parametrize(("given", "spins"), [({}, 10_000), ({"GOMP_SPINCOUNT": "77"}, 77)], ids=["default", "given"])
def test_threads_that_wait_soon_sleep_on_a_busy_machine(given: dict[str, str], spins: int) -> None:
    # What the library of threads itself says it goes by.
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= given | {"OMP_DISPLAY_ENV": "VERBOSE"}
    command = [sys.executable, "-m", "eventdet.cli", "stream", "missing.dat"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 3
    assert f"GOMP_SPINCOUNT = '{spins}'" in said.stderr


@pytest.mark.parametrize(("pace", "threads"), [("max", 2), ("100x", 1)])
def test_one_thread_is_taken_where_windows_wait_for_time(path: Path, tmp_path: Path, pace: str, threads: int) -> None:
    command = [sys.executable, "-m", "eventdet.cli", "stream", str(path), f"--pace={pace}", "-o", "a.jsonl"]
    subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "2"}, cwd=tmp_path, capture_output=True, check=True)
    header = json.loads((tmp_path / "a.jsonl").read_text().splitlines()[0])
    assert f" {threads} threads" in header["hardware"]


def test_a_profile_is_whole_after_sigterm(path: Path, tmp_path: Path) -> None:
    lines, trace = tmp_path / "a.jsonl", tmp_path / "trace.json"
    command = [sys.executable, "-m", "eventdet.cli", "stream", str(path), "--window=5ms", "--threads=1"]
    with subprocess.Popen([*command, "--pace=0.05x", f"-o{lines}", f"--profile={trace}"]) as process:
        _wait(lambda: _lines(lines) > 3)
        # Whoever stops a service seldom asks once.
        for _ in range(3):
            process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 130
    num_windows = len(_records(lines)) - 2
    assert json.loads(trace.read_text())["otherData"] == {"windows": num_windows, "windows_kept": num_windows}
    # A run without a window has nothing to tell in its place.
    assert run([*command[3:], "--record", str(tmp_path / "b.raw"), "--profile", str(trace)]) == 2
    assert json.loads(trace.read_text())["otherData"]["windows"] == num_windows


def test_labels_beside_a_recording_tell_how_soon_objects_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drive, labels = tmp_path / "drive_td.dat", tmp_path / "drive_bbox.npy"
    assert run(["simulate", "-o", str(drive), "--seconds", "1", "--seed", "3"]) == 0
    assert run(["stream", str(drive), "--log-format", "json"]) == 0
    log = [json.loads(line) for line in capsys.readouterr().err.splitlines() if line.startswith("{")]
    (delay,) = (record for record in log if record["event"] == "delay")
    known = np.load(labels)
    assert delay["num_objects"] == len(np.unique(known["track_id"])) > 0
    assert (
        delay["label_every_ms"] == np.median(np.diff(np.unique(known["t" if "t" in known.dtype.names else "ts"]))) / 1e3
    )
    labels.write_bytes(b"no list")
    assert run(["stream", str(drive)]) == 0
    shown = capsys.readouterr().err
    assert f"labels are left out: {labels}" in shown
    assert "event to detection" not in shown


def test_a_log_of_json_stays_json_where_no_object_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    source = "synthetic://?seed=3&seconds=1"
    assert run(["stream", source, "--conf", "1", "--log-format", "json", "-o", str(tmp_path / "a.jsonl")]) == 0
    records = [json.loads(line, parse_constant=refuse) for line in capsys.readouterr().err.splitlines()]
    (delay,) = (record for record in records if record["event"] == "delay")
    assert delay["num_objects"] > 0
    assert (delay["num_found"], delay["median_ms"], delay["max_ms"]) == (0, None, None)
