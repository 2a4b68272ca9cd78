"""Targets that cannot be written fail before the work, in one line."""

import os
from pathlib import Path

import pytest

from eventdet.errors import InputError, OptionError
from eventdet.sinks.base import prepare_target


def test_prepare_target_makes_missing_folders(tmp_path: Path) -> None:
    path = prepare_target(tmp_path / "a" / "b" / "clip.mp4")
    assert path.is_file()
    assert path.stat().st_size == 0


def test_prepare_target_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is a folder") as caught:
        prepare_target(tmp_path)
    assert "clip.mp4" in caught.value.hint


def test_prepare_target_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(InputError, match="cannot be written") as caught:
        prepare_target(tmp_path / "file" / "clip.mp4")
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_prepare_target_without_permission_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written: Permission denied"):
        prepare_target(tmp_path / "clip.mp4")
