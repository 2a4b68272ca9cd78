import numpy as np
import pytest

from eventdet.errors import InputError, OptionError
from eventdet.simulation import simulate
from eventdet.sources import SyntheticSource, open_source


def test_a_synthetic_address_gives_the_simulators_events() -> None:
    source = open_source("synthetic://?seed=4&seconds=0.2")
    assert isinstance(source, SyntheticSource)
    assert source.synthetic
    expected = simulate(4, 200_000).events
    np.testing.assert_array_equal(source.events.t, expected.t)
    windows = list(source.windows(50_000))
    assert sum(len(window.events) for window in windows) == len(expected)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("mqtt://host/topic", "unknown scheme 'mqtt'"),
        ("synthetic://?sed=1", "unknown parameter 'sed'"),
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
