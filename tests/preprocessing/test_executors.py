"""Executors: several processes and a cluster write what one process writes, and outlive what kills a process."""

import os
import signal
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from eventdet.errors import EventdetError, MissingExtraError, OptionError
from eventdet.preprocessing import DaskExecutor, ProcessExecutor, convert
from eventdet.preprocessing._convert_one import ConversionTask, convert_recording
from eventdet.preprocessing.conversion import Outcome
from eventdet.preprocessing.executors import Executor

from .stores import OPTIONS, content_of, gen1_folder


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return gen1_folder(tmp_path_factory.mktemp("executors") / "gen1")


@pytest.fixture(scope="module")
def expected(source: Path) -> dict[str, bytes]:
    convert(source, source.parent / "serial.zarr", OPTIONS)
    return content_of(source.parent / "serial.zarr")


def _dask() -> Executor:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    return DaskExecutor("local", num_workers=1)


# A cluster lets go of its sockets and loops when it is collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("executor", [lambda: ProcessExecutor(2), _dask], ids=["processes", "dask"])
def test_executors_write_the_bytes_of_one_process(
    source: Path, expected: dict[str, bytes], tmp_path: Path, executor: type[Executor]
) -> None:
    (tmp_path / "bad.dat").write_bytes(b"")
    summary = convert([source, tmp_path / "bad.dat"], tmp_path / "out.zarr", OPTIONS, executor=executor())
    assert (summary.num_converted, len(summary.failed)) == (3, 1)
    assert summary.failed[0].reason.startswith("file is empty")
    stored = {name: data for name, data in content_of(tmp_path / "out.zarr").items() if name != "manifest.jsonl"}
    common = os.path.commonpath([source, tmp_path])
    prefix = source.relative_to(common).as_posix()
    assert stored == {f"{prefix}/{name}": data for name, data in expected.items() if name != "manifest.jsonl"}


def _killing_once(task: ConversionTask) -> Outcome:
    """Convert a recording; the first time that `train/b` is begun, its process is killed in the middle of it."""
    once = task.output / "killed"
    if task.job.name == "train/b_td.zarr" and not once.exists():
        once.touch()
        convert_recording(task, lambda _num_events: os.kill(os.getpid(), signal.SIGKILL))
    return convert_recording(task)


def _killing(task: ConversionTask) -> Outcome:
    """Convert a recording; `val` kills its process every time, `train/b` the first time."""
    once = task.output / "killed"
    if task.job.name.startswith("val") or (task.job.name == "train/b_td.zarr" and not once.exists()):
        once.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return convert_recording(task)


def test_killed_processes_are_replaced_and_a_task_that_kills_is_left_out(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventdet.preprocessing.executors.convert_recording", _killing)
    summary = convert(source, tmp_path / "out.zarr", OPTIONS, executor=ProcessExecutor(2))
    # One that was whole when the other process died, but not yet reported, is found up to date.
    assert summary.num_converted + summary.num_up_to_date == 2
    assert [(failure.path.parent.name, failure.reason) for failure in summary.failed] == [
        ("val", "its process was killed each time")
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_killed_dask_worker_is_replaced_and_the_store_is_the_same(
    source: Path, expected: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra cluster is not installed")
    monkeypatch.setattr("eventdet.preprocessing.executors.convert_recording", _killing_once)
    executor = DaskExecutor("local", num_workers=2)
    assert convert(source, tmp_path / "out.zarr", OPTIONS, executor=executor).num_converted == 3
    assert (tmp_path / "out.zarr/killed").exists()
    (tmp_path / "out.zarr/killed").unlink()
    assert content_of(tmp_path / "out.zarr") == expected


class _Cut:
    """Ends after the first recording, as Ctrl-C would."""

    def run(self, tasks: Sequence[ConversionTask]) -> Generator[Outcome, None, None]:
        yield convert_recording(tasks[0])
        raise KeyboardInterrupt


def test_what_was_done_before_the_end_came_is_in_the_manifest(source: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "out.zarr", OPTIONS, executor=_Cut())
    assert (tmp_path / "out.zarr/manifest.jsonl").read_text().count("\n") == 1


def test_error_of_a_single_recording_comes_back_whole_from_another_process(tmp_path: Path) -> None:
    (tmp_path / "bad.dat").write_bytes(b"noise")
    with pytest.raises(EventdetError, match="unknown format at byte 0") as caught:
        convert(tmp_path / "bad.dat", tmp_path / "out.zarr", OPTIONS, executor=ProcessExecutor(1))
    assert caught.value.hint.startswith("readable formats")


def test_executors_refuse_what_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="jobs must be > 0"):
        ProcessExecutor(0)
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingExtraError, match="extra 'cluster'"):
        DaskExecutor("local")
