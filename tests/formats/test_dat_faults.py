"""Files made dirty are repaired with exactly the counts that were told."""

from pathlib import Path

import numpy as np
import pytest

from eventdet import GEN1, Events, OptionError
from eventdet.cli.main import run
from eventdet.formats import ReadPolicy, open_recording, write_dat
from eventdet.formats.dat_faults import FAULTS, add_dat_faults
from eventdet.formats.inspect import inspect_recording


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    t = 100 * np.arange(1000)
    events = Events.from_columns(t=t, x=rng.integers(0, 304, 1000), y=rng.integers(0, 240, 1000), p=t // 100 % 2)
    path = tmp_path / "clean_td.dat"
    write_dat(path, events, GEN1)
    return path


EXPECTED = {
    "backward": ({"backward_clamped": 10}, 1010),
    "duplicate": ({"duplicates_kept": 10}, 1010),
    "jump": ({"time_jump_dropped": 10}, 1000),
    "off-sensor": ({"out_of_range_dropped": 10}, 1000),
    "polarity": ({"polarity_repaired": 10}, 1000),
    "truncate": ({"trailing_bytes": 5}, 999),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_counted_as_told(fault: str, clean: Path) -> None:
    counts, num_events = EXPECTED[fault]
    assert add_dat_faults(clean, [fault]) == counts
    found = inspect_recording(clean, policy=ReadPolicy("repair", "count"))
    assert found.num_events == num_events
    assert {name: found.counts[name] for name in counts} == counts
    assert found.repairs == {name: count for name, count in counts.items() if name != "duplicates_kept"}


def test_all_faults_together_are_counted_as_told(clean: Path) -> None:
    told = add_dat_faults(clean, FAULTS)
    found = inspect_recording(clean, policy=ReadPolicy("repair", "count"))
    assert {name: count for name, count in found.counts.items() if count} == {**told, "num_events": 1019}


def test_what_was_clean_survives_the_repair(clean: Path) -> None:
    before = open_recording(clean).slice(0, 200_000)
    add_dat_faults(clean, ["jump", "off-sensor", "polarity"])
    after = open_recording(clean).slice(0, 200_000)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("fault", ["mould", ""])
def test_an_unknown_fault_is_refused_and_the_file_left_alone(fault: str, clean: Path) -> None:
    content = clean.read_bytes()
    with pytest.raises(OptionError, match="fault must be one of"):
        add_dat_faults(clean, ["jump", fault])
    assert clean.read_bytes() == content


def test_too_few_events_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few_td.dat"
    write_dat(path, Events.from_columns(t=range(43), x=[1] * 43, y=[1] * 43, p=[1] * 43), GEN1)
    with pytest.raises(OptionError, match="need a size and 44 events, got 43"):
        add_dat_faults(path, ["jump"])


def test_the_command_makes_a_dirty_recording_and_info_counts_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "dirty_td.dat"
    assert run(["simulate", "-o", str(path), "--seconds", "0.05", "--seed", "3", "--faults", "backward,truncate"]) == 0
    assert "faults: backward_clamped 10" in capsys.readouterr().out
    assert run(["info", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "no, 10 steps back" in shown
    assert "repaired      backward_clamped 10, trailing_bytes 5" in shown
