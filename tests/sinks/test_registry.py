"""From a target's name to its sink."""

import sys
from pathlib import Path

import pytest

from eventdet.errors import MissingExtraError, OptionError
from eventdet.sinks import Outputs, StreamHeader, open_sink
from eventdet.sinks.coco import CocoSink
from eventdet.sinks.jsonl import JsonlSink
from eventdet.sinks.prophesee import BoxesSink
from eventdet.sinks.tables import CsvSink, MotSink
from eventdet.sinks.video import VideoSink


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.jsonl", JsonlSink),
        ("a.npy", BoxesSink),
        ("a.mp4", VideoSink),
        ("A.MP4", VideoSink),
        ("%06d.png", VideoSink),
        ("a.json", CocoSink),
        ("a.csv", CsvSink),
        ("a.txt", MotSink),
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


@pytest.mark.parametrize("target", ["a.tsv", "detections", "kafka://host/topic.jsonl", ""])
def test_open_sink_of_an_unknown_target_lists_what_works(header: StreamHeader, target: str) -> None:
    with pytest.raises(OptionError, match=r"output must be -, end in \.jsonl, .* or begin with zmq://, "):
        open_sink(target, header=header)


@pytest.mark.parametrize("name", ["a.jsonl", "a.npy", "a.mp4"])
def test_open_sink_on_a_folder_is_refused(tmp_path: Path, header: StreamHeader, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(OptionError, match="is a folder"):
        open_sink(str(tmp_path / name), header=header)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("zmq://0.0.0.0:5556", "can be reached from other machines"),
        ("zmq://127.0.0.1", "names no port"),
        ("udp://192.168.0.9:7000", "can be reached from other machines"),
        ("mqtt://broker.example/cameras", "can be reached from other machines"),
        ("mqtt://127.0.0.1", "must name a topic"),
        ("mqtt://127.0.0.1/cameras/+", "must name a topic"),
        ("mqtt://127.0.0.1/cameras?qos=3", "qos must be 0, 1 or 2"),
        ("mqtt://127.0.0.1/cameras?user=me", "unknown parameter 'user'"),
    ],
)
def test_a_wrong_address_is_refused(header: StreamHeader, target: str, message: str) -> None:
    pytest.importorskip("zmq", reason="the extra zmq is not installed")
    pytest.importorskip("paho.mqtt", reason="the extra mqtt is not installed")
    with pytest.raises(OptionError, match=message):
        open_sink(target, header=header)


@pytest.mark.parametrize(
    ("target", "package"),
    [("zmq://127.0.0.1:0", "zmq"), ("mqtt://127.0.0.1/a", "paho.mqtt"), ("a.rrd", "rerun")],
)
def test_a_missing_package_is_named_before_anything_is_touched(
    tmp_path: Path, header: StreamHeader, monkeypatch: pytest.MonkeyPatch, target: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    kept = tmp_path / "kept.jsonl"
    kept.write_text("before")
    with pytest.raises(MissingExtraError, match="which is not installed"):
        Outputs([str(kept), target if "://" in target else str(tmp_path / target)], header=header)
    assert kept.read_text() == "before"
