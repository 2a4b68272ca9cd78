"""What the options of a conversion leave out, move and align; each count is told."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.cli.main import run
from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.formats import read_dat, write_boxes, write_dat
from eventdet.geometry import GEN1, fit_pixels
from eventdet.preprocessing import (
    ConvertOptions,
    Representation,
    StoredRecording,
    convert,
    event_histogram,
    open_stored_recording,
)
from eventdet.preprocessing.estimate import estimate_conversion
from eventdet.preprocessing.verify import verify_store

from .stores import content_of, gen1_folder

STAMPS = [100_000, 350_000, 600_000, 850_000]


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A Gen1-sized second: 5000 events, and at each label time a car, a small car, a pedestrian half outside."""
    rng = np.random.default_rng(5)
    t = np.sort(rng.integers(40_000, 1_000_000, 5000))
    x, y = rng.integers(0, GEN1.width, 5000), rng.integers(0, GEN1.height, 5000)
    (tmp_path / "train").mkdir()
    write_dat(tmp_path / "train/a_td.dat", Events.from_columns(t=t, x=x, y=y, p=t % 2), GEN1)
    rows = [[40, 40, 60, 30], [100, 100, 8, 9], [290, 50, 40, 60]]
    boxes = Boxes.from_xywh(rows * 4, t=np.repeat(STAMPS, 3), class_id=[0, 0, 1] * 4, track_id=[1, 2, 3] * 4)
    write_boxes(tmp_path / "train/a_bbox.npy", boxes)
    return tmp_path / "train/a_td.dat"


def _converted(drive: Path, **options: object) -> StoredRecording:
    convert(drive, drive.parent / "out.zarr", ConvertOptions(**options))  # type: ignore[arg-type]
    return open_stored_recording(drive.parent / "out.zarr")


def test_windows_end_at_the_stamps_of_the_labels(drive: Path) -> None:
    stored = _converted(drive, align="label-end", window_us=250_000)
    frames = stored.frames()
    stamps, windows = stored.label_windows
    assert (stamps.tolist(), windows.tolist()) == (STAMPS, [0, 1, 2, 3])
    events = read_dat(drive)[0]
    for number, stamp in enumerate(STAMPS):
        assert frames.window(number) == (stamp - 250_000, stamp)
        expected = event_histogram(events, frames.window(number), bins=5, pixel_map=fit_pixels(GEN1, GEN1))
        np.testing.assert_array_equal(frames[number], expected)
    assert stored.num_events == len(stored.events()) == 5000


def test_labels_on_the_grid_name_the_newest_window_that_has_ended(drive: Path) -> None:
    stored = _converted(drive, window_us=250_000)
    stamps, windows = stored.label_windows
    # Windows begin at 0 and end at 250, 500, 750 and 1000 ms.
    assert (stamps.tolist(), windows.tolist()) == (STAMPS, [-1, 0, 1, 2])


def test_recording_without_labels_has_no_windows_that_end_at_them(drive: Path) -> None:
    (drive.parent / "a_bbox.npy").unlink()
    stored = _converted(drive, align="label-end")
    assert (len(stored.frames()), stored.num_events) == (0, 5000)


def test_windows_by_count_know_their_edges_and_the_labels_their_windows(drive: Path) -> None:
    stored = _converted(drive, window_us=None, window_events=700)
    frames, events = stored.frames(), read_dat(drive)[0]
    edges = [frames.window(number) for number in range(len(frames))]
    counts = [len(events.between(*edge)) for edge in edges]
    # Events of one stamp stay together: a window may hold a few more.
    assert sum(counts) == 5000
    assert all(700 <= count < 710 for count in counts[:-1])
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    for number, edge in enumerate(edges):
        expected = event_histogram(events, edge, bins=5, pixel_map=fit_pixels(GEN1, GEN1))
        np.testing.assert_array_equal(frames[number], expected)
    stamps, windows = stored.label_windows
    assert windows.tolist() == [sum(end <= stamp for _, end in edges) - 1 for stamp in stamps.tolist()]
    assert verify_store(stored.path, deep=True).findings == ()


def test_part_bounds_events_labels_and_windows(drive: Path) -> None:
    first = int(read_dat(drive)[0].t[0])
    stored = _converted(drive, start_us=300_000, end_us=700_000, window_us=100_000)
    events = read_dat(drive)[0].between(first + 300_000, first + 700_000)
    np.testing.assert_array_equal(stored.events().to_structured(), events.to_structured())
    assert sorted(set(stored.labels().t.tolist())) == [350_000, 600_000]
    assert stored.attributes["labels_dropped"] == {"outside the part": 6}


def test_label_rules_and_classes_drop_and_count(drive: Path) -> None:
    # RVT cuts the pedestrian at column 303, 13 pixels wide and 60 high; the small car breaks the sizes.
    stored = _converted(drive, labels="rvt")
    assert stored.attributes["labels_dropped"] == {"small": 4}
    assert stored.labels().xyxy.tolist() == [[40, 40, 100, 70], [290, 50, 303, 110]] * 4
    stored = _converted(drive, classes=(1,))
    assert (len(stored.labels()), stored.attributes["labels_dropped"]) == (4, {"other class": 8})
    stored = _converted(drive)
    assert (len(stored.labels()), stored.attributes["labels_dropped"]) == (12, {})


