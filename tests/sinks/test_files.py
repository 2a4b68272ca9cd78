"""Targets are looked at before anything is touched, and files appear when whole."""

import os
import stat
from pathlib import Path

import pytest

from eventdet.errors import InputError, OptionError, OutputError
from eventdet.sinks._files import PartFile, check_target, writing


def test_check_target_touches_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.mp4").write_bytes(b"old")
    check_target(tmp_path / "old.mp4")
    check_target(tmp_path / "a" / "b" / "clip.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["old.mp4"]
    assert (tmp_path / "old.mp4").read_bytes() == b"old"


def test_check_target_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is a folder") as caught:
        check_target(tmp_path)
    assert "clip.mp4" in caught.value.hint


def test_check_target_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError, match=r"cannot be written: .*file is not a folder") as caught:
        check_target(tmp_path / "file" / "clip.mp4")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_check_target_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written: permission denied"):
        check_target(tmp_path / "clip.mp4")


def test_part_file_takes_its_name_when_kept(tmp_path: Path) -> None:
    target = tmp_path / "new" / "clip.mp4"
    part = PartFile(target)
    part.path.write_bytes(b"whole")
    assert not target.exists()
    assert part.path.name.startswith(".clip.")
    assert part.path.name.endswith(".part.mp4")
    part.keep()
    assert target.read_bytes() == b"whole"
    assert len(list(target.parent.iterdir())) == 1


def test_part_file_is_as_readable_as_any_new_file(tmp_path: Path) -> None:
    part = PartFile(tmp_path / "clip.mp4")
    part.keep()
    (tmp_path / "other").write_bytes(b"")
    assert stat.S_IMODE((tmp_path / "clip.mp4").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_part_file_discarded_leaves_the_earlier_one(tmp_path: Path) -> None:
    target = tmp_path / "clip.mp4"
    target.write_bytes(b"old")
    part = PartFile(target)
    part.path.write_bytes(b"half")
    part.discard()
    part.discard()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_part_file_of_a_link_replaces_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "clip.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
    part = PartFile(tmp_path / "clip.mp4")
    part.path.write_bytes(b"whole")
    part.keep()
    assert (tmp_path / "clip.mp4").is_symlink()
    assert (tmp_path / "disk" / "real.mp4").read_bytes() == b"whole"


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="no device to write to")
def test_part_file_of_a_device_is_the_device(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to("/dev/null")
    part = PartFile(tmp_path / "clip.mp4")
    part.keep()
    part.discard()
    assert part.path == Path("/dev/null")
    assert part.path.exists()


def test_writing_names_the_target_and_passes_errors_of_our_own(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"output a\.mp4 cannot be written: No such file or directory"),
        writing("a.mp4"),
    ):
        (tmp_path / "missing" / "x").write_bytes(b"")
    with pytest.raises(InputError, match="broken"), writing("a.mp4"):
        raise InputError("broken")
