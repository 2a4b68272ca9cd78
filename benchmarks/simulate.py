"""The simulator: recorded seconds per second of CPU, and which stage they go to."""

import time

from eventdet.boxes import Boxes
from eventdet.geometry import GEN1
from eventdet.simulation import SENSORS, Renderer, Scene, make_scene, make_sensor

from .rows import BenchmarkRow

__all__ = ["benchmark_simulate"]

_SEEDS = range(1, 7)
_LENGTH_US = 500_000
_LABEL_PERIOD_US = 250_000
_PRESETS = ("plain", "gen1", "night", "rain")
_WHOLE = ("draw pictures", "label", "camera atis")


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
    recorded_s = _LENGTH_US / 1e6
    # The first run compiles and is not counted.
    runs = [[_stages(scene) for scene in scenes] for _ in range(repeats + 1)][1:]
    best = [{stage: min(run[k][stage] for run in runs) for stage in runs[0][k]} for k in range(len(scenes))]
    speeds = sorted(recorded_s / sum(seconds[stage] for stage in _WHOLE) for seconds in best)
    fastest = {stage: sum(seconds[stage] for seconds in best) / (len(scenes) * recorded_s) for stage in best[0]}
    whole = sum(fastest[stage] for stage in _WHOLE)
    note = f"{len(scenes)} streets of {recorded_s:g} s, {speeds[0]:.2f} to {speeds[-1]:.2f}; one thread"
    rows = [BenchmarkRow(f"{preset}, whole", 1.0 / whole, "s/s CPU", None, note)]
    return rows + [
        BenchmarkRow(f"{preset}, {stage}", seconds, "s CPU/s", None, f"{seconds / whole:.0%} of the whole")
        for stage, seconds in fastest.items()
    ]


def _stages(scene: Scene) -> dict[str, float]:
    """Return the CPU seconds of each stage of a scene; every camera sees the same pictures."""
    seconds = dict.fromkeys(("draw pictures", "label", *(f"camera {name}" for name in SENSORS)), 0.0)
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
