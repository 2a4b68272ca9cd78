"""Stores at URLs: the same bytes as in a folder, read through Zarr's own stores."""

import errno
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest

import eventdet
from eventdet.cli.main import run
from eventdet.errors import InputError, MissingExtraError, OptionError, OutputError
from eventdet.preprocessing import ConvertOptions, convert, find_stored_recordings, open_stored_recording
from eventdet.preprocessing.locations import as_location
from eventdet.preprocessing.verify import verify_store

from .stores import OPTIONS, content_of, events_of, gen1_folder

pytest.importorskip("upath", reason="the extra remote is not installed")

URL = "memory://bucket/out.zarr"


@pytest.fixture(autouse=True)
def bucket() -> Iterator[None]:
    """An empty store in memory."""
    yield
    files = fsspec.filesystem("memory")
    if files.exists("/bucket"):
        files.rm("/bucket", recursive=True)


def _remote_content() -> dict[str, bytes]:
    files = fsspec.filesystem("memory")
    return {name.removeprefix("/bucket/out.zarr/"): files.cat_file(name) for name in files.find("/bucket/out.zarr")}


def test_store_at_a_url_has_the_bytes_of_one_in_a_folder_and_resumes(tmp_path: Path) -> None:
    source = gen1_folder(tmp_path / "gen1")
    convert(source, tmp_path / "out.zarr", OPTIONS)
    assert convert(source, URL, OPTIONS).num_converted == 3
    assert _remote_content() == content_of(tmp_path / "out.zarr")
    assert convert(source, URL, OPTIONS).num_up_to_date == 3
    fsspec.filesystem("memory").rm("/bucket/out.zarr/val/a_td.zarr/events/t/c/0")
    assert convert(source, URL, OPTIONS).num_converted == 1
    assert _remote_content() == content_of(tmp_path / "out.zarr")


def test_recording_at_a_url_reads_like_one_in_a_folder(tmp_path: Path) -> None:
    convert(gen1_folder(tmp_path / "gen1"), URL, OPTIONS)
    convert(tmp_path / "gen1", tmp_path / "out.zarr", OPTIONS)
    there, here = (open_stored_recording(f"{store}/train/b_td.zarr") for store in (URL, tmp_path / "out.zarr"))
    np.testing.assert_array_equal(there.events(300, 4000).to_structured(), here.events(300, 4000).to_structured())
    np.testing.assert_array_equal(there.labels().xyxy, here.labels().xyxy)
    assert len(there.frames()) == len(here.frames())
    for one, other in zip(there.frames(), here.frames(), strict=True):
        np.testing.assert_array_equal(one, other)
    recording = eventdet.open(f"{URL}/train/b_td.zarr")
    assert (recording.num_events, recording.sensor_size) == (300, (6, 8))
    np.testing.assert_array_equal(recording.slice(0, 10**6).t, events_of(2).t)
    assert len(find_stored_recordings(URL)) == 3


def test_store_at_a_url_is_verified_and_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", str(gen1_folder(tmp_path / "gen1")), "-o", URL, "--window", "2ms", "-q"]) == 0
    assert verify_store(URL, deep=True).findings == ()
    assert run(["info", URL]) == 0
    assert "recordings    3" in capsys.readouterr().out
    files = fsspec.filesystem("memory")
    name = "/bucket/out.zarr/train/a_td.zarr/events/word/c/0"
    content = bytearray(files.cat_file(name))
    content[100] ^= 4
    files.pipe_file(name, bytes(content))
    assert run(["verify", URL, "--deep"]) == 3
    assert "train/a_td.zarr/events/word/c/0: content differs" in capsys.readouterr().out


def test_upload_that_fails_leaves_no_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = gen1_folder(tmp_path / "gen1") / "val/a_td.dat"
    convert(source, URL, OPTIONS)
    kind = type(as_location(URL))
    write, count = kind.write_bytes, itertools.count()

    def write_until_full(self: Any, data: bytes) -> int:
        if next(count) > 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, data)

    monkeypatch.setattr(kind, "write_bytes", write_until_full)
    with pytest.raises(OutputError, match="No space left on device"):
        convert(source, URL, ConvertOptions(window_us=1000))
    assert find_stored_recordings(URL) == []


def test_manifest_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = gen1_folder(tmp_path / "gen1")

    def refused(_self: Any, *_arguments: object) -> int:
        raise FileNotFoundError(errno.ENOENT, "The specified bucket does not exist")

    monkeypatch.setattr(type(as_location(URL)), "write_text", refused)
    with pytest.raises(OutputError, match=r"manifest\.jsonl: cannot be written \(The specified bucket does not exist"):
        convert(source, URL, OPTIONS)


def test_places_that_cannot_be_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OptionError, match="nonsense://a: "):
        as_location("nonsense://a")
    with pytest.raises(InputError, match="not a stored recording"):
        open_stored_recording("memory://bucket/absent.zarr")
    monkeypatch.setitem(__import__("sys").modules, "upath", None)
    with pytest.raises(MissingExtraError, match="extra 'remote'"):
        as_location(URL)


class ClientError(Exception):
    """Of a package behind a URL, as it is no OSError."""


@pytest.mark.parametrize("kind", [OSError, ClientError])
def test_service_that_fails_amid_a_read_is_one_line_and_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", SimpleNamespace(ClientError=ClientError))
    convert(gen1_folder(tmp_path / "gen1"), URL, OPTIONS)
    recording = open_stored_recording(f"{URL}/train/b_td.zarr")
    frames = recording.frames()

    class Failing(dict[str, Any]):
        """Files that are there, and cannot be read."""

        def __getitem__(self, name: str) -> Any:
            raise kind("connection reset")

    files = type(fsspec.filesystem("memory"))
    monkeypatch.setattr(files, "store", Failing(files.store))
    for read in (recording.events, recording.labels, lambda: frames[0], lambda: open_stored_recording(recording.path)):
        with pytest.raises(InputError, match=r"cannot be (read|reached) \(connection reset\)"):
            read()
