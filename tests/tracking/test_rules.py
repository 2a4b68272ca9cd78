"""The rules of the tracker on drives that they were not chosen on."""

import re
from dataclasses import replace
from functools import reduce
from pathlib import Path

import pytest

from eventdet.evaluation import TrackScores, count_tracks
from eventdet.simulation import SimulationConfig
from eventdet.sources import SyntheticSource
from eventdet.streaming import Streamer, StreamOptions
from eventdet.tracking import Tracker, TrackerConfig

_PAGE = Path(__file__).parents[2] / "docs" / "evaluation.md"
_SEEDS = range(900_000, 900_008)
_SECONDS = 20

_RULES = {
    "defaults": TrackerConfig(),
    "predicted for 0 ms": replace(TrackerConfig(), predict_us=0),
    "predicted for 250 ms": replace(TrackerConfig(), predict_us=250_000),
    "scores 0.25 and 0.35, predicted for 250 ms": replace(
        TrackerConfig(), high_score=0.25, new_score=0.35, predict_us=250_000
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_rules_score_what_the_docs_say() -> None:
    scores: dict[str, list[TrackScores]] = {name: [] for name in _RULES}
    for seed in _SEEDS:
        # Labels at the end of each window: no track is judged where nobody says what is there.
        source = SyntheticSource(SimulationConfig(seed, _SECONDS * 1_000_000, label_rate_hz=20.0))
        options = StreamOptions(conf=TrackerConfig().low_score)
        results = list(Streamer.from_model("ems-res10-plain", source, options))
        labels = [source.labels.at(result.t_us) for result in results]
        for name, rules in _RULES.items():
            tracker = Tracker(rules, sensor_size=source.sensor_size)
            tracks = [tracker.update(result.boxes, result.t_us).boxes for result in results]
            scores[name].append(count_tracks(tracks, labels))
    page = _PAGE.read_text()
    for name, parts in scores.items():
        score = reduce(TrackScores.plus, parts)
        row = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", page, re.MULTILINE)
        found = [100 * score.hota, 100 * score.idf1, 100 * score.mota, score.num_switches]
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in found[:3]) + f" | {found[3]} |")  # noqa: T201
        assert row is not None, name
        # bfloat16 and float32, and one CPU and another, round differently.
        assert [float(value) for value in row[1].split("|")] == pytest.approx(found, abs=1.0, rel=0.1)
