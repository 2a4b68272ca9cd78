"""Train and score the bundled detector on synthetic plain scenes.

    scripts/train_zoo --minutes 60            make recordings, train, write models/weights/ems-res10-plain.safetensors
    scripts/train_zoo --minutes 60 --resume   go on where the last run stopped
    scripts/train_zoo --evaluate              score the bundled weights on seeds that no training saw

Crops: the network is convolutional, so objects are learnt at their true size on crops of the picture, at a third of
the cost of whole pictures.
"""

import argparse
import concurrent.futures
import json
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from eventdet.boxes import Boxes
from eventdet.evaluation import AveragePrecision, average_precision
from eventdet.geometry import GEN1, SensorSize, fit_pixels
from eventdet.models import build_detector
from eventdet.models.loss import LossGains
from eventdet.models.training import Batch, TrainConfig, train
from eventdet.models.zoo import save_detector
from eventdet.preprocessing import event_histogram
from eventdet.simulation import SimulationConfig, simulate
from eventdet.sources import SyntheticSource
from eventdet.streaming import Streamer, StreamOptions

ROOT = Path(__file__).resolve().parents[1]
NAME = "ems-res10-plain"
WEIGHTS = ROOT / "models" / "weights" / f"{NAME}.safetensors"
RUNS = ROOT / "runs" / NAME

WINDOW_US = 50_000
SECONDS = 10
FIRST_TRAINING_SEED = 100_000
FIRST_EVALUATION_SEED = 900_000
EVALUATION_RECORDINGS = 16
CROP = SensorSize(160, 192)
STEPS_IN_TIME = 4
BATCH = 8
LEAST_VISIBLE = 0.4
"""Share of a box that must lie inside a crop for its visible part to be a label."""


