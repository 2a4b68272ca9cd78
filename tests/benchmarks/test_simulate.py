"""The benchmark of the simulator runs and its shares add up."""

import pytest

from eventdet.benchmarks.simulate import benchmark_simulate


def test_shares_of_drawing_labels_and_the_first_camera_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventdet.benchmarks.simulate._LENGTH_US", 20_000)
    monkeypatch.setattr("eventdet.benchmarks.simulate._SEEDS", range(1, 2))
    rows = {row.name: row for row in benchmark_simulate(repeats=1)}
    assert len(rows) == 24
    for preset in ("plain", "gen1", "night", "rain"):
        parts = [rows[f"{preset}, {stage}"] for stage in ("draw pictures", "label", "camera atis")]
        assert sum(int(row.note.partition("%")[0]) for row in parts) == pytest.approx(100, abs=2)
        assert sum(row.value for row in parts) * rows[f"{preset}, whole"].value == pytest.approx(1.0)
