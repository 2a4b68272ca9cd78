"""Repair: what killed processes left goes, the manifest says what is there, sound recordings are never touched."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventdet.cli.main import run
from eventdet.errors import BusyError, InputError, OutputError
from eventdet.preprocessing import convert
from eventdet.preprocessing._layout import hidden_names
from eventdet.preprocessing._locks import locked
from eventdet.preprocessing._manifest import failed_entry, read_manifest, update_manifest
from eventdet.preprocessing.repair import RepairReport, remove_recordings, repair_store
from eventdet.preprocessing.verify import verify_store

from .stores import OPTIONS, content_of, flip_bit, make_store


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return make_store(tmp_path)


def test_sound_store_has_nothing_to_repair(store: Path) -> None:
    before = content_of(store)
    assert repair_store(store, damaged=True) == RepairReport((), (), (), ())
    assert content_of(store) == before


def test_leftovers_go_and_the_manifest_is_made_to_agree(store: Path) -> None:
    (store / "val/.tmp-a_td.zarr").mkdir()
    (store / "val/.lock-a_td.zarr").touch()
    shutil.rmtree(store / "train/a_td.zarr")
    shutil.copytree(store / "train/b_td.zarr", store / "train/c_td.zarr")
    report = repair_store(store)
    assert set(report.leftovers) == {"val/.tmp-a_td.zarr", "val/.lock-a_td.zarr"}
    assert (report.lines_dropped, report.lines_added) == (("train/a_td.zarr",), ("train/c_td.zarr",))
    assert verify_store(store, deep=True).findings == ()


def test_damaged_manifest_is_made_anew(store: Path) -> None:
    before = content_of(store)
    (store / "manifest.jsonl").write_text("{")
    assert len(repair_store(store).lines_added) == 3
    assert content_of(store) == before


def test_recording_whose_successor_never_came_is_put_back(store: Path) -> None:
    before = content_of(store)
    hidden = hidden_names(store / "val/a_td.zarr")
    (store / "val/a_td.zarr").rename(hidden.replaced)
    repair_store(store)
    assert content_of(store) == before


def test_what_a_writer_at_work_holds_is_left_alone(store: Path) -> None:
    hidden = hidden_names(store / "val/a_td.zarr")
    with locked(hidden.lock):
        hidden.temporary.mkdir()
        assert repair_store(store).leftovers == ()
        assert hidden.temporary.exists()
    assert repair_store(store).leftovers == ("val/.tmp-a_td.zarr",)


def test_damaged_recordings_go_only_when_asked_and_convert_makes_them_again(store: Path, tmp_path: Path) -> None:
    before = content_of(store)
    flip_bit(store / "val/a_td.zarr/events/word/c/0", 77)
    assert repair_store(store).damaged == ()
    report = repair_store(store, damaged=True)
    assert (report.damaged, report.lines_dropped) == (("val/a_td.zarr",), ("val/a_td.zarr",))
    assert convert(tmp_path / "gen1", store, OPTIONS).num_converted == 1
    assert content_of(store) == before


def test_removed_recordings_are_gone_from_folder_and_manifest(store: Path) -> None:
    remove_recordings(store, ["train/b_td.zarr"])
    assert not (store / "train/b_td.zarr").exists()
    report = verify_store(store)
    assert (report.num_recordings, report.findings) == (2, ())


@pytest.mark.parametrize("name", ["train", "../gen1", "absent.zarr", "/etc"])
def test_only_recordings_of_the_store_are_removed(store: Path, name: str) -> None:
    before = content_of(store)
    with pytest.raises(InputError, match="has no recording"):
        remove_recordings(store, ["train/b_td.zarr", name])
    assert content_of(store) == before


def test_second_holder_of_a_lock_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    with locked(tmp_path / "lock"):
        with pytest.raises(BusyError, match=f"held by process {os.getpid()} on "), locked(tmp_path / "lock"):
            pytest.fail("the lock must be held")
        assert (tmp_path / "lock").exists()
    assert not (tmp_path / "lock").exists()


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"absent: cannot be written \(No such file or directory\)"):
        update_manifest(tmp_path / "absent", [])


def test_lock_file_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("process 1 on elsewhere")
    with locked(tmp_path / "lock"):
        assert (tmp_path / "lock").read_text().startswith(f"process {os.getpid()}")


def test_writers_of_the_manifest_at_the_same_time_lose_no_line(tmp_path: Path) -> None:
    names = [f"{number}.zarr" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: update_manifest(tmp_path, [failed_entry(name, "why")]), names))
    assert sorted(read_manifest(tmp_path)) == sorted(names)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.jsonl"]


def test_commands_repair_and_remove(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["store", "repair", str(store)]) == 0
    assert capsys.readouterr().out == f"{store}: nothing to repair\n"
    (store / "train/.tmp-a_td.zarr").mkdir()
    assert run(["store", "repair", str(store)]) == 0
    assert capsys.readouterr().out == "removed: train/.tmp-a_td.zarr\n"
    assert run(["store", "rm", str(store), "train/a_td.zarr", "train/b_td.zarr"]) == 0
    assert verify_store(store).num_recordings == 1
    assert run(["store", "rm", str(store), "train/a_td.zarr"]) == 3
