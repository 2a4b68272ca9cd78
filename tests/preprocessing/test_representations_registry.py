"""The register: custom representations, parameters as text and as fields, names that come with a module."""

import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eventdet.errors import FormatError, OptionError
from eventdet.events import Events
from eventdet.geometry import SensorSize
from eventdet.preprocessing.representations import REPRESENTATIONS, Representation, Tensor, representation

from .strategies import SAME, SENSOR, events_of

MODULE = """
import numpy as np
from eventdet.preprocessing import representation

@representation("row_counts", axes=("bin", "row"), dtype=np.float32)
def row_counts(events, t0_us, t1_us, size, out, *, gain=1.0, lag_us=0, upside_down=False):
    out[:] = gain * np.bincount(events.y, minlength=size.height)
"""


@pytest.fixture(autouse=True)
def _register_as_it_was() -> Iterator[None]:
    before = dict(REPRESENTATIONS)
    yield
    REPRESENTATIONS.clear()
    REPRESENTATIONS.update(before)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_counts.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_counts", raising=False)
    return "my_counts"


def test_decorated_function_fills_the_tensor_from_placed_events() -> None:
    seen: list[Any] = []

    @representation("spy", axes=("polarity", "row", "column"), dtype=np.int8)
    def spy(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor) -> None:
        seen.append((events.to_structured().tolist(), t0_us, t1_us, size))
        out[:] = 3

    tensor = Representation("spy", 1)(events_of((0, 0, 0, 1), (4, 1, 2, 0), (5, 9, 0, 1), (8, 0, 0, 1)), 1, 8, SAME)
    assert seen == [([(4, 1, 2, 0)], 1, 8, SENSOR)]
    assert (tensor.shape, tensor.dtype.name, tensor.min()) == ((2, *SENSOR), "int8", 3)


def test_module_in_the_name_is_imported_and_registers_its_own(module: str) -> None:
    chosen = Representation.parse(f"{module}.row_counts:gain=2.5,lag=1ms", bins=2)
    assert chosen.shape(SENSOR) == (2, 3)
    assert chosen.to_dict()["name"] == "my_counts.row_counts"
    assert dict(chosen.parameters) == {"gain": 2.5, "lag_us": 1000, "upside_down": False}
    assert chosen(events_of((0, 1, 1, 1), (1, 3, 1, 0)), 0, 2, SAME).tolist() == [[0, 5, 0], [0, 5, 0]]


def test_representation_of_a_module_goes_to_another_process(module: str, tmp_path: Path) -> None:
    (tmp_path / "chosen.pickle").write_bytes(pickle.dumps(Representation(f"{module}.row_counts", 1)))
    code = "import pickle; print(pickle.load(open('chosen.pickle', 'rb')).axes)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "('bin', 'row')\n"


def test_fields_that_name_a_module_do_not_import_it(module: str) -> None:
    fields = {"name": f"{module}.row_counts", "bins": 1, "parameters": {"gain": 2.0}, "start_us": 40}
    with pytest.raises(OptionError, match=r"my_counts\.row_counts is not registered"):
        Representation.from_dict(fields)
    assert module not in sys.modules
    Representation(f"{module}.row_counts", 1)
    assert dict(Representation.from_dict(fields).parameters)["gain"] == 2.0


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": 3, "bins": 2},
        {"name": ["histogram"], "bins": 2},
        {"name": "histogram"},
        {"name": "histogram", "bins": "many"},
        {"name": "histogram", "bins": None},
        {"name": "histogram", "bins": 0},
        {"name": "histogram", "bins": 1 << 70},
        {"name": "histogram", "bins": 2.5},
        {"name": "histogram", "bins": True},
        {"name": "histogram", "bins": 2, "parameters": 4},
        {"name": "histogram", "bins": 2, "parameters": [["a", 1]]},
        {"name": "histogram", "bins": 2, "parameters": {"none": 1}},
        {"name": "histogram", "bins": 2, "parameters": {"self": 1}},
        {"name": "histogram", "bins": 2, "parameters": {"bins": 1}},
        {"name": "tore", "bins": 2, "parameters": {"depth": "3"}},
        {"name": "tore", "bins": 2, "parameters": {"depth": 0}},
        {"name": "binarep", "bins": 2, "parameters": {"bits": 99}},
        {"name": "time_surface", "bins": 2, "parameters": {"decay": {}}},
    ],
    ids=repr,
)
def test_fields_that_are_no_representation_are_a_format_error(fields: dict[str, Any]) -> None:
    with pytest.raises(FormatError) as caught:
        Representation.from_dict(fields)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["x", "histogram"])
