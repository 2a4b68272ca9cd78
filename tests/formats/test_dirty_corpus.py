from dataclasses import fields
from pathlib import Path

import pytest

from eventdet.errors import FormatError, InputError
from eventdet.events import Events
from eventdet.formats import ReadPolicy, inspect_recording, open_recording
from eventdet.report import ReadReport

from .dirty_binary import CASES
from .dirty_file import DirtyFile
from .reference import rows

COUNTING = ReadPolicy(duplicates="count")

readable = pytest.mark.parametrize("case", [case for case in CASES if not case.error], ids=lambda case: case.name)


def save(case: DirtyFile, folder: Path) -> Path:
    path = folder / f"recording{case.suffix}"
    path.write_bytes(case.content)
    return path


def counted(report: ReadReport) -> dict[str, int]:
    return {name: count for name, count in report.to_dict().items() if count and name != "num_events"}


def test_the_corpus_is_large_and_covers_every_count() -> None:
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)
    seen = {name for case in CASES for name in case.counts}
    # Those that need another policy, or a format with packets, have tests of their own.
    elsewhere = {"num_events", "duplicates_dropped", "packets_dropped", "time_jump_dropped"}
    assert {field.name for field in fields(ReadReport)} <= seen | elsewhere


@readable
@pytest.mark.parametrize("num_events", [1, 1000])
def test_dirty_file_gives_its_events_and_counts_however_cut(case: DirtyFile, num_events: int, tmp_path: Path) -> None:
    recording = open_recording(save(case, tmp_path), sensor_size=case.sensor_size, policy=COUNTING)
    assert rows(Events.concatenate(recording.chunks(num_events))) == case.rows
    assert counted(recording.report) == case.counts
    assert recording.report.num_events == recording.num_events == len(case.rows or [])


@readable
def test_dirty_file_gives_the_same_on_every_path(case: DirtyFile, tmp_path: Path) -> None:
    path = save(case, tmp_path)
    expected = case.rows or []
    assert rows(open_recording(path, sensor_size=case.sensor_size).slice(0, 2**62)) == expected
    unique = open_recording(path, sensor_size=case.sensor_size, policy=ReadPolicy(duplicates="drop"))
    assert rows(Events.concatenate(unique.chunks(2))) == list(dict.fromkeys(expected))
    info = inspect_recording(path, sensor_size=case.sensor_size)
    assert {name: count for name, count in info.counts.items() if count and name != "num_events"} == case.counts


@readable
def test_dirty_file_is_refused_under_strict_exactly_when_it_needs_a_repair(case: DirtyFile, tmp_path: Path) -> None:
    path = save(case, tmp_path)
    if ReadReport(**case.counts).repairs:
        with pytest.raises(FormatError, match=r"at (byte|event|message) \d+"):
            list(open_recording(path, sensor_size=case.sensor_size, policy="strict").chunks())
    else:
        read = Events.concatenate(open_recording(path, sensor_size=case.sensor_size, policy="strict").chunks())
        assert rows(read) == case.rows


@pytest.mark.parametrize("case", [case for case in CASES if case.error], ids=lambda case: case.name)
def test_unreadable_file_is_one_line_that_names_it(case: DirtyFile, tmp_path: Path) -> None:
    path = save(case, tmp_path)
    with pytest.raises(InputError) as caught:
        open_recording(path, sensor_size=case.sensor_size)
    assert case.error in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
