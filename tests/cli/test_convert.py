import json
from pathlib import Path

import pytest

from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.formats import write_dat
from eventdet.geometry import GEN1


def test_convert_of_a_folder_tells_each_failure_once_and_keeps_it_in_the_manifest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "in", tmp_path / "out.zarr"
    source.mkdir()
    (source / "bad.dat").write_bytes(b"")
    write_dat(source / "good.dat", Events.from_columns(t=[10], x=[3], y=[3], p=[1]), GEN1)
    assert run(["convert", str(source), "-o", str(output)]) == 5
    told = [line for line in capsys.readouterr().err.splitlines() if "bad.dat" in line]
    assert len(told) == 1
    assert told[0].count(str(source)) == 1
    assert told[0].startswith(f"failed: {source / 'bad.dat'}: file is empty, at byte 0")
    entries = [json.loads(line) for line in (output / "manifest.jsonl").read_text().splitlines()]
    assert [(entry["path"], entry["status"]) for entry in entries] == [
        ("bad.zarr", "failed"), ("good.zarr", "complete"),
    ]  # fmt: skip
