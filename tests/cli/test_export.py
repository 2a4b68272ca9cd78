"""``eventdet export``: options reach the layout they belong to, and what happened is told."""

import json
from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from tests.preprocessing.interchange.stores import RvtSequence, make_store


def _run(*arguments: object) -> int:
    return run([str(argument) for argument in arguments])


def test_rvt_by_default_is_what_rvt_reads_for_gen1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path)
    capsys.readouterr()
    assert _run("export", store, "-o", tmp_path / "rvt", "--to", "rvt") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{tmp_path / 'rvt'}: 1 written, 0 up to date, 0 skipped, 0 failed; 14 windows, 6 boxes"
    ]
    sequence = RvtSequence(tmp_path / "rvt" / "train" / "drive0", "stacked_histogram_dt=50_nbins=10")
    assert sequence.tensors(0, 1).shape == (1, 20, 40, 50)


def test_options_of_rvt_are_passed_on(tmp_path: Path) -> None:
    store = make_store(tmp_path)
    options = ["--representation", "voxel", "--bins", "4", "--window", "100ms", "--labels", "rvt-1mpx"]
    options += ["--label-period", "500ms", "--downsample", "--split", "val"]
    assert _run("export", store / "train" / "drive0_td.zarr", "-o", tmp_path / "rvt", "--to", "rvt", *options) == 0
    sequence = RvtSequence(tmp_path / "rvt" / "val" / "drive0", "voxel_dt=100_nbins=4", downsampled=True)
    assert sequence.tensors(0, 1).shape == (1, 4, 20, 25)
    assert sequence.label_times_us.tolist() == [250_000, 750_000]


def test_shards_are_told_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path)
    capsys.readouterr()
    options = ["--samples", "windows", "--samples-per-shard", "6", "--window", "100ms", "--stride", "50ms", "--json"]
    assert _run("export", store, "-o", tmp_path / "out", "--to", "npz", "--bins", "2", *options) == 0
    told = json.loads(capsys.readouterr().out)
    # Starts at 0, 50, ..., 900 ms; the last one covers the last event.
    assert (told["num_written"], told["num_windows"], told["num_synthetic"]) == (4, 19, 0)
    with np.load(tmp_path / "out" / "train" / "shard-000003.npz") as shard:
        assert (shard["tensors"].shape, shard["t1_us"].tolist()) == ((1, 2, 2, 40, 50), [1_000_000])


def test_labels_dropped_and_recordings_skipped_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path)
    capsys.readouterr()
    assert _run("export", store, "-o", tmp_path / "rvt", "--to", "rvt", "--label-period", "2s") == 0
    told = capsys.readouterr()
    assert told.out.splitlines()[1:] == ["labels dropped: off grid 4"]
    assert _run("export", store, "-o", tmp_path / "out", "--to", "npz", "--labels", "prophesee", "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("to", "option", "value"),
    [("rvt", "--stride", "50ms"), ("rvt", "--samples", "windows"), ("npz", "--split", "val"),
     ("webdataset", "--label-period", "1s")],
)  # fmt: skip
def test_an_option_of_another_layout_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], to: str, option: str, value: str
) -> None:
    assert _run("export", tmp_path, "-o", tmp_path / "out", "--to", to, option, value) == 2
    assert f"{option} does not apply to --to {to}" in capsys.readouterr().err


def test_an_unknown_layout_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run("export", tmp_path, "-o", tmp_path / "out", "--to", "coco") == 2
    assert "--to must be one of rvt, npz, webdataset, got 'coco'" in capsys.readouterr().err
