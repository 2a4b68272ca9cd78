"""Options in TOML."""

from pathlib import Path

import pytest

from eventdet.errors import EventdetError, FormatError, InputError, OptionError
from eventdet.service import format_config, read_config

LISTS = {"source": False, "max_det": False, "conf": False, "quiet": False, "output": True}


def _file(folder: Path, text: str) -> Path:
    (folder / "a.toml").write_text(text)
    return folder / "a.toml"


def test_what_is_formatted_is_read_again(tmp_path: Path) -> None:
    options = {"source": 'tcp://a "b"\n\\', "max_det": 7, "conf": 0.25, "quiet": True, "output": ["a.jsonl", "b.csv"]}
    assert read_config(_file(tmp_path, format_config(options)), LISTS) == options


def test_dashes_and_a_single_output_are_taken(tmp_path: Path) -> None:
    assert read_config(_file(tmp_path, 'max-det = 7\noutput = "a.jsonl"\n'), LISTS) == {
        "max_det": 7,
        "output": ["a.jsonl"],
    }


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("max-dets = 7", OptionError, "unknown key 'max-dets'; did you mean max-det"),
        ("zzz = 7", OptionError, r"unknown key 'zzz'$"),
        ("max-det = 7\nmax_det = 8", OptionError, "given twice"),
        ("[output]\na = 1", OptionError, "output must be text, a number, true or false"),
        ("max-det = [1]", OptionError, "max-det must be text, a number"),
        ("output = [[1]]", OptionError, "output must be text, a number"),
        ("conf = 2026-01-01", OptionError, "conf must be text, a number"),
        ("max-det = ", FormatError, "a.toml: no TOML: Invalid value"),
        ("\ud800", FormatError, "no TOML: .*utf-8"),
    ],
)
def test_a_wrong_file_is_refused(text: str, error: type[EventdetError], message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(error, match=message):
        read_config(path, LISTS)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a.toml: cannot be read: No such file"):
        read_config(tmp_path / "a.toml", LISTS)
