"""Conversions that are killed, kept out or run out of space: a whole store in the end, and nothing left over."""

import os
import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.errors import BusyError, OutputError
from eventdet.events import Events
from eventdet.formats import write_dat
from eventdet.geometry import GEN1
from eventdet.preprocessing import ConvertOptions, ConvertProgress, convert
from eventdet.preprocessing._layout import hidden_names
from eventdet.preprocessing._locks import locked
from eventdet.preprocessing.verify import verify_store

from .stores import OPTIONS, content_of, gen1_folder, make_store

KILLABLE = ConvertOptions(window_us=20_000)


def _drives(root: Path) -> Path:
    """Write four recordings that take a while: 200,000 events and 50 windows each."""
    rng = np.random.default_rng(1)
    for number in range(4):
        t = np.sort(rng.integers(0, 1_000_000, 200_000))
        x, y = rng.integers(0, GEN1.width, len(t)), rng.integers(0, GEN1.height, len(t))
        (root / "train").mkdir(parents=True, exist_ok=True)
        write_dat(root / f"train/{number}_td.dat", Events.from_columns(t=t, x=x, y=y, p=t % 2), GEN1)
    return root


def _command(source: Path, output: Path, *options: str) -> list[str]:
    """Return what converts in a process of its own, as `KILLABLE` says."""
    place = [str(source), "-o", str(output)]
    return [sys.executable, "-m", "eventdet.cli", "convert", *place, "--window", "20ms", "-q", *options]


def _start(source: Path, output: Path, *options: str) -> "subprocess.Popen[bytes]":
    """Convert in a process of its own; imports take their time, so it is returned when writing has begun."""
    process = subprocess.Popen(_command(source, output, *options), start_new_session=True)
    while process.poll() is None and not output.exists():
        time.sleep(0.01)
    return process


def _seconds_of_writing(source: Path, output: Path, *options: str) -> float:
    process = _start(source, output, *options)
    begun = time.monotonic()
    assert process.wait() == 0
    return time.monotonic() - begun


def _kill_after(seconds: float, source: Path, output: Path, *options: str) -> bool:
    """Convert in a process of its own, and kill it; return whether it was still at work."""
    process = _start(source, output, *options)
    time.sleep(seconds)
    was_running = process.poll() is None
    if was_running:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    while _is_alive(process.pid):
        time.sleep(0.01)
    return was_running


def _is_alive(group: int) -> bool:
    """Return whether a thread of the group still runs: with one that writes, its dead process holds its files."""
    for path in Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        with suppress(OSError):
            state, _, number = path.read_text().rpartition(") ")[2].split()[:3]
            if int(number) == group and state not in "ZX":
                return True
    return False


def _assert_resumes(source: Path, tmp_path: Path, moments: list[float], *options: str) -> None:
    """Kill conversions at `moments`, parts of the time that one takes here."""
    convert(source, tmp_path / "whole.zarr", KILLABLE)
    expected = content_of(tmp_path / "whole.zarr")
    # Twice, as the first one may compile.
    length_s = min(_seconds_of_writing(source, tmp_path / f"timed{turn}.zarr", *options) for turn in range(2))
    killed = 0
    for number, moment in enumerate(moments):
        output = tmp_path / f"{number}.zarr"
        killed += _kill_after(moment * length_s, source, output, *options)
        convert(source, output, KILLABLE)
        assert content_of(output) == expected, f"killed after {moment} of {length_s} s"
    assert killed >= len(moments) // 2


