"""Exit codes and messages: one line, a hint, never a traceback."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eventdet import GEN1, Events, __version__
from eventdet.cli.main import run
from eventdet.formats import write_dat


@pytest.fixture
def small_dat(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    t = np.sort(rng.integers(0, 200_000, 5000))
    events = Events.from_columns(t=t, x=rng.integers(0, 304, 5000), y=rng.integers(0, 240, 5000), p=t % 2)
    path = tmp_path / "small_td.dat"
    write_dat(path, events, GEN1)
    return path


def _errors(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_no_command_prints_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    for command in ("info", "convert", "stream", "visualize", "simulate", "doctor", "benchmark"):
        assert command in shown


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"eventdet {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [["frobnicate"], ["info"], ["info", "a", "b"], ["stream", "x", "--conf", "2"], ["simulate", "--seconds", "abc"]],
    ids=" ".join,
)
def test_a_wrong_call_is_two_lines_and_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    error, hint = _errors(capsys)
    assert error.startswith("error: ")
    assert hint.startswith("hint: eventdet")
    assert hint.endswith("--help")


@pytest.mark.parametrize("command", ["info", "stream", "visualize", "convert"])
def test_a_missing_file_is_exit_code_3_with_a_hint(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = [] if command == "info" else ["-o", str(tmp_path / ("o.zarr" if command == "convert" else "o.mp4"))]
    assert run([command, str(tmp_path / "nothing.dat"), *output]) == 3
    errors = _errors(capsys)
    assert "nothing.dat" in errors[0]
    assert errors[0].startswith("error: ")
    assert len(errors) <= 2


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(64), "format"), (None, "directory")],
    ids=["empty file", "a picture", "a folder"],
)
def test_input_that_is_no_recording_is_exit_code_3(
    content: bytes | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.dat"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert run(["info", str(path)]) == 3
    assert message in _errors(capsys)[0]


def test_a_bad_value_is_exit_code_2(small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", str(small_dat), "-o", str(tmp_path / "o.zarr"), "--window", "50"]) == 2
    assert _errors(capsys)[0] == "error: --window must be a number with a unit (us, ms, s, min), got '50'"


def test_info_as_json_holds_the_counts(small_dat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(small_dat), "--json"]) == 0
    info = json.loads(capsys.readouterr().out)
    assert info["num_events"] == 5000
    assert info["format"] == "dat"


def test_info_counts_trailing_bytes_and_pixels_outside(small_dat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = bytearray(small_dat.read_bytes())
    outside = (400 | (7 << 14) | (1 << 28)).to_bytes(4, "little")
    small_dat.write_bytes(bytes(content[:-4]) + outside + b"abc")
    assert run(["info", str(small_dat)]) == 0
    shown = capsys.readouterr().out
    assert "out_of_range_dropped 1" in shown
    assert "trailing_bytes 3" in shown
    assert run(["info", str(small_dat), "--policy", "strict"]) == 3


def test_convert_of_a_folder_with_one_bad_file_is_exit_code_5(
    small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    small_dat.rename(folder / "good_td.dat")
    (folder / "bad_td.dat").write_bytes(b"nonsense")
    assert run(["convert", str(folder), "-o", str(tmp_path / "o.zarr"), "--window", "50ms"]) == 5
    captured = capsys.readouterr()
    assert "1 converted" in captured.out
    assert "bad_td.dat" in captured.err


def test_simulate_says_synthetic_and_repeats_its_digest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digests = []
    for name in ("a_td.dat", "b_td.dat"):
        assert run(["simulate", "-o", str(tmp_path / name), "--seconds", "0.05", "--seed", "9", "--json"]) == 0
        digests.append(json.loads(capsys.readouterr().out)["sha256"])
    assert digests[0] == digests[1]
    assert run(["simulate", "-o", str(tmp_path / "c_td.dat"), "--seconds", "0.05"]) == 0
    assert "synthetic" in capsys.readouterr().out


def test_stream_to_stdout_is_json_lines_only(small_dat: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eventdet.cli", "stream", str(small_dat), "-o", "-"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert records[0]["type"] == "header"
    assert [record["t_us"] for record in records[1:]] == [50_000, 100_000, 150_000, 200_000]
    assert all(set(box) == {"xywh", "score", "class_id", "name", "track_id"} for r in records[1:] for box in r["boxes"])


def test_a_closed_pipe_is_quiet(small_dat: Path) -> None:
    command = f"{sys.executable} -m eventdet.cli stream {small_dat} -o - --window 1ms | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["type"] == "header"
    assert "Traceback" not in done.stderr


def test_interrupt_is_exit_code_130_and_leaves_whole_lines(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    arguments = ["stream", "synthetic://?seconds=0.5", "-o", str(output)]
    script = (
        "import signal, sys\nfrom eventdet.cli.main import run\nfrom eventdet.streaming import Streamer\n"
        "iterate = Streamer.__iter__\n"
        "def stopped(self):\n"
        "    for result in iterate(self):\n"
        "        yield result\n"
        "        if result.seq == 2:\n"
        "            signal.raise_signal(signal.SIGTERM)\n"
        "Streamer.__iter__ = stopped\n"
        f"sys.exit(run({arguments!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 130, done.stderr
    assert "Traceback" not in done.stderr
    text = output.read_text()
    assert text.endswith("\n")
    records = [json.loads(line) for line in text.splitlines()]
    assert [record["seq"] for record in records[1:]] == [0, 1, 2]
