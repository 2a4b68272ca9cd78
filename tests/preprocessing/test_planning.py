"""Planning: every way to name recordings, each recording with a place of its own."""

from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.errors import InputError, OptionError
from eventdet.events import Events
from eventdet.formats import FORMATS, write_boxes
from eventdet.geometry import SensorSize
from eventdet.preprocessing.planning import Shard, count_passed_over, plan_conversion, search_sources


@pytest.fixture
def gen1(tmp_path: Path) -> Path:
    for name in ("train/a_td.dat", "train/a_bbox.npy", "train/b_td.raw", "val/a_td.dat", "val/.hidden.dat", "x.txt"):
        (tmp_path / "gen1" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "gen1" / name).touch()
    return tmp_path / "gen1"


def _names(*sources: str | Path, output: Path = Path("out.zarr")) -> list[str]:
    return [job.name for job in plan_conversion(sources, output)]


def test_folder_keeps_the_folders_below_it_and_pairs_labels(gen1: Path) -> None:
    jobs = plan_conversion([gen1], Path("out.zarr"))
    assert [job.name for job in jobs] == ["train/a_td.zarr", "train/b_td.zarr", "val/a_td.zarr"]
    assert [job.labels for job in jobs] == [gen1 / "train/a_bbox.npy", None, None]