def test_killed_conversion_resumes_to_the_same_bytes_and_leaves_nothing(tmp_path: Path) -> None:
    _assert_resumes(_drives(tmp_path / "gen1"), tmp_path, [0.0, 0.4])


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--jobs", "2")], ids=["one process", "two processes"])
def test_conversion_killed_at_twenty_moments_resumes_to_the_same_bytes(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    rng = random.Random(3)
    _assert_resumes(_drives(tmp_path / "gen1"), tmp_path, [rng.uniform(0, 0.9) for _ in range(20)], *options)


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_interrupted_conversion_ends_tidily_and_resumes(tmp_path: Path, jobs: str) -> None:
    source, output = _drives(tmp_path / "gen1"), tmp_path / "out.zarr"
    command = _command(source, output, "--jobs", jobs)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while not list(output.rglob(".tmp-*")):
        time.sleep(0.01)
    # As a terminal does: to every process of the group.
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate()
    assert (process.returncode, told.decode()) == (130, "interrupted\n")
    assert list(output.rglob(".*")) == []
    assert verify_store(output, deep=True).findings == ()
    summary = convert(source, output, KILLABLE)
    assert summary.num_converted + summary.num_up_to_date == 4


def test_parts_converted_at_the_same_time_make_one_store(tmp_path: Path) -> None:
    source, output = _drives(tmp_path / "gen1"), tmp_path / "out.zarr"
    parts = [subprocess.Popen(_command(source, output, "--shard", f"{number}/2")) for number in (1, 2)]
    assert [part.wait() for part in parts] == [0, 0]
    convert(source, tmp_path / "whole.zarr", KILLABLE)
    assert content_of(output) == content_of(tmp_path / "whole.zarr")


def test_line_of_a_recording_that_another_process_wrote_is_not_taken_back(tmp_path: Path) -> None:
    source, output = gen1_folder(tmp_path / "gen1"), tmp_path / "out.zarr"
    lock = hidden_names(output / "val/a_td.zarr").lock
    lock.parent.mkdir(parents=True)
    holding = locked(lock)
    holding.__enter__()

    def let_the_other_finish(progress: ConvertProgress) -> None:
        # The last recording was refused; before the manifest is written, its writer is done.
        if progress.files_done == progress.num_files and not (output / "val/a_td.zarr").exists():
            holding.__exit__(None, None, None)
            convert(source, output, OPTIONS)

    summary = convert(source, output, OPTIONS, on_progress=let_the_other_finish)
    assert len(summary.failed) == 1
    assert verify_store(output, deep=True).findings == ()


def test_recording_that_another_process_writes_is_skipped_and_told(tmp_path: Path) -> None:
    source = gen1_folder(tmp_path / "gen1")
    (tmp_path / "out.zarr/val").mkdir(parents=True)
    with locked(hidden_names(tmp_path / "out.zarr/val/a_td.zarr").lock):
        summary = convert(source, tmp_path / "out.zarr", OPTIONS)
        assert summary.num_converted == 2
        assert "a_td.zarr is held by process" in summary.failed[0].reason
        with pytest.raises(BusyError):
            convert(source / "val/a_td.dat", tmp_path / "out.zarr/val", OPTIONS)
    assert convert(source, tmp_path / "out.zarr", OPTIONS).num_converted == 1
    assert verify_store(tmp_path / "out.zarr", deep=True).findings == ()


def test_file_that_may_not_grow_is_a_clear_error_and_the_store_stays_sound(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    _drives(tmp_path / "more")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        # Shards of these recordings are larger, metadata smaller.
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(OutputError, match=r"0_td\.zarr: cannot be written \(File too large\)"):
            convert(tmp_path / "more", store, KILLABLE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    report = verify_store(store, deep=True)
    assert (report.num_recordings, report.findings) == (3, ())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting needs root")
    yield folder
    # Readers keep their files open: the disk goes when they do.
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_a_clear_error_and_the_store_verifies(
    small_disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = small_disk / "out.zarr"
    assert run(["convert", str(_drives(tmp_path / "gen1")), "-o", str(output), "--window", "20ms"]) == 1
    assert "cannot be written (No space left on device)" in capsys.readouterr().err
    report = verify_store(output, deep=True)
    assert report.findings == ()
    assert 0 < report.num_recordings < 4


@pytest.mark.slow
def test_fifty_million_events_take_less_than_400_mb(tmp_path: Path) -> None:
    """A minute of 50 million events; the bound of the process, its libraries included."""
    rng = np.random.default_rng(2)

    def batches() -> Iterator[Events]:
        for second in range(60):
            t = np.sort(rng.integers(second * 1_000_000, (second + 1) * 1_000_000, 833_334))
            x, y = rng.integers(0, GEN1.width, len(t)), rng.integers(0, GEN1.height, len(t))
            yield Events.from_columns(t=t, x=x, y=y, p=t % 2)

    write_dat(tmp_path / "a_td.dat", batches(), GEN1)
    script = (
        "from eventdet.preprocessing import ConvertOptions, convert; import sys; "
        "print(convert(sys.argv[1], sys.argv[2], ConvertOptions(window_us=50_000)).num_events); "
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "a_td.dat"), str(tmp_path / "out.zarr")]
    num_events, peak_kb = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert int(num_events) == 50_000_040
    assert int(peak_kb) < 400_000
