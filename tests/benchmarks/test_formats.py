"""The formats benchmark has a contender for every line, and every line comes out."""

import os
from pathlib import Path

import pytest

from eventdet.benchmarks import formats as benchmark
from eventdet.benchmarks._traffic import traffic
from eventdet.formats import open_recording
from eventdet.geometry import GEN1

for peer in ("expelliarmus", "evt3", "faery"):
    pytest.importorskip(peer)


def test_contenders_exist_for_every_format_that_has_a_writer() -> None:
    assert benchmark._peers().keys() == benchmark._WRITERS.keys()
    assert set(benchmark._SOUGHT) <= benchmark._WRITERS.keys()


def test_stream_can_be_written_in_every_format_and_is_read_whole(tmp_path: Path) -> None:
    events = benchmark._stream(1000)
    for name, write in benchmark._WRITERS.values():
        write(tmp_path / name, events, GEN1)
        batches = open_recording(tmp_path / name).chunks()
        assert sum(len(batch) for batch in batches) == 1000


def test_recording_to_seek_in_is_the_same_events_later_and_later() -> None:
    tile = traffic(100, benchmark._TILE_US)
    first, second = benchmark._repeated(tile, 2)
    assert first.t.tolist() == tile.t.tolist()
    assert (second.t - first.t).tolist() == [benchmark._TILE_US] * 100
    assert second.x.tolist() == tile.x.tolist()


def test_rows_name_every_contender_and_leave_the_users_cache_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EVENTDET_CACHE", "given")
    rows = benchmark.benchmark_formats(num_events=20_000, repeats=1, num_sought=1_000_000)
    assert os.environ["EVENTDET_CACHE"] == "given"
    decoding = [row for row in rows if row.unit == "Mev/CPU-s"]
    assert [row.name for row in decoding if row.ratio is None] == [f"{name}, eventdet" for name in benchmark._WRITERS]
    assert sum("copy of the bytes" in row.name for row in decoding) == len(benchmark._WRITERS)
    assert [row.name for row in rows if row.unit == "us CPU"] == [
        "DAT, slice of 50 ms", "DAT, words of 50 ms", "EVT2, slice of 50 ms", "EVT3, slice of 50 ms",
    ]  # fmt: skip
    assert all(row.value > 0 for row in rows)
