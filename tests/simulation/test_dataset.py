"""Data sets: splits, seeds, the same files however they are made, and nothing made twice."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet.errors import OptionError, OutputError
from eventdet.formats import find_boxes, open_recording, read_boxes
from eventdet.simulation import SimulationConfig, dataset, simulate, write_recording
from eventdet.simulation.dataset import DatasetOptions, plan_dataset, write_dataset

SHORT = DatasetOptions(4, SimulationConfig(7, 20_000), split=(0.5, 0.25, 0.25))


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("synthetic_*")}


@given(st.integers(1, 60), st.tuples(*[st.integers(0, 20)] * 3).filter(any), st.integers(0, 1000))
def test_splits_have_their_shares_within_one_and_seeds_differ(
    num_recordings: int, parts: tuple[int, int, int], seed: int
) -> None:
    shares = np.array(parts) / sum(parts)
    split = (float(shares[0]), float(shares[1]), float(1 - shares[:2].sum().clip(0, 1)))
    planned = plan_dataset(DatasetOptions(num_recordings, SimulationConfig(seed, 1000), split=split))
    counts = Counter(recording.path.partition("/")[0] for recording in planned)
    for name, share in zip(("train", "val", "test"), split, strict=True):
        assert abs(counts[name] - share * num_recordings) < 1.5
    assert len({recording.config.seed for recording in planned}) == num_recordings
    assert len({recording.path for recording in planned}) == num_recordings


def test_a_larger_data_set_begins_with_the_smaller_one() -> None:
    small, large = (plan_dataset(DatasetOptions(num, SimulationConfig(3, 1000))) for num in (7, 20))
    assert large[:7] == small


def test_every_recording_is_that_of_its_seed_in_gen1s_form(tmp_path: Path) -> None:
    summary = write_dataset(tmp_path, SHORT)
    assert (summary.num_written, summary.num_up_to_date) == (4, 0)
    paths = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*_td.dat"))
    assert paths == [
        "test/synthetic_00002_td.dat", "train/synthetic_00000_td.dat", "train/synthetic_00003_td.dat",
        "val/synthetic_00001_td.dat",
    ]  # fmt: skip
    first = plan_dataset(SHORT)[0]
    recording = open_recording(tmp_path / first.path)
    expected = simulate(first.config)
    assert recording.synthetic
    np.testing.assert_array_equal(recording.slice(0, 20_000).to_structured(), expected.events.to_structured())
    labels = find_boxes(tmp_path / first.path)
    assert labels is not None
    assert len(read_boxes(labels)) == len(expected.boxes)


def test_the_manifest_says_what_each_recording_is(tmp_path: Path) -> None:
    summary = write_dataset(tmp_path, SHORT)
    entries = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert [entry["path"] for entry in entries] == sorted(recording.path for recording in plan_dataset(SHORT))
    assert all(entry["synthetic"] for entry in entries)
    assert sum(entry["num_events"] for entry in entries) == summary.num_events > 0


def test_two_processes_write_the_same_files(tmp_path: Path) -> None:
    write_dataset(tmp_path / "one", SHORT)
    summary = write_dataset(tmp_path / "two", SHORT, num_processes=2)
    assert summary.num_written == 4
    assert _files(tmp_path / "two") == _files(tmp_path / "one")


def test_a_stopped_run_goes_on_and_makes_what_is_missing_or_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dataset(tmp_path / "undisturbed", SHORT)

    def stop_at_the_third(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "synthetic_00002_td.dat":
            raise KeyboardInterrupt
        return write_recording(path, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(dataset, "write_recording", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            write_dataset(tmp_path / "out", SHORT)
    (tmp_path / "out" / "val" / "synthetic_00001_bbox.npy").write_bytes(b"")
    with (tmp_path / "out" / "manifest.jsonl").open("a") as manifest:
        manifest.write('{"path": "test/synthe')
    summary = write_dataset(tmp_path / "out", SHORT)
    assert (summary.num_written, summary.num_up_to_date) == (3, 1)
    assert _files(tmp_path / "out") == _files(tmp_path / "undisturbed")
    assert write_dataset(tmp_path / "out", SHORT).num_written == 0


def test_a_folder_of_another_data_set_is_refused(tmp_path: Path) -> None:
    write_dataset(tmp_path, SHORT)
    with pytest.raises(OptionError, match="was made with other options"):
        write_dataset(tmp_path, DatasetOptions(4, SimulationConfig(8, 20_000), split=(0.5, 0.25, 0.25)))


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"")
    with pytest.raises(OutputError):
        write_dataset(tmp_path / "out", SHORT)


def test_progress_counts_recorded_time(tmp_path: Path) -> None:
    told: list[int] = []
    write_dataset(tmp_path, SHORT, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 80_000


@pytest.mark.parametrize(
    "options",
    [
        lambda: DatasetOptions(0, SimulationConfig(1, 1000)),
        lambda: DatasetOptions(1, SimulationConfig(1, 1000), split=(0.5, 0.5, 0.5)),
        lambda: DatasetOptions(1, SimulationConfig(1, 1000), split=(1.5, -0.5, 0.0)),
        lambda: DatasetOptions(1, SimulationConfig(1, 1000), split=(float("nan"), 0.2, 0.2)),
    ],
    ids=["no recording", "sum", "negative", "no number"],
)
def test_numbers_outside_their_rules_are_refused(options: Callable[[], DatasetOptions]) -> None:
    with pytest.raises(OptionError):
        options()


def test_no_process_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="num_processes must be > 0"):
        write_dataset(tmp_path, SHORT, num_processes=0)
