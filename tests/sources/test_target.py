from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.errors import InputError, OptionError
from eventdet.simulation import SimulationConfig, simulate
from eventdet.sources import SyntheticSource, open_source
from eventdet.sources.filtered import filter_source


def test_a_synthetic_address_gives_the_simulators_events() -> None:
    source = open_source("synthetic://?seed=4&seconds=0.2")
    assert isinstance(source, SyntheticSource)
    assert source.synthetic
    expected = simulate(SimulationConfig(4, 200_000)).events
    np.testing.assert_array_equal(source.events.t, expected.t)
    windows = list(source.windows(50_000))
    assert sum(len(window.events) for window in windows) == len(expected)


def test_a_synthetic_address_names_preset_sensor_and_rate() -> None:
    address = "synthetic://night?seed=4&seconds=0.02&sensor=voltmeter&rate=2"
    source = open_source(address)
    assert isinstance(source, SyntheticSource)
    assert source.config == SimulationConfig(4, 20_000, "night", "voltmeter", rate_hz=2e6)
    assert source.name == address
    # 2 Mev/s in 20 ms; the last events may lie at the very end of the last step, which is not part of the recording.
    assert 39_900 < len(source.events) <= 40_000


def test_a_synthetic_source_is_filtered_with_its_labels() -> None:
    source = open_source("synthetic://?seed=1&seconds=1")
    assert isinstance(source, SyntheticSource)
    seen = filter_source(source, ["polarity:keep=on", "crop:x=0,y=0,w=255,h=240"])
    assert isinstance(seen, SyntheticSource)
    inside = (source.events.x < 255) & (source.events.p == 1)
    np.testing.assert_array_equal(seen.events.x, source.events.x[inside])
    assert (seen.name, seen.sensor_size) == (source.name, (240, 255))
    assert seen.labels.xyxy[:, 2].max() == 255
    assert sum(len(window.events) for window in seen.windows(50_000)) == np.count_nonzero(inside)
    with pytest.raises(OptionError, match="crop must lie on"):
        filter_source(source, ["crop:x=0,y=0,w=400,h=240"])


def test_a_synthetic_source_is_drawn_through_filters(tmp_path: Path) -> None:
    target = "synthetic://?seed=4&seconds=0.2"
    assert run(["visualize", target, "-o", str(tmp_path / "a.png"), "--filter", "polarity:keep=on", "-q"]) == 0
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize("target", ["tcp://127.0.0.1:9", "-"])
def test_a_live_source_is_not_drawn(target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["visualize", target, "-o", str(tmp_path / "a.png")]) == 2
    assert "a recording is needed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mqtt://host/topic", "unknown scheme 'mqtt'"),
        ("synthetic://?sed=1", "unknown parameter 'sed'"),
        ("synthetic://desert?seed=1", "preset must be one of"),
        ("synthetic://?sensor=film", "sensor must be one of"),
        ("synthetic://?rate=-3", "rate_hz must be in"),
        ("synthetic://?rate=full", "rate a number"),
        ("synthetic://?seed=-1", "seed must be an integer >= 0"),
        ("synthetic://?seconds=0", "seconds in"),
        ("synthetic://?seconds=abc", "seconds in"),
        ("synthetic://?seconds=1e9", "seconds in"),
    ],
)
def test_an_address_that_is_no_source_is_refused(target: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        open_source(target)


def test_a_missing_file_is_an_input_error() -> None:
    with pytest.raises(InputError, match=r"nowhere\.dat"):
        open_source("nowhere.dat")