def test_module_that_is_not_there_raises_and_says_what_to_do(name: str) -> None:
    with pytest.raises(OptionError, match=rf"representation nowhere\.{name} cannot be imported") as caught:
        Representation(f"nowhere.{name}", 1)
    assert "PYTHONPATH" in caught.value.hint


@pytest.mark.parametrize("name", sorted(REPRESENTATIONS))
def test_representation_reads_back_what_it_writes(name: str) -> None:
    chosen = Representation(name, 5)
    assert Representation.from_dict(json.loads(json.dumps(chosen.to_dict()))) == chosen
    assert Representation.parse(name, bins=5) == chosen
    assert pickle.loads(pickle.dumps(chosen)) == chosen
    assert len({chosen, Representation(name, 5)}) == 1


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        ("tore:depth=4,max=1s", {"depth": 4, "min_us": 150, "max_us": 1_000_000}),
        ("rvt_histogram:fastmode=false", {"cutoff": 10, "fastmode": False}),
        ("openeb_diff:clip=2", {"max_incr_per_pixel": 5.0, "clip": 2.0}),
        ("time_surface:decay=linear,tau=30ms", {"decay": "linear", "tau_us": 30_000}),
        ("histogram", {}),
    ],
)
def test_parse_reads_parameters_of_their_types(text: str, parameters: dict[str, object]) -> None:
    assert dict(Representation.parse(text, bins=1).parameters) == parameters


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tor", "representation must be one of"),
        ("tore:depths=1", "representation tore takes depth=…,min=…,max=…, got 'depths=1'"),
        ("histogram:bins=3", "representation histogram takes no arguments"),
        ("rvt_histogram:cutoff=300", "cutoff must be in"),
    ],
)
def test_parse_of_a_bad_text_raises(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Representation.parse(text, bins=1)


def test_parameter_given_as_a_whole_number_is_the_same_as_the_fraction() -> None:
    chosen = Representation("openeb_diff", 1, clip=2)
    assert chosen == Representation("openeb_diff", 1, clip=2.0)
    assert json.dumps(chosen.to_dict()) == json.dumps(Representation.parse("openeb_diff:clip=2", bins=1).to_dict())


def test_unknown_parameter_raises() -> None:
    with pytest.raises(OptionError, match="histogram: gain is no parameter"):
        Representation("histogram", 1, gain=2)


def _fill(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, depth: int = 1) -> None:
    out[:] = depth


@pytest.mark.parametrize(
    ("name", "axes", "message"),
    [
        ("Upper", ("row",), "lower case letters"),
        ("a.b", ("row",), "lower case letters"),
        ("histogram", ("row",), "'histogram' is registered already"),
        ("fresh", ("lines", "row"), "must say how long its axis 'lines' is"),
    ],
)
def test_registration_that_breaks_a_rule_raises(name: str, axes: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        representation(name, axes=axes, dtype=np.uint8)(_fill)


def test_registration_with_a_parameter_as_an_axis_takes_its_length() -> None:
    representation("fresh", axes=("depth", "row", "column"), dtype=np.uint8)(_fill)
    assert Representation("fresh", 1, depth=6).shape(SENSOR) == (6, 3, 4)


def test_registration_of_a_parameter_without_default_raises() -> None:
    def fill(events: Events, t0_us: int, t1_us: int, size: SensorSize, out: Tensor, *, depth: int) -> None:
        out[:] = depth

    with pytest.raises(OptionError, match="parameter 'depth' of the representation 'fresh' must have a"):
        representation("fresh", axes=("row",), dtype=np.uint8)(fill)
