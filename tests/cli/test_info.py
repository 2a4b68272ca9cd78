import json
from pathlib import Path

import numpy as np
import pytest
import zarr

import eventdet
from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import write_boxes, write_dat
from eventdet.geometry import GEN1
from tests.preprocessing.stores import make_store


def dat_of(path: Path, stamps: list[int]) -> Path:
    zeros = np.zeros(len(stamps), int)
    write_dat(path, Events.from_columns(t=stamps, x=zeros, y=zeros, p=zeros), GEN1)
    return path


def info_rows(path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    assert run(["info", str(path)]) == 0
    return {line[:13].strip(): line[14:] for line in capsys.readouterr().out.splitlines()}


def test_info_shows_wraps_of_the_clock_when_there_are_any(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    around = [2**32 - 4, 2**32 - 3, 2**32 - 2, 2**32 - 1, 2**32, 2**32 + 1]
    assert info_rows(dat_of(tmp_path / "wrap.dat", around), capsys)["time wraps"] == "1"
    assert "time wraps" not in info_rows(dat_of(tmp_path / "none.dat", [1, 2]), capsys)


def test_info_of_one_wrong_stamp_shows_the_true_duration_and_the_repair(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = dat_of(tmp_path / "a.dat", list(range(0, 100_000, 10)))
    content = bytearray(path.read_bytes())
    position = len(content) - 8 * 5000
    content[position : position + 4] = (3_900_000_000).to_bytes(4, "little")
    path.write_bytes(content)
    rows = info_rows(path, capsys)
    assert rows["duration"] == "99.990 ms"
    assert rows["repaired"] == "time_jump_dropped 1"
    assert "time wraps" not in rows


def test_info_beside_a_broken_label_file_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "a_bbox.npy"
    labels.write_bytes(b"not numpy")
    path = dat_of(tmp_path / "a_td.dat", [1, 2])
    assert info_rows(path, capsys)["labels"] == f"not readable: {labels}: not a .npy file, at byte 0"
    write_boxes(labels, Boxes.from_xywh([[0, 0, 5, 5], [0, 0, -1, 5]]))
    assert info_rows(path, capsys)["labels"] == "car 1 in a_bbox.npy, 1 rows are no box"


def test_info_of_a_store_sums_up_its_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path)
    rows = info_rows(store, capsys)
    assert (rows["recordings"], rows["sensor"], rows["labels"]) == ("3", "8x6", "car 6")
    assert rows["events"].startswith("900, ")
    assert rows["tensors"].endswith("histogram (bins 2) of 2000 us every 2000 us")
    assert (rows["repaired"], rows["left out"], rows["triggers"]) == ("nothing", "no label", "0")
    assert rows["converted by"].startswith(f"eventdet {eventdet.__version__}, numcodecs ")
    assert f"zarr {zarr.__version__}" in rows["converted by"]
    assert len(info_rows(store / "val/a_td.zarr", capsys)) == len(rows) - 1


def test_info_of_a_store_as_json_has_sizes_and_ratios(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_store(tmp_path)
    assert run(["info", str(store), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["total"]["num_events"] == 900
    one = facts["recordings"][0]
    on_disk = sum(path.stat().st_size for path in (store / "train/a_td.zarr/events").rglob("*") if path.is_file())
    assert (one["event_bytes"], one["event_ratio"]) == (on_disk, 8 * 300 / on_disk)
    assert one["frames"][0]["raw_bytes"] == one["frames"][0]["num_windows"] * 2 * 2 * 6 * 8
    assert one["labels"] == {"0": 2}
    assert one["source"]["name"] == "a_td.dat"


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("frames/histogram", {"parameters": 4}),
        ("frames/histogram", {"bins": None, "window_us": []}),
        ("", {"synthetic": [1]}),
        ("", {"files": 3}),
        ("", {"files": {"events/t": {"size": "x"}}}),
        ("", {"source": {"size": "a"}}),
        ("", {"source": [1]}),
        ("", {"labels_dropped": {"rule": "b"}}),
        ("", {"libraries": 3}),
        ("", {"params": 3}),
    ],
    ids=str,
)
def test_info_of_metadata_that_hold_anything_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], part: str, changes: dict[str, object]
) -> None:
    metadata = make_store(tmp_path) / "val" / "a_td.zarr" / part / "zarr.json"
    content = json.loads(metadata.read_text())
    content["attributes"].update(changes)
    metadata.write_text(json.dumps(content))
    assert run(["info", str(tmp_path / "out.zarr")]) == 3
    assert "a_td.zarr: damaged" in (error := capsys.readouterr().err) or "must be" in error


def test_info_of_a_folder_without_recordings_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", str(tmp_path)]) == 3
    assert "no stored recording" in capsys.readouterr().err