def main() -> None:
    """Run the command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="wall time of training")
    parser.add_argument("--steps", type=int, default=12_000, help="optimiser steps of the whole run")
    parser.add_argument("--recordings", type=int, default=240, help="training recordings of 10 s")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--evaluate", action="store_true", help="score the bundled weights only")
    arguments = parser.parse_args()
    if not arguments.evaluate:
        _train(arguments)
    print(json.dumps(_evaluate(), indent=2))


def _train(arguments: argparse.Namespace) -> None:
    checkpoint = RUNS / "checkpoint.safetensors"
    if not arguments.resume:
        checkpoint.unlink(missing_ok=True)
    data = TrainingData(_recordings(arguments.recordings))
    config = TrainConfig(
        steps=arguments.steps,
        learning_rate=1.5e-3,
        warmup_steps=200,
        gains=LossGains(objectness=1.0, classes=0.1),
        time_budget_s=60 * arguments.minutes,
        checkpoint=checkpoint,
        metrics=RUNS / "metrics.jsonl",
    )
    result = train(data, build_detector("ems-res10", readout_steps=1), config)
    metadata = {
        "data": "synthetic plain scenes (eventdet simulate)",
        "training_seeds": f"{FIRST_TRAINING_SEED}..{FIRST_TRAINING_SEED + arguments.recordings - 1}",
        "steps": str(result.step),
    }
    save_detector(result.detector, WEIGHTS, metadata)
    print(f"{WEIGHTS.name}: step {result.step} of {arguments.steps}, loss {result.loss:.3f}")


def _recordings(count: int) -> list[Path]:
    """Return the windows of each training recording as files, made where they are missing."""
    folder = RUNS / "windows"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{FIRST_TRAINING_SEED + index}.npz" for index in range(count)]
    missing = [path for path in paths if not path.exists()]
    with concurrent.futures.ProcessPoolExecutor() as pool:
        for done, path in enumerate(pool.map(_make_windows, missing), start=1):
            print(f"\rrecording {done} of {len(missing)} ({path.stem})", end="", flush=True)
    print()
    return paths


def _make_windows(path: Path) -> Path:
    recording = simulate(SimulationConfig(int(path.stem), SECONDS * 1_000_000, label_rate_hz=1e6 / WINDOW_US))
    pixels = fit_pixels(GEN1, SensorSize(256, 320))
    starts = range(0, SECONDS * 1_000_000, WINDOW_US)
    frames = np.concatenate(
        [
            event_histogram(
                recording.events.between(t0, t0 + WINDOW_US), (t0, t0 + WINDOW_US), bins=1, pixel_map=pixels
            )
            for t0 in starts
        ]
    )
    boxes = recording.boxes
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, frames=frames, t=boxes.t, xyxy=boxes.xyxy, class_id=boxes.class_id)
    unfinished.rename(path)
    return path


class TrainingData:
    """Batches of random crops, by step number."""

    def __init__(self, paths: list[Path]) -> None:
        self._frames: list[NDArray[np.uint8]] = []
        self._boxes: list[list[NDArray[np.float32]]] = []
        for path in paths:
            with np.load(path, allow_pickle=False) as arrays:
                self._frames.append(arrays["frames"])
                ends = np.arange(1, len(arrays["frames"]) + 1) * WINDOW_US
                rows = np.column_stack((arrays["class_id"], arrays["xyxy"])).astype(np.float32)
                self._boxes.append([rows[arrays["t"] == end] for end in ends])

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step; the same step gives the same batch."""
        rng = np.random.default_rng((2026, step))
        counts = np.empty((STEPS_IN_TIME, BATCH, 2, *CROP), np.uint8)
        rows: list[list[NDArray[np.float32]]] = [[] for _ in range(STEPS_IN_TIME)]
        for item in range(BATCH):
            self._fill(item, counts, rows, rng)
        return Batch(torch.from_numpy(counts), [np.concatenate(step_rows) for step_rows in rows])

    def _fill(
        self,
        item: int,
        counts: NDArray[np.uint8],
        rows: list[list[NDArray[np.float32]]],
        rng: np.random.Generator,
    ) -> None:
        recording = int(rng.integers(len(self._frames)))
        frames, boxes = self._frames[recording], self._boxes[recording]
        # Labels begin half a second into a recording, as Gen1's do.
        first = int(rng.integers(500_000 // WINDOW_US, len(frames) - STEPS_IN_TIME))
        top, left = self._corner(boxes[first], rng)
        flipped = bool(rng.random() < 0.5)
        for step in range(STEPS_IN_TIME):
            crop = frames[first + step, :, top : top + CROP.height, left : left + CROP.width]
            counts[step, item] = crop[..., ::-1] if flipped else crop
            rows[step].append(_crop_boxes(boxes[first + step], item, top=top, left=left, flipped=flipped))

    @staticmethod
    def _corner(boxes: NDArray[np.float32], rng: np.random.Generator) -> tuple[int, int]:
        limit = np.array([GEN1.height - CROP.height, GEN1.width - CROP.width])
        if len(boxes) and rng.random() < 0.7:
            # Most crops hold an object, somewhere.
            _, x1, y1, x2, y2 = boxes[rng.integers(len(boxes))]
            centre = np.array([(y1 + y2) / 2, (x1 + x2) / 2])
            corner = centre - rng.uniform(0.15, 0.85, 2) * np.array(CROP)
        else:
            corner = rng.uniform(0, 1, 2) * (limit + 16)
        top, left = np.clip(corner, 0, limit + 16).astype(int)
        return int(top), int(left)


def _crop_boxes(boxes: NDArray[np.float32], item: int, *, top: int, left: int, flipped: bool) -> NDArray[np.float32]:
    corners = boxes[:, 1:] - np.array([left, top, left, top], np.float32)
    whole = np.prod(corners[:, 2:] - corners[:, :2], axis=1)
    corners = np.clip(corners, 0, np.array([CROP.width, CROP.height] * 2, np.float32))
    if flipped:
        corners = corners[:, [2, 1, 0, 3]] * np.array([-1, 1, -1, 1], np.float32) + np.array(
            [CROP.width, 0, CROP.width, 0], np.float32
        )
    inside = np.prod(corners[:, 2:] - corners[:, :2], axis=1) >= LEAST_VISIBLE * whole
    return np.column_stack((np.full(len(boxes), item, np.float32), boxes[:, 0], corners))[inside].astype(np.float32)


def _evaluate() -> dict[str, object]:
    """Return scores on unseen synthetic recordings: newest detections at each label time, 4 Hz, state kept."""
    detections: list[Boxes] = []
    labels: list[Boxes] = []
    for seed in range(FIRST_EVALUATION_SEED, FIRST_EVALUATION_SEED + EVALUATION_RECORDINGS):
        source = SyntheticSource(SimulationConfig(seed, SECONDS * 1_000_000))
        times = set(np.arange(500_000, SECONDS * 1_000_000, 250_000).tolist())
        for result in Streamer.from_model(NAME, source, StreamOptions(conf=0.01)):
            if result.t_us in times:
                detections.append(result.boxes)
                labels.append(source.labels.at(result.t_us))
    return _report(average_precision(detections, labels, num_classes=2))


def _report(score: AveragePrecision) -> dict[str, object]:
    return {
        "data": "synthetic plain scenes, unseen seeds",
        "weights": NAME,
        "recordings": EVALUATION_RECORDINGS,
        "label_times": score.num_images,
        "labels": {"car": int(score.num_labels[0]), "pedestrian": int(score.num_labels[1])},
        "mAP50": round(score.map50, 4),
        "mAP50_95": round(score.map50_95, 4),
        "AP50": {"car": round(score.per_class[0, 0], 4), "pedestrian": round(score.per_class[0, 1], 4)},
    }


if __name__ == "__main__":
    main()
