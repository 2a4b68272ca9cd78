import json
from pathlib import Path

import numpy as np
import pytest

from eventdet.boxes import Boxes
from eventdet.cli._patch_evaluation import PatchOptions, score_patches
from eventdet.cli.main import run
from eventdet.events import Events
from eventdet.filters import Crop
from eventdet.formats import read_dat, recording_of_batches, write_dat
from eventdet.geometry import GEN1, SensorSize
from eventdet.models import StreamingDetector, load_detector
from eventdet.simulation import SimulationConfig
from eventdet.sources import SyntheticSource
from eventdet.streaming import Streamer, StreamOptions

MODEL = "ems-res10-plain"
ARGUMENTS = ["--format", "patches", "--weights", MODEL, "--dtype", "float32", "-q"]


def cut_patch(path: Path, drive: Events, t_us: int, corner: tuple[int, int], size: SensorSize) -> None:
    """Write the 100 ms before a time of one place, in the coordinates of the patch as N-CARS has them."""
    crop = Crop(*corner, size.width, size.height).start(GEN1)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dat(path, crop(drive.between(t_us - 100_000, t_us)), size, synthetic=True)


@pytest.fixture(scope="module")
def patches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patches of labelled cars, and of places at the same times that no label touches, from a synthetic drive."""
    folder = tmp_path_factory.mktemp("patches")
    source = SyntheticSource(SimulationConfig(3, 2_000_000))
    drive = Events.concatenate(window.events for window in source.windows(100_000))
    labels = source.labels
    for row in np.flatnonzero(labels.class_id == 0)[:6].tolist():
        left, top, right, bottom = labels.xyxy[row].astype(int).tolist()
        cut_patch(
            folder / "test" / "cars" / f"{row}.dat", drive, int(labels.t[row]), (left, top),
            SensorSize(bottom - top, right - left),
        )  # fmt: skip
    for t_us in np.unique(labels.t).tolist():
        x0, y0, x1, y1 = labels.at(t_us).xyxy.T
        for left in (10, 110, 230):
            if not ((x0 < left + 64) & (x1 > left) & (y0 < 198) & (y1 > 150)).any():
                path = folder / "test" / "background" / f"{t_us}_{left}.dat"
                cut_patch(path, drive, t_us, (left, 150), SensorSize(48, 64))
    return folder


def test_cars_of_a_synthetic_drive_stand_out(patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "auc.json"
    assert run(["evaluate", str(patches), *ARGUMENTS, "--json", str(report)]) == 0
    printed = capsys.readouterr().out
    record = json.loads(report.read_text())
    assert record["cars"]["patches"] == 6
    assert record["background"]["patches"] >= 3
    assert record["auc"] > 0.6
    assert f"AUC {record['auc']:.4f}" in printed
    assert "N-CARS itself was not at hand" in printed
    assert record["synthetic"] == ["True"]
    assert record["weights_sha256"] == load_detector(MODEL).weights_hash
    assert {"eventdet", "numpy", "torch"} <= record["versions"].keys()


def test_noise_around_patches_is_counted_in_and_the_same_every_time(patches: Path, tmp_path: Path) -> None:
    reports = [tmp_path / f"{number}.json" for number in range(3)]
    for report, rate in zip(reports, ("0", "2.4", "2.4"), strict=True):
        command = ["evaluate", str(patches), *ARGUMENTS, "--canvas-noise", rate, "--json", str(report)]
        assert run(command) == 0
    silent, noisy, again = (json.loads(report.read_text()) for report in reports)
    assert noisy == again
    assert noisy["scores"] != silent["scores"]
    assert (noisy["canvas_noise_hz"], noisy["framed_at"]) == (2.4, 0.25)
    framed = [each["framed_score"] >= 0.25 for each in noisy["scores"] if each["kind"] == "cars"]
    assert noisy["cars"]["share_framed"] == pytest.approx(np.mean(framed), abs=1e-6)
    assert all(each["framed_score"] <= each["score"] for each in noisy["scores"])


def test_a_patch_scores_the_same_after_others_as_from_rest(patches: Path) -> None:
    options = StreamOptions(conf=0.001, max_detections=300)
    detector = StreamingDetector(load_detector(MODEL), dtype="float32")
    scored = score_patches(str(patches), detector, PatchOptions(options, GEN1), quiet=True)
    for each in scored.summary.scores[1:4]:
        events = read_dat(patches / each.name)[0]
        width, height = int(np.ptp(events.x)) + 1, int(np.ptp(events.y)) + 1
        left, top = (304 - width) // 2, (240 - height) // 2
        moved = Events.from_columns(
            t=events.t - events.t[0],
            x=events.x.astype(int) - events.x.min() + left,
            y=events.y.astype(int) - events.y.min() + top,
            p=events.p,
        )
        source = recording_of_batches("one", lambda moved=moved: [moved], GEN1, format="memory")  # type: ignore[misc]
        boxes = Boxes.concatenate(
            result.boxes for result in Streamer.from_model(MODEL, source, options, dtype="float32")
        )
        best = 0.0
        for (x0, y0, x1, y1), class_id, score in zip(boxes.xyxy, boxes.class_id, boxes.score, strict=True):
            overlaps = min(x1, left + width) > max(x0, left) and min(y1, top + height) > max(y0, top)
            if class_id == 0 and overlaps:
                best = max(best, float(score))
        assert each.score == pytest.approx(best, abs=1e-6)
    assert len({each.score for each in scored.summary.scores}) > 3


def test_files_without_a_size_and_bad_ones(patches: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cars, background = (sorted((patches / "test" / kind).iterdir()) for kind in ("cars", "background"))
    for kind in ("cars", "background"):
        (tmp_path / kind).mkdir()
    # N-CARS files have no size lines.
    lines = cars[0].read_bytes().split(b"\n", 6)
    kept = [line for line in lines if not line.startswith((b"% Height", b"% Width"))]
    assert len(kept) == len(lines) - 2
    (tmp_path / "cars" / "a.dat").write_bytes(b"\n".join(kept))
    (tmp_path / "background" / "a.dat").write_bytes(background[0].read_bytes())
    (tmp_path / "background" / "nothing.dat").touch()
    (tmp_path / "background" / "other.dat").write_bytes(b"\x89PNG not events at all")
    write_dat(tmp_path / "cars" / "silent.dat", Events.empty(), GEN1)
    slow = Events.from_columns(t=[0, 11_000_000], x=[1, 2], y=[1, 2], p=[0, 1])
    write_dat(tmp_path / "cars" / "slow.dat", slow, GEN1)
    assert run(["evaluate", str(tmp_path), *ARGUMENTS]) == 5
    printed = capsys.readouterr().out
    assert "2 patches (synthetic data)" in printed
    skipped = [line for line in printed.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 4
    assert "silent.dat: a patch must have events, got none" in printed
    assert "slow.dat: a patch lasts at most 10 s, got 11.0 s" in printed


def test_the_reason_is_that_of_the_kind_that_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("cars", "background"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "none.dat").touch()
    event = Events.from_columns(t=[5], x=[3], y=[3], p=[1])
    write_dat(tmp_path / "cars" / "sound.dat", event, GEN1)
    assert run(["evaluate", str(tmp_path), *ARGUMENTS]) == 3
    error = capsys.readouterr().err
    assert "no patch of background can be read" in error
    assert str(tmp_path / "background" / "none.dat") in error
    assert str(tmp_path / "cars" / "none.dat") not in error


@pytest.mark.parametrize(
    ("kinds", "arguments", "code", "message"),
    [
        (["cars"], ARGUMENTS, 3, "no DAT file in background"),
        (["background"], ARGUMENTS, 3, "no DAT file in cars"),
        (["cars", "background"], ARGUMENTS, 3, "no patch of cars can be read"),
        (["cars"], ["--format", "patches"], 2, "--format patches needs one folder and --weights"),
        (["cars"], [*ARGUMENTS, "--tracks"], 2, "--tracks is for saved detections, got --format patches"),
        (["cars"], [*ARGUMENTS, "--protocol", "rvt"], 2, "--protocol is for saved detections or recordings with"),
        (["cars"], [*ARGUMENTS, "--matching", "exact"], 2, "--matching is for"),
        (["cars"], [*ARGUMENTS, "--latency", "20ms"], 2, "--latency is for"),
        (["cars"], ["--format", "coco", "--weights", MODEL, "--dtype", "int8"], 2, "--dtype is for recordings with"),
        (["cars"], ["--weights", MODEL, "--canvas-noise", "1"], 2, "--canvas-noise is for --format patches, got"),
    ],
    ids=[
        "no background",
        "no cars",
        "none readable",
        "no weights",
        "tracks",
        "protocol",
        "matching",
        "latency",
        "coco",
        "noise",
    ],
)
def test_a_wrong_call_ends_in_one_line(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    kinds: list[str],
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    for kind in kinds:
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.dat").touch()
    assert run(["evaluate", str(tmp_path), *arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
