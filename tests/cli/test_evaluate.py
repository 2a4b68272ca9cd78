import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.cli._evaluation import detect_recordings
from eventdet.cli.main import run
from eventdet.formats import read_boxes, write_boxes
from eventdet.simulation import SimulationConfig
from eventdet.sources import SyntheticSource, open_source
from eventdet.streaming import Streamer, StreamOptions

MODEL = "ems-res10-plain"
DRIVE = Boxes.from_xywh([[10, 80, 60, 40], [40, 80, 60, 40], [70, 80, 60, 40]], t=[600_000, 850_000, 1_100_000])


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic drive with labels, and what ``eventdet stream`` finds in it."""
    folder = tmp_path_factory.mktemp("drive")
    assert run(["simulate", "--seed", "3", "--seconds", "1.2", "-o", str(folder / "drive_td.dat")]) == 0
    out = ["-o", str(folder / "drive.jsonl")]
    options = ["--conf", "0.001", "--max-det", "300", "--dtype", "float32", "-q"]
    assert run(["stream", str(folder / "drive_td.dat"), *out, *options]) == 0
    return folder


def test_saved_detections_print_every_protocol_and_write_where_they_come_from(
    streamed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "scores.json"
    labels = str(streamed / "drive_bbox.npy")
    code = run(
        ["evaluate", str(streamed / "drive.jsonl"), "--labels", labels, "--protocol", "all", "--json", str(report)]
    )
    assert code == 0
    printed = capsys.readouterr().out
    record = json.loads(report.read_text())
    for evaluation in record["evaluations"]:
        assert f"\n{evaluation['protocol']['name']} " in printed
    assert [each["protocol"]["name"] for each in record["evaluations"]] == [
        "rvt", "prophesee", "prophesee-cli", "side20", "yolo"
    ]  # fmt: skip
    assert record["synthetic"] == ["True"]
    assert len(record["weights_sha256"][0]) == 64


def test_a_detector_run_here_finds_what_stream_finds(streamed: Path) -> None:
    options = StreamOptions(conf=0.001, max_detections=300)
    path = str(streamed / "drive_td.dat")
    evaluated = detect_recordings([path], MODEL, options, dtype="float32", quiet=True)
    streamer = Streamer.from_model(MODEL, open_source(path), options, dtype="float32")
    expected = list(streamer)
    results = evaluated.recordings[0].results
    assert results.t_us.tolist() == [result.t_us for result in expected]
    boxes = Boxes.concatenate(result.boxes for result in expected)
    np.testing.assert_array_equal(results.boxes.xyxy, boxes.xyxy)
    np.testing.assert_array_equal(results.boxes.score, boxes.score)
    assert evaluated.weights == (streamer.header.weights_hash,)


def test_a_detector_run_here_scores_as_its_saved_detections_do(streamed: Path, tmp_path: Path) -> None:
    saved, direct = tmp_path / "saved.json", tmp_path / "direct.json"
    labels = str(streamed / "drive_bbox.npy")
    assert run(["evaluate", str(streamed / "drive.jsonl"), "--labels", labels, "--json", str(saved)]) == 0
    # A folder is looked through for recordings with labels.
    arguments = ["--weights", MODEL, "--dtype", "float32", "--json", str(direct), "-q"]
    assert run(["evaluate", str(streamed), *arguments]) == 0
    scores = [json.loads(path.read_text())["evaluations"][0] for path in (saved, direct)]
    # JSON lines keep two decimals of a pixel and four of a score.
    assert scores[0]["mAP50_95"] == pytest.approx(scores[1]["mAP50_95"], abs=0.02)
    assert scores[0]["mAP50_95"] > 0


def test_stores_and_synthetic_sources_bring_their_labels(streamed: Path, tmp_path: Path) -> None:
    assert run(["convert", str(streamed / "drive_td.dat"), "-o", str(tmp_path / "out.zarr"), "-q"]) == 0
    options = StreamOptions(conf=0.001)
    sources = [str(tmp_path / "out.zarr"), "synthetic://?seed=3&seconds=1.2"]
    stored, made = detect_recordings(sources, MODEL, options, dtype="float32", quiet=True).recordings
    np.testing.assert_array_equal(stored.labels.t, read_boxes(streamed / "drive_bbox.npy").t)
    np.testing.assert_array_equal(made.labels.t, SyntheticSource(SimulationConfig(3, 1_200_000)).labels.t)
    code = run(
        ["evaluate", str(streamed / "drive.jsonl"), "--labels", str(tmp_path / "out.zarr"), "--protocol", "yolo"]
    )
    assert code == 0


def test_folders_pair_by_name_and_report_what_has_no_pair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder, names in (("found", ("a", "b")), ("true", ("a", "c"))):
        (tmp_path / folder).mkdir()
        for name in names:
            write_boxes(tmp_path / folder / f"{name}_bbox.npy", DRIVE)
    assert run(["evaluate", str(tmp_path / "found"), "--labels", str(tmp_path / "true")]) == 5
    printed = capsys.readouterr().out
    assert "b_bbox.npy: no labels of that name" in printed
    assert "c_bbox.npy: no detections of that name" in printed
    assert "100.0  100.0" in printed


def test_latency_is_taken_as_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(tmp_path / "drive.npy", DRIVE)
    write_boxes(tmp_path / "drive_bbox.npy", DRIVE)
    pair = [str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]
    # 10 ms late, the first label has no result, the others that of 250 ms before, 30 of 60 pixels behind: 30 / 90.
    assert run(["evaluate", *pair, "--latency", "10ms"]) == 0
    printed = capsys.readouterr().out
    assert "newest-before, finished    0.0    0.0" in printed
    assert run(["evaluate", *pair, "--latency", "measured"]) == 2
    assert "latencies are not known" in capsys.readouterr().err


def test_tracks_are_scored_where_both_sides_have_ids(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # The object has another id from its last label on: 2 and 1 of 3 pairs are of the same tracks.
    write_boxes(tmp_path / "drive.npy", replace(DRIVE, track_id=np.array([4, 4, 5])))
    write_boxes(tmp_path / "drive_bbox.npy", replace(DRIVE, track_id=np.array([7, 7, 7])))
    report = tmp_path / "scores.json"
    pair = [str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]
    assert run(["evaluate", *pair, "--tracks", "--json", str(report)]) == 0
    # AssA = (2 * 2 / 3 + 1 / 3) / 3 = 5 / 9, HOTA its root, IDF1 = 2 * 2 / 6, MOTA = 1 - 1 / 3.
    assert (
        "tracks (rvt): HOTA 74.5  DetA 100.0  AssA 55.6  IDF1 66.7  MOTA 66.7  (1 switches" in capsys.readouterr().out
    )
    assert json.loads(report.read_text())["evaluations"][0]["tracks"]["switches"] == 1
    # The layout stores no track as 0, which two boxes at one time cannot both be.
    write_boxes(tmp_path / "drive.npy", Boxes.concatenate([DRIVE, DRIVE]))
    assert run(["evaluate", *pair, "--tracks"]) == 2
    assert "detections must have track ids" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path / "drive_td.dat"), "--weights", MODEL, "--tracks"]) == 2


def test_files_without_labels_have_no_score_and_files_that_are_none_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_boxes(tmp_path / "drive.npy", DRIVE)
    write_boxes(tmp_path / "drive_bbox.npy", Boxes.empty())
    pair = [str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]
    assert run(["evaluate", *pair, "--tracks"]) == 0
    assert "tracks (rvt): HOTA -  DetA -  AssA -  IDF1 -  MOTA -" in capsys.readouterr().out
    (tmp_path / "drive_bbox.npy").write_bytes(b"")
    assert run(["evaluate", *pair]) == 3
    assert "drive_bbox.npy: file is empty" in capsys.readouterr().err
    write_boxes(tmp_path / "drive_bbox.npy", replace(DRIVE, class_id=np.full(3, 9)))
    assert run(["evaluate", *pair]) == 2
    assert "labels: class ids must be in 0..1, got 9 in box 0" in capsys.readouterr().err


def test_curves_are_written_as_pictures_and_tables(tmp_path: Path) -> None:
    write_boxes(tmp_path / "drive.npy", DRIVE[:2])
    write_boxes(tmp_path / "drive_bbox.npy", DRIVE)
    pair = [str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]
    assert run(["evaluate", *pair, "--plots", str(tmp_path / "plots")]) == 0
    assert (tmp_path / "plots/precision_recall_rvt.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "plots/precision_recall_rvt.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["iou"] == "0.50"]
    # Two of three labels are found, without a false box; pedestrians have no labels, and no curve.
    assert [row["class"] for row in rows] == ["car"] * 101
    assert [float(row["precision"]) for row in rows] == [1.0] * 67 + [0.0] * 34
    assert run(["evaluate", *pair, "--plots", str(tmp_path / "drive.npy")]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--protocol", "coco"], 2, "--protocol must be one of rvt, prophesee, prophesee-cli, side20, yolo, all"),
        (["--matching", "nearest"], 2, "matching must be one of exact, all-in-window, newest-before"),
        (["--classes", "car", "--protocol", "yolo"], 2, r"class ids must be in 0..0, got 1"),
        (["--weights", "ems-res10-plain"], 2, "--labels is for saved detections"),
    ],
    ids=["protocol", "matching", "classes", "labels beside weights"],
)
def test_a_wrong_call_ends_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    walker = Boxes.from_xywh([[10, 80, 60, 40]], t=600_000, class_id=1)
    write_boxes(tmp_path / "drive.npy", walker)
    shutil.copy(tmp_path / "drive.npy", tmp_path / "drive_bbox.npy")
    pair = [str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]
    assert run(["evaluate", *pair, *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_score_that_is_no_number_names_file_and_row(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(tmp_path / "drive_bbox.npy", DRIVE)
    broken = Boxes.from_xyxy(DRIVE.xyxy, t=DRIVE.t, score=[0.5, np.nan, 0.5])
    write_boxes(tmp_path / "drive.npy", broken)
    assert run(["evaluate", str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]) == 3
    assert "score of a detection must be finite, got nan in row 1" in capsys.readouterr().err


def test_rows_that_are_no_box_are_left_out_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_boxes(tmp_path / "drive.npy", DRIVE)
    flat = Boxes.from_xywh([[10, 10, 0, 40]], t=600_000)
    write_boxes(tmp_path / "drive_bbox.npy", Boxes.concatenate([DRIVE, flat]))
    assert run(["evaluate", str(tmp_path / "drive.npy"), "--labels", str(tmp_path / "drive_bbox.npy")]) == 0
    assert "drive_bbox.npy: 1 rows that are no box left out" in capsys.readouterr().out


def test_inputs_without_labels_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evaluate", str(tmp_path / "drive.npy")]) == 2
    assert "need --labels" in capsys.readouterr().err
    assert run(["evaluate", str(tmp_path), "--labels", str(tmp_path)]) == 3
    assert run(["evaluate", str(tmp_path), "--weights", MODEL]) == 3
    assert "no recording with labels" in capsys.readouterr().err
