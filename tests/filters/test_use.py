"""Filters where a user meets them: convert, stream, visualize."""

from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.filters import Background, Crop, start_filters
from eventdet.formats import open_recording, write_boxes, write_dat
from eventdet.geometry import GEN1, SensorSize
from eventdet.preprocessing import open_stored_recording

from .references import rows_of


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    generator = np.random.default_rng(5)
    events = Events.from_columns(
        t=np.sort(generator.integers(0, 200_000, 4000)),
        x=generator.integers(0, 304, 4000),
        y=generator.integers(0, 240, 4000),
        p=generator.integers(0, 2, 4000),
    )
    write_dat(tmp_path / "a_td.dat", events, GEN1)
    write_boxes(tmp_path / "a_bbox.npy", Boxes.from_xywh([[100, 50, 20, 10], [0, 0, 5, 5]], t=100_000))
    return tmp_path / "a_td.dat"


def test_convert_through_filters_stores_what_passes_and_moves_the_labels(recording: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "out.zarr")
    crop = "crop:x=90,y=40,w=100,h=60"
    assert run(["convert", str(recording), "-o", store, "--filter", crop, "--filter", "polarity:keep=on", "-q"]) == 0
    stored = open_stored_recording(store)
    assert stored.sensor_size == SensorSize(60, 100)
    assert 0 < stored.num_events < 4000
    assert set(stored.events().p.tolist()) == {1}
    assert stored.labels().xyxy.tolist() == [[10, 10, 30, 20]]
    # Other filters are another conversion.
    assert run(["convert", str(recording), "-o", store, "-q"]) == 0
    assert open_stored_recording(store).num_events == 4000


def test_convert_through_a_filter_equals_the_filter(recording: Path, tmp_path: Path) -> None:
    assert run(["convert", str(recording), "-o", str(tmp_path / "all.zarr"), "-q"]) == 0
    filtered = ["--filter", "background:time=20ms"]
    assert run(["convert", str(recording), "-o", str(tmp_path / "some.zarr"), "-q", *filtered]) == 0
    every = open_stored_recording(tmp_path / "all.zarr").events()
    expected = start_filters([Background(20_000)], GEN1)(every)
    assert rows_of(open_stored_recording(tmp_path / "some.zarr").events()) == rows_of(expected)


def test_convert_to_an_event_file_through_filters_writes_what_passes(recording: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.raw"
    crop = "crop:x=90,y=40,w=100,h=60"
    assert run(["convert", str(recording), "-o", str(target), "--filter", crop, "-q"]) == 0
    written = open_recording(target)
    expected = start_filters([Crop(90, 40, 100, 60)], GEN1)(open_recording(recording).slice(0, 10**9))
    assert written.sensor_size == SensorSize(60, 100)
    assert rows_of(written.slice(0, 10**9)) == rows_of(expected)


def test_visualize_through_a_filter_draws_the_other_sensor(recording: Path, tmp_path: Path) -> None:
    target = tmp_path / "picture.png"
    assert run(["visualize", str(recording), "-o", str(target), "--filter", "rotate:degrees=90", "-q"]) == 0
    assert target.is_file()


@pytest.mark.parametrize("command", ["convert", "visualize", "stream"])
def test_a_bad_filter_is_exit_code_2(
    command: str, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / ("out.zarr" if command == "convert" else "out.png" if command == "visualize" else "o.jsonl")
    assert run([command, str(recording), "-o", str(output), "--filter", "blur", "-q"]) == 2
    assert "filter must be one of background" in capsys.readouterr().err
    assert not output.exists()


def test_stream_takes_a_filter_for_a_synthetic_source(tmp_path: Path) -> None:
    pytest.importorskip("tonic")
    target = ["stream", "synthetic://?seed=1&seconds=0.1", "-o", str(tmp_path / "out.jsonl"), "-q"]
    assert run([*target, "--filter", "polarity:keep=on", "--filter", "tonic:Decimation,n=2"]) == 0
    assert (tmp_path / "out.jsonl").stat().st_size
