"""Exit codes and messages: one line, a hint, never a traceback."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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


def test_a_value_beyond_its_limits_names_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stream", "x", "--conf", "2"]) == 2
    assert "--conf" in _errors(capsys)[0]


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
    [(b"", "empty"), (b"\x89PNG\r\n\x1a\n" + bytes(64), "format"), (None, "no stored recording")],
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
    assert _errors(capsys)[0] == "error: --window must be a number with a unit (us, ms, s, min, h), got '50'"


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
    assert [record["t_us"] for record in records[1:-1]] == [50_000, 100_000, 150_000, 200_000]
    keys = {"xywh", "score", "class_id", "name", "track_id"}
    assert all(set(box) == keys for record in records[1:-1] for box in record["boxes"])
    assert (records[-1]["type"], records[-1]["n_windows"], records[-1]["n_events"]) == ("summary", 4, 5000)


def _shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)


def test_a_closed_pipe_is_quiet(small_dat: Path) -> None:
    stream = f"{sys.executable} -m eventdet.cli stream {small_dat} -o - --window 1ms"
    done = _shell(f'{stream} | head -n 1; echo "${{PIPESTATUS[0]}}"')
    header, status = done.stdout.splitlines()
    assert json.loads(header)["type"] == "header"
    assert (status, done.stderr) == ("0", "")


def test_a_closed_pipe_does_not_stop_the_other_outputs(small_dat: Path, tmp_path: Path) -> None:
    stream = f"{sys.executable} -m eventdet.cli stream {small_dat} -o - -o {tmp_path}/a.jsonl --window 1ms"
    done = _shell(f'{stream} | head -n 2; echo "${{PIPESTATUS[0]}}"')
    assert done.stdout.splitlines()[-1] == "0", done.stderr
    records = _records(tmp_path / "a.jsonl")
    assert [record["seq"] for record in records[1:-1]] == list(range(200))
    assert "Traceback" not in done.stderr
    assert "wrote - (its reader left before the end)" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("name", ["full.mp4", "-"])
def test_a_full_disk_is_exit_code_1_with_one_line(small_dat: Path, tmp_path: Path, name: str) -> None:
    target = name
    if name != "-":
        target = str(tmp_path / name)
        Path(target).symlink_to("/dev/full")
    stream = f"{sys.executable} -m eventdet.cli stream {small_dat} -q -o {target} -o {tmp_path}/a.npy --window 1ms"
    done = _shell(f"{stream} > /dev/full")
    assert done.returncode == 1
    assert done.stderr == f"error: output {target} cannot be written: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("command", ["formats", "formats --json", "verify --help", "--version"])
def test_printing_to_a_full_disk_is_one_line(command: str) -> None:
    done = _shell(f"{sys.executable} -m eventdet.cli {command} > /dev/full")
    assert (done.returncode, done.stderr) == (1, "error: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("closing", ["2>&-", "2>/dev/full"])
def test_a_stream_is_whole_without_a_place_for_its_log(small_dat: Path, tmp_path: Path, closing: str) -> None:
    done = _shell(f"{sys.executable} -m eventdet.cli stream {small_dat} -o {tmp_path}/a.jsonl --window 10ms {closing}")
    assert done.returncode == 0
    header, *windows, summary = _records(tmp_path / "a.jsonl")
    assert (header["type"], len(windows), summary["type"]) == ("header", 20, "summary")


def test_a_closed_standard_output_is_one_line(small_dat: Path) -> None:
    done = _shell(f"{sys.executable} -m eventdet.cli stream {small_dat} -o - >&-")
    assert done.returncode == 1
    assert done.stderr == "error: output - cannot be written: the standard output is closed\n"


def test_a_wrong_output_leaves_earlier_ones(
    small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = [tmp_path / name for name in ("a.mp4", "a.jsonl", "a.npy")]
    for path in old:
        path.write_bytes(b"old")
    outputs = [part for path in (*old, tmp_path / "a.tsv") for part in ("-o", str(path))]
    assert run(["stream", str(small_dat), *outputs]) == 2
    assert "a.tsv" in _errors(capsys)[0]
    assert [path.read_bytes() for path in old] == [b"old"] * 3


def test_stream_and_visualize_tell_what_was_repaired(
    small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_dat.open("ab") as file:
        file.write(b"abc")
    assert run(["stream", str(small_dat), "-o", str(tmp_path / "a.jsonl")]) == 0
    assert "repaired: trailing_bytes 3" in _errors(capsys)
    assert _records(tmp_path / "a.jsonl")[-1]["repairs"] == {"trailing_bytes": 3}
    assert run(["visualize", str(small_dat), "-o", str(tmp_path / "a.png")]) == 0
    assert "repaired: trailing_bytes 3" in capsys.readouterr().out.splitlines()


def test_boxes_of_another_sensor_are_told(small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = tmp_path / "a.jsonl"
    assert run(["stream", str(small_dat), "-o", str(boxes), "-q"]) == 0
    command = ["visualize", str(small_dat), "--boxes", str(boxes), "-o", str(tmp_path / "a.gif")]
    assert run(command) == 0
    assert "note" not in capsys.readouterr().out
    header, *windows = _records(boxes)
    header["sensor_size"] = {"height": 24, "width": 30}
    boxes.write_text("\n".join(json.dumps(record) for record in (header, *windows)))
    assert run(command) == 0
    assert "note: the boxes are those of a sensor of 30x24, not " in capsys.readouterr().out


def test_a_span_without_windows_is_a_note(small_dat: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["stream", str(small_dat), "-o", str(tmp_path / "a.mp4"), "--start", "99s"]) == 0
    shown = capsys.readouterr().err
    assert "note: there was no window in that span" in shown
    assert "inf" not in shown
    for name in ("a.mp4", "a.png"):
        assert run(["visualize", str(small_dat), "-o", str(tmp_path / name), "--start", "99s"]) == 0
        assert "note: there was no picture to write, so no file was written" in capsys.readouterr().out
        assert not (tmp_path / name).exists()


def _records(path: Path) -> list[dict[str, Any]]:
    """Return the records of the whole lines that a file has so far."""
    lines = path.read_bytes().rpartition(b"\n")[0].splitlines() if path.exists() else []
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_stream_with_every_output_whole(tmp_path: Path, number: signal.Signals, times: int) -> None:
    av = pytest.importorskip("av", reason="the extra video is not installed")
    names = ["a.mp4", "a.jsonl", "a.npy", "a.gif"]
    # Paced slowly, so that it cannot end by itself; most of the time it waits for a window.
    process = subprocess.Popen(
        [
            sys.executable, "-m", "eventdet.cli", "stream", "synthetic://?seconds=2",
            "--pace", "0.5x", "--conf", "0.05", *(part for name in names for part in ("-o", str(tmp_path / name))),
        ],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(_records(tmp_path / "a.jsonl")) < 4:
        assert process.poll() is None, process.stderr
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for _ in range(times):
        process.send_signal(number)
    _, shown = process.communicate(timeout=120)
    assert process.returncode == 130, shown
    assert shown.endswith("interrupted\n")
    assert "Traceback" not in shown
    assert all(f"wrote {tmp_path / name}" in shown for name in names)
    _, *windows, summary = _records(tmp_path / "a.jsonl")
    assert [record["seq"] for record in windows] == list(range(len(windows)))
    assert f"{len(windows)} windows, " in shown
    assert summary["n_windows"] == len(windows) >= 3
    for name in ("a.mp4", "a.gif"):
        with av.open(str(tmp_path / name)) as container:
            assert sum(1 for _ in container.decode(video=0)) == len(windows)
    assert len(np.load(tmp_path / "a.npy")) == summary["n_boxes"] == sum(len(record["boxes"]) for record in windows)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


WAITS_IN_OPENING = """
import sys, time
import eventdet.sources
from eventdet.cli.main import main