def test_labels_move_with_the_events(drive: Path) -> None:
    stored = _converted(drive, filters=("crop:x=0,y=0,w=200,h=240", "downsample:factor=2"))
    assert stored.sensor_size == (120, 100)
    assert stored.labels().xyxy[0].tolist() == [20, 20, 50, 35]
    assert stored.attributes["labels_dropped"] == {"cut away": 4}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"align": "middle"}, "align must be one of grid, label-end"),
        ({"labels": "coco"}, "labels must be one of none"),
        ({"align": "label-end", "window_us": None, "window_events": 9}, "windows that end at labels have a length"),
        ({"align": "label-end", "stride_us": 9}, "windows that end at labels have no stride"),
        ({"start_us": 5, "end_us": 5}, "start_us must be >= 0 and before end_us"),
        ({"start_us": -1}, "start_us must be >= 0"),
        ({"end_us": 0}, "start_us must be >= 0 and before end_us"),
    ],
    ids=lambda value: str(value),
)
def test_option_outside_its_rule_raises(values: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ConvertOptions(**values)  # type: ignore[arg-type]


def test_command_passes_every_option_on(drive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = drive.parent / "out.zarr"
    options = (
        "--align label-end --labels side20 --classes car --start 200ms --end 700ms --roi 0,0,200,200 --downsample 2"
    )
    assert run(["convert", str(drive), "-o", str(output), *options.split(), "--window", "100ms"]) == 0
    stored = open_stored_recording(output)
    assert (stored.sensor_size, len(stored.labels()), len(stored.frames())) == ((120, 152), 2, 2)
    printed = capsys.readouterr().out.splitlines()
    assert printed[1:] == ["labels left out: outside the part 6", "labels left out: other class 2",
                           "labels left out: small 2"]  # fmt: skip
    params = stored.attributes["params"]
    assert params["filters"] == ["roi:x=0,y=0,w=200,h=200", "downsample:factor=2"]
    assert (params["start_us"], params["end_us"], params["classes"]) == (200_000, 700_000, [0])


def test_transform_of_tonic_is_a_filter_in_the_order_given(drive: Path) -> None:
    pytest.importorskip("tonic", reason="the extra interop is not installed")
    output = drive.parent / "out.zarr"
    passed = ["--filter", "polarity:keep=on", "--transform", "tonic:Denoise,filter_time=10000"]
    assert run(["convert", str(drive), "-o", str(output), *passed, "-q"]) == 0
    stored = open_stored_recording(output)
    assert stored.attributes["params"]["filters"] == [passed[1], passed[3]]
    assert 0 < stored.num_events < 2500


def test_changed_mask_converts_again_and_a_moved_one_does_not(drive: Path, tmp_path: Path) -> None:
    mask = np.zeros(GEN1, np.uint8)
    mask[:120] = 1
    for name in ("a.npy", "b.npy"):
        np.save(tmp_path / name, mask)
    output = drive.parent / "out.zarr"
    assert convert(drive, output, ConvertOptions(filters=(f"mask:path={tmp_path}/a.npy",))).num_converted == 1
    assert convert(drive, output, ConvertOptions(filters=(f"mask:path={tmp_path}/b.npy",))).num_up_to_date == 1
    np.save(tmp_path / "b.npy", 1 - mask)
    assert convert(drive, output, ConvertOptions(filters=(f"mask:path={tmp_path}/b.npy",))).num_converted == 1


def test_several_sources_and_a_part_of_them(tmp_path: Path) -> None:
    source = gen1_folder(tmp_path / "gen1")
    arguments = ["convert", str(source / "train"), str(source / "val"), "--window", "2ms", "-q", "-o"]
    assert run([*arguments, str(tmp_path / "whole.zarr")]) == 0
    for shard in ("1/2", "2/2"):
        assert run([*arguments, str(tmp_path / "parts.zarr"), "--shard", shard]) == 0
    assert content_of(tmp_path / "parts.zarr") == content_of(tmp_path / "whole.zarr")


def test_event_file_takes_one_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "a.dat", "b.dat", "-o", str(tmp_path / "out.raw")]) == 2
    assert "an event file is written from one recording, got 2" in capsys.readouterr().err


def test_dry_run_estimates_what_a_conversion_writes_and_writes_nothing(
    drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = drive.parent / "out.zarr"
    options = ConvertOptions(representation=Representation("histogram", 5), window_us=50_000)
    estimate = estimate_conversion([drive], options)
    assert not output.exists()
    # The sample is the whole recording.
    summary = convert(drive, output, options)
    assert (estimate.num_files, estimate.num_events) == (1, 5000)
    assert estimate.num_bytes == pytest.approx(summary.num_bytes, rel=0.01)
    assert estimate.how == "the first 5s of 1 of 1 files, 5,000 events"
    assert run(["convert", str(drive), "-o", "never.zarr", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["num_events"] == 5000
    assert not Path("never.zarr").exists()


def test_dry_run_of_a_part_counts_that_part(drive: Path) -> None:
    options = ConvertOptions(window_us=50_000, start_us=200_000, end_us=600_000)
    estimate = estimate_conversion([drive], options)
    summary = convert(drive, drive.parent / "out.zarr", options)
    assert 0 < estimate.num_events == summary.num_events < 5000
    assert estimate.num_bytes == pytest.approx(summary.num_bytes, rel=0.01)
