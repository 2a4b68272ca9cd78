"""Train and score the bundled detector on synthetic plain scenes: a recipe, and the data that it is for.

scripts/train_zoo --minutes 60     make recordings, train, write models/weights/ems-res10-plain.safetensors;
                                   the same command again goes on where the last one stopped
scripts/train_zoo --evaluate       score the bundled weights on seeds that no training saw
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np

from eventdet.boxes import Boxes
from eventdet.evaluation import AveragePrecision, average_precision
from eventdet.models.training import DataOptions, Recipe, TrainConfig, fit
from eventdet.models.zoo import save_detector
from eventdet.preprocessing.dataset import Augmentation
from eventdet.simulation import SimulationConfig
from eventdet.simulation.dataset import DatasetOptions, write_dataset
from eventdet.sources import SyntheticSource
from eventdet.streaming import Streamer, StreamOptions

ROOT = Path(__file__).resolve().parents[1]
NAME = "ems-res10-plain"
WEIGHTS = ROOT / "models" / "weights" / f"{NAME}.safetensors"
RUNS = ROOT / "runs" / NAME

WINDOW_US = 50_000
SECONDS = 10
TRAINING_SEED = 100_000
FIRST_EVALUATION_SEED = 900_000
EVALUATION_RECORDINGS = 16


def main() -> None:
    """Run the command line of this script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="wall time of training")
    parser.add_argument("--steps", type=int, default=12_000, help="optimiser steps of the whole run")
    parser.add_argument("--recordings", type=int, default=240, help="training recordings of 10 s")
    parser.add_argument("--evaluate", action="store_true", help="score the bundled weights only")
    arguments = parser.parse_args()
    if not arguments.evaluate:
        _train(arguments)
    print(json.dumps(_evaluate(), indent=2))


def _train(arguments: argparse.Namespace) -> None:
    scenes = SimulationConfig(TRAINING_SEED, SECONDS * 1_000_000, label_rate_hz=1e6 / WINDOW_US)
    data = RUNS / "data"
    write_dataset(
        data, DatasetOptions(arguments.recordings, scenes, split=(1.0, 0.0, 0.0)), num_processes=os.cpu_count() or 1
    )
    recipe = Recipe(
        {"name": "ems-res10", "window_us": WINDOW_US},
        anchors="gen1",
        data=DataOptions(batch=8, num_steps=4),
        augmentation=Augmentation(flip=0.5, zoom=0.5, translate=0.1),
        training=TrainConfig(
            steps=arguments.steps,
            learning_rate=1.5e-3,
            warmup_steps=200,
            readout="steps",
            objectness_gain=1.0,
            class_gain=0.1,
            time_budget_s=60 * arguments.minutes,
        ),
    )
    result = fit(data, recipe, RUNS)
    about = {
        "data": "synthetic plain scenes (eventdet simulate)",
        "seed": str(TRAINING_SEED),
        "steps": str(result.step),
    }
    save_detector(result.detector, WEIGHTS, about)
    print(f"{WEIGHTS.name}: step {result.step} of {arguments.steps}, loss {result.loss:.3f}")


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