def test_linked_folders_are_followed_each_real_one_once(gen1: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/c_td.dat").touch()
    (gen1 / "test").symlink_to(tmp_path / "elsewhere")
    # A split under a second name, a loop, and a way up and around.
    (gen1 / "also_val").symlink_to("val")
    (gen1 / "val/loop").symlink_to(gen1)
    (tmp_path / "elsewhere/up").symlink_to(tmp_path)
    assert _names(gen1) == ["test/c_td.zarr", "train/a_td.zarr", "train/b_td.zarr", "val/a_td.zarr"]


def test_output_behind_a_link_is_not_searched(gen1: Path, tmp_path: Path) -> None:
    (tmp_path / "out.zarr").mkdir()
    (tmp_path / "out.zarr/stray.dat").touch()
    (gen1 / "link").symlink_to(tmp_path / "out.zarr")
    assert _names(gen1, output=tmp_path / "out.zarr") == ["train/a_td.zarr", "train/b_td.zarr", "val/a_td.zarr"]


def test_event_file_that_is_a_link_to_nothing_is_a_recording_to_convert(gen1: Path) -> None:
    for name in ("lost_td.dat", "lost.md"):
        (gen1 / "val" / name).symlink_to("nowhere")
    assert _names(gen1 / "val") == _names(f"{gen1}/val/*") == ["a_td.zarr", "lost_td.zarr"]


def test_folder_takes_the_hdf5_files_of_rvt_and_dsec_alone(tmp_path: Path) -> None:
    names = ("a_td.dat.h5", "a_bbox.npy", "b_td.h5", "left/events.h5", "left/rectify_map.h5", "more_events.h5")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    jobs = plan_conversion([tmp_path], Path("out.zarr"))
    assert [job.name for job in jobs] == ["a_td.dat.zarr", "b_td.zarr", "left/events.zarr"]
    assert [job.labels for job in jobs] == [tmp_path / "a_bbox.npy", None, None]


def test_several_sources_keep_the_folders_below_their_common_one(gen1: Path) -> None:
    assert _names(gen1 / "train", gen1 / "val") == ["train/a_td.zarr", "train/b_td.zarr", "val/a_td.zarr"]
    assert _names(gen1 / "train/a_td.dat", gen1 / "val/a_td.dat") == ["train/a_td.zarr", "val/a_td.zarr"]
    assert _names(gen1 / "train/a_td.dat", gen1 / "train/b_td.raw") == ["a_td.zarr", "b_td.zarr"]
    assert _names(gen1 / "val/a_td.dat") == ["a_td.zarr"]


def test_recording_named_twice_is_one(gen1: Path) -> None:
    assert _names(gen1 / "val", gen1 / "val/a_td.dat") == ["a_td.zarr"]


def test_pattern_keeps_the_folders_after_its_first_wildcard(gen1: Path) -> None:
    assert _names(f"{gen1}/*/a_td.dat") == ["train/a_td.zarr", "val/a_td.zarr"]
    assert _names(f"{gen1}/tr*/*") == ["train/a_td.zarr", "train/b_td.zarr"]
    assert _names(f"{gen1}/**/*.raw") == ["train/b_td.zarr"]


def test_list_holds_a_source_a_line(gen1: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"# mine\n\n{gen1}/val\n  {gen1}/train/b_td.raw\n")
    assert _names(f"@{tmp_path}/list.txt") == ["train/b_td.zarr", "val/a_td.zarr"]


def _passed_over(*sources: str | Path) -> dict[str, int]:
    return count_passed_over(search_sources(sources, Path("out.zarr")))


def _write_odd_files(folder: Path) -> None:
    """Write recordings under endings that other files have too, and such other files."""
    folder.mkdir()
    events = Events.from_columns(t=np.arange(40), x=np.arange(40) % 8, y=np.zeros(40), p=np.arange(40) % 2)
    for name in ("a.bin", "a.csv", "b.csv", "a.h5", "a.npy", "a.npz"):
        known = next(known for known in FORMATS.values() if known.suffix == Path(name).suffix and known.write)
        assert known.write is not None
        known.write(folder / name, [events], SensorSize(6, 8))
    (folder / "a.TXT").write_bytes((folder / "a.csv").read_bytes())
    write_boxes(folder / "a_bbox.npy", Boxes.from_xywh([[1, 2, 3, 4]], t=[5]))
    np.save(folder / "means.npy", np.zeros((3, 3)))
    (folder / "README.txt").write_text("What this is.\n")
    (folder / "loss.csv").write_text("epoch,loss\n1,0.5\n")
    (folder / "manifest.jsonl").touch()
    (folder / "empty.csv").touch()


def test_event_files_that_a_folder_is_not_searched_for_are_counted_by_ending(tmp_path: Path) -> None:
    _write_odd_files(tmp_path / "odd")
    with pytest.raises(InputError, match="no recordings") as caught:
        _names(tmp_path / "odd")
    counts = "1 .bin, 2 .csv, 1 .h5, 1 .npy, 1 .npz, 1 .txt"
    assert caught.value.hint == f"not searched for: {counts}; name them, or give a pattern like '*.bin'"
    (tmp_path / "odd/x_td.dat").touch()
    assert _passed_over(tmp_path / "odd") == {".bin": 1, ".csv": 2, ".h5": 1, ".npy": 1, ".npz": 1, ".txt": 1}
    # What is named is not passed over.
    assert _passed_over(tmp_path / "odd", f"{tmp_path}/odd/*.csv", tmp_path / "odd/a.bin") == {
        ".h5": 1,
        ".npy": 1,
        ".npz": 1,
        ".txt": 1,
    }


def test_pattern_takes_the_ending_that_it_names_and_no_labels(tmp_path: Path) -> None:
    _write_odd_files(tmp_path / "odd")
    assert _names(f"{tmp_path}/odd/?.csv") == ["a.zarr", "b.zarr"]
    assert _names(f"{tmp_path}/od*/a.bin") == ["odd/a.zarr"]
    assert _names(f"{tmp_path}/odd/a*.npy") == ["a.zarr"]
    for pattern in ("*", "a.*", "a_b*.npy"):
        with pytest.raises(InputError, match="matches no recording"):
            _names(f"{tmp_path}/odd/{pattern}")
    (tmp_path / "odd/x_td.dat").touch()
    assert _names(f"{tmp_path}/odd/*") == ["x_td.zarr"]
    assert _passed_over(f"{tmp_path}/odd/*")[".csv"] == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("absent.dat", "no such file or folder"),
        ("absent/*.dat", "matches no recording"),
        ("@absent.txt", "cannot be read as a list of files"),
    ],
)
def test_source_that_is_not_there_raises(source: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        _names(source)


def test_folder_of_a_store_raises_with_what_to_do_instead(tmp_path: Path) -> None:
    (tmp_path / "out.zarr/train/a_td.zarr").mkdir(parents=True)
    with pytest.raises(InputError, match="no recordings") as caught:
        _names(tmp_path / "out.zarr")
    assert caught.value.hint.startswith("cut other windows from a store")


def test_list_without_a_line_raises(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("# nothing\n")
    with pytest.raises(InputError, match="no source to convert"):
        _names(f"@{tmp_path}/list.txt")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shards_together_are_all_recordings_each_once(gen1: Path, count: int) -> None:
    jobs = plan_conversion([gen1], Path("out.zarr"))
    parts = [Shard(number, count).of(list(reversed(jobs))) for number in range(1, count + 1)]
    assert sorted(job.name for part in parts for job in part) == [job.name for job in jobs]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "-1/2", "1/0"])
def test_shard_that_is_none_raises(text: str) -> None:
    with pytest.raises(OptionError, match="shard must be number/count"):
        Shard.parse(text)
