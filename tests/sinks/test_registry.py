"""From a target's name to its sink."""

from pathlib import Path

import pytest

from eventdet.errors import OptionError
from eventdet.sinks import StreamHeader, open_sink
from eventdet.sinks.jsonl import JsonlSink
from eventdet.sinks.prophesee import BoxesSink
from eventdet.sinks.video import VideoSink


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", JsonlSink),
        ("a.npy", BoxesSink),
        ("a.mp4", VideoSink),
        ("A.MP4", VideoSink),
        ("%06d.png", VideoSink),
    ],
)
def test_open_sink_chooses_by_suffix(tmp_path: Path, header: StreamHeader, name: str, kind: type) -> None:
    target = str(tmp_path / name)
    with open_sink(target, header=header) as sink:
        assert isinstance(sink, kind)
        assert sink.target == target


def test_open_sink_of_a_dash_is_standard_output(header: StreamHeader) -> None:
    with open_sink("-", header=header) as sink:
        assert isinstance(sink, JsonlSink)


@pytest.mark.parametrize("target", ["a.csv", "detections", "mqtt://host/topic.jsonl", ""])
def test_open_sink_of_an_unknown_target_lists_what_works(header: StreamHeader, target: str) -> None:
    with pytest.raises(OptionError, match=r"output must be - or end in \.jsonl, \.npy, \.mp4, \.gif, \.png"):
        open_sink(target, header=header)


@pytest.mark.parametrize("name", ["a.jsonl", "a.npy", "a.mp4"])
def test_open_sink_on_a_folder_is_refused(tmp_path: Path, header: StreamHeader, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OptionError, match="is a folder"):
        open_sink(str(tmp_path / name), header=header)