def open_source(*arguments, **options):
    print("opening", flush=True)
    time.sleep(600)

eventdet.sources.open_source = open_source
main()
"""


def test_sigterm_while_a_source_is_opened_is_exit_code_130(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WAITS_IN_OPENING, "stream", "a.dat", "-o", str(tmp_path / "a.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "opening\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 130
    assert not (tmp_path / "a.jsonl").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_a_drawing_with_a_whole_video(tmp_path: Path, number: signal.Signals) -> None:
    av = pytest.importorskip("av", reason="the extra video is not installed")
    source = tmp_path / "long_td.dat"
    t = np.arange(0, 100_000_000, 10_000)
    write_dat(source, Events.from_columns(t=t, x=t // 10_000 % 304, y=t // 10_000 % 240, p=t % 2), GEN1)
    process = subprocess.Popen(
        [
            sys.executable, "-m", "eventdet.cli", "visualize", str(source),
            "-o", str(tmp_path / "a.mp4"), "--fps", "1000",
        ],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not any(path.stat().st_size for path in tmp_path.glob(".a.*.part.mp4")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    process.send_signal(number)
    out, shown = process.communicate(timeout=120)
    assert (process.returncode, shown) == (130, "interrupted\n")
    with av.open(str(tmp_path / "a.mp4")) as container:
        num_frames = sum(1 for _ in container.decode(video=0))
    assert out == f"{tmp_path / 'a.mp4'}: {num_frames} pictures\n"
