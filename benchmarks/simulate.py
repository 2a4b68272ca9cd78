"""The simulator: recorded seconds per second of CPU, and which stage they go to."""

import time

from eventdet.boxes import Boxes
from eventdet.geometry import GEN1
from eventdet.simulation import SENSORS, Renderer, Scene, make_scene, make_sensor

from .rows import BenchmarkRow

__all__ = ["benchmark_simulate"]

_SEEDS = range(1, 5)
_LENGTH_US = 500_000
_LABEL_PERIOD_US = 250_000
_PRESETS = ("plain", "gen1")


def benchmark_simulate(*, repeats: int = 5) -> list[BenchmarkRow]:
    """Return how fast recordings are made, and the shares of the stages.

    Parameters
    ----------
    repeats : int
        Runs; the fastest counts, since the load of a shared machine only ever adds.

    Returns
    -------
    list of BenchmarkRow
        For each preset the whole at camera atis, then the stages, among them the other cameras, in seconds of CPU per
        recorded second, with their share of the whole.
    """
    return [row for preset in _PRESETS for row in _rows(preset, repeats)]


def _rows(preset: str, repeats: int) -> list[BenchmarkRow]:
    scenes = [make_scene(seed, _LENGTH_US, preset=preset) for seed in _SEEDS]
    # The first run compiles and is not counted.
    runs = [_stages(scenes) for _ in range(repeats + 1)][1:]
    recorded_s = len(scenes) * _LENGTH_US / 1e6
    fastest = {stage: min(run[stage] for run in runs) / recorded_s for stage in runs[0]}
    whole = fastest["draw pictures"] + fastest["label"] + fastest["camera atis"]
    note = f"{len(scenes)} streets of {_LENGTH_US / 1e6:g} s; one thread"
    rows = [BenchmarkRow(f"{preset}, whole", 1.0 / whole, "s/s CPU", None, note)]
    return rows + [
        BenchmarkRow(f"{preset}, {stage}", seconds, "s CPU/s", None, f"{seconds / whole:.0%} of the whole")
        for stage, seconds in fastest.items()
    ]


def _stages(scenes: list[Scene]) -> dict[str, float]:
    """Return the CPU seconds of each stage over all scenes; every camera sees the same pictures."""
    seconds = dict.fromkeys(("draw pictures", "label", *(f"camera {name}" for name in SENSORS)), 0.0)
    for scene in scenes:
        renderer = Renderer(scene)
        cameras = {name: make_sensor(model, size=GEN1, seed=scene.seed) for name, model in SENSORS.items()}
        pictures = renderer.pictures()
        next(pictures)
        while True:
            begin = time.process_time()
            picture = next(pictures, None)
            seconds["draw pictures"] += time.process_time() - begin
            if picture is None:
                break
            for name, camera in cameras.items():
                begin = time.process_time()
                camera.step(picture[1], t_us=picture[0])
                seconds[f"camera {name}"] += time.process_time() - begin
        begin = time.process_time()
        Boxes.concatenate(renderer.boxes(label_us) for label_us in range(0, scene.duration_us, _LABEL_PERIOD_US))
        seconds["label"] += time.process_time() - begin
    return seconds
