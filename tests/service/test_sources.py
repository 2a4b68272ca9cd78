"""Many sources in one file."""

from pathlib import Path

import pytest

from eventdet.errors import EventdetError, FormatError, OptionError
from eventdet.service import SourceSpec, read_sources

LISTS = {name: name in ("output", "filter") for name in ("source", "output", "model", "threads", "quiet", "record")}

TWO = """
[defaults]
model = "nano"
[[source]]
name = "front"
source = "tcp://127.0.0.1:1"
output = ["front.jsonl", "udp://127.0.0.1:9"]
threads = 2
[[source]]
name = "rear"
source = "-odd.dat"
quiet = true
output = "udp://127.0.0.1:9"
"""


def _file(folder: Path, text: str) -> Path:
    (folder / "a.toml").write_text(text)
    return folder / "a.toml"


def test_a_source_has_the_defaults_its_own_and_what_overrides_them(tmp_path: Path) -> None:
    front, rear = read_sources(_file(tmp_path, TWO), LISTS, {"model": "other"})
    assert front.arguments == [
        "--threads=2",
        "--model=other",
        "--output=front.jsonl",
        "--output=udp://127.0.0.1:9",
        "--",
        "tcp://127.0.0.1:1",
    ]
    assert rear.arguments == [
        "--threads=1",
        "--model=other",
        "--quiet",
        "--output=udp://127.0.0.1:9",
        "--",
        "-odd.dat",
    ]
    assert (front.is_live, rear.is_live) == (True, False)


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("", FormatError, r"got no \[\[source\]\]"),
        ("[source]\nname = 'a'", FormatError, "must hold"),
        ("[default]\n[[source]]\nname = 'a'", FormatError, "unknown key 'default'"),
        ("source = []", OptionError, r"must hold 1\.\.1024 sources, got 0"),
        ("[[source]]\nsource = 'a'", OptionError, "source 1: needs a name"),
        ("[[source]]\nname = 'a'", OptionError, r"source 1 \(a\): needs a source"),
        ("[[source]]\nname = 'a'\nsource = '-'", OptionError, "the standard input is one"),
        ("[[source]]\nname = 'a'\nsource = 'b'\nmodle = 'c'", OptionError, "unknown key 'modle'; did you mean model"),
        ("[defaults]\nmodle = 'c'\n[[source]]\nname = 'a'\nsource = 'b'", OptionError, "defaults: unknown key"),
        (2 * "[[source]]\nname = 'a'\nsource = 'b'\n", OptionError, "name 'a' is given to more than one"),
        (
            "[defaults]\noutput = 'c.jsonl'\n" + "".join(f"[[source]]\nname = '{k}'\nsource = 'b'\n" for k in "ac"),
            OptionError,
            "output 'c.jsonl' is given to more than one",
        ),
    ],
)
def test_a_wrong_file_is_refused(text: str, error: type[EventdetError], message: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=message):
        read_sources(_file(tmp_path, text), LISTS)


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (["a.jsonl", "b.csv", "zmq://x"], {"output": ["a.jsonl", "b.csv", "zmq://x"], "resume": True}),
        (["a.jsonl", "b.mp4", "zmq://x"], {"output": ["a-r2.jsonl", "b-r2.mp4", "zmq://x"]}),
        (["d/%06d.png"], {"output": ["d/r2/%06d.png"]}),
        (["zmq://x"], {"output": ["zmq://x"]}),
    ],
)
def test_a_restart_loses_nothing_that_was_written(outputs: list[str], expected: dict[str, object]) -> None:
    spec = SourceSpec("a", {"source": "tcp://x", "output": outputs, "record": "r.raw"}).restarted(2)
    assert spec.options == {"source": "tcp://x", "record": "r-r2.raw", **expected}
