"""Structured arrays of other libraries: their own dtypes, no loss, nothing of the caller's changed."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.errors import EventdetError, FormatError, OptionError
from eventdet.events import Events
from eventdet.formats.structured import LAYOUTS, from_structured, recording_from_structured, to_structured
from eventdet.geometry import SensorSize

SIZE = SensorSize(240, 304)
THREE = Events.from_columns(t=[0, 40, 1 << 40], x=[0, 303, 7], y=[239, 0, 5], p=[1, 0, 1])


def rows(events: Events) -> list[tuple[int, int, int, int]]:
    return list(zip(*(column.tolist() for column in events), strict=True))


@st.composite
def batches(draw: st.DrawFn) -> Events:
    num_events = draw(st.integers(0, 20))

    def column(high: int) -> list[int]:
        return draw(st.lists(st.integers(0, high), min_size=num_events, max_size=num_events))

    return Events.from_columns(t=sorted(column(1 << 45)), x=column(1279), y=column(719), p=column(1))


@pytest.mark.parametrize("layout", LAYOUTS)
@given(events=batches())
def test_events_through_a_layout_come_back_as_they_were(layout: str, events: Events) -> None:
    array = to_structured(events, layout=layout)
    assert array.dtype == LAYOUTS[layout]
    assert rows(from_structured(array)) == rows(events)


def test_layout_of_dv_is_the_dtype_that_dv_processing_gives() -> None:
    dv = pytest.importorskip("dv_processing")
    store = dv.EventStore()
    for t, x, y, p in rows(THREE):
        store.push_back(t, x, y, bool(p))
    assert store.numpy().dtype == LAYOUTS["dv"]
    assert rows(from_structured(store.numpy())) == rows(THREE)


def test_layout_of_faery_is_its_dtype() -> None:
    assert LAYOUTS["faery"] == pytest.importorskip("faery").EVENTS_DTYPE
    array = to_structured(THREE, layout="faery")
    assert array["on"].tolist() == array["p"].tolist() == [True, False, True]


def test_layout_of_expelliarmus_is_the_dtype_that_its_wizard_gives(tmp_path: Path) -> None:
    wizard = pytest.importorskip("expelliarmus").Wizard(encoding="dat")
    short = THREE[:2]
    wizard.save(f"{tmp_path}/two.dat", to_structured(short, layout="expelliarmus"))
    array = wizard.read(f"{tmp_path}/two.dat")
    assert array.dtype == LAYOUTS["expelliarmus"]
    assert rows(from_structured(array)) == rows(short)


def test_layout_of_tonic_has_the_fields_of_its_reader_in_order() -> None:
    tonic_io = pytest.importorskip("tonic.io")
    ours, theirs = LAYOUTS["tonic"], tonic_io.events_struct
    assert ours.names == theirs.names == ("x", "y", "t", "p")
    assert [ours[name] for name in "xyt"] == [theirs[name] for name in "xyt"]


def test_layout_of_tonic_gives_a_voxel_grid_with_both_signs() -> None:
    transforms = pytest.importorskip("tonic.transforms")
    events = Events.from_columns(t=[0, 1, 2, 9], x=[1, 2, 3, 4], y=[1, 1, 1, 1], p=[0, 1, 0, 1])
    grid = transforms.ToVoxelGrid(sensor_size=(8, 4, 2), n_time_bins=1)(to_structured(events, layout="tonic"))
    # A bool would give plus at each pixel; the last event is lost to its rounding.
    assert np.sign(grid[0, 0, 1, :5]).tolist() == [0, -1, 1, -1, 0]


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ([("on", "?"), ("ts", ">u4"), ("Y", "<i4"), ("X", "u1")], (True, 9, 4, 3)),
        ([("t", "<f8"), ("x", "<f4"), ("y", "<f4"), ("polarity", "<f4")], (9.0, 3, 4, 1)),
        ([("timestamp", "<f8"), ("x", "<i8"), ("y", "<i8"), ("pol", "i1"), ("weight", "<f4")], (9.5e-6, 3, 4, 1, 0.1)),
    ],
    ids=["any order and byte order", "whole floats are microseconds", "a fraction means seconds"],
)
def test_fields_are_found_by_name(fields: list[tuple[str, str]], event: tuple[float, ...]) -> None:
    ((t, x, y, p),) = rows(from_structured(np.array([event], fields)))
    # 9.5 us is rounded to the even neighbour.
    assert (t, x, y, p) == (10 if event[0] == 9.5e-6 else 9, 3, 4, 1)


def test_signed_polarity_is_on_when_positive() -> None:
    array = np.array([(0, 1, 1, -1), (1, 1, 1, 1)], LAYOUTS["dv"])
    assert from_structured(array).p.tolist() == [0, 1]


def test_arrays_of_the_caller_are_neither_changed_nor_kept() -> None:
    array = to_structured(THREE, layout="dv")
    before = array.copy()
    array.flags.writeable = False
    events = from_structured(array)
    events.t[:] = 0
    np.testing.assert_array_equal(array, before)
    copied = to_structured(events)
    copied["x"] = 0
    assert events.x.tolist() == THREE.x.tolist()


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ((5, -1, 0, 1), "lies outside"),
        ((5, 0, 16384, 1), "lies outside"),
        ((-5, 0, 0, 1), "stamp steps back"),
        ((2, 0, 0, 1), "stamp steps back"),
        ((5, 0, 0, 3), "polarity"),
    ],
    ids=["negative column", "beyond any sensor", "negative stamp", "disorder", "polarity"],
)
def test_events_that_are_none_raise_with_their_place(event: tuple[int, ...], fault: str) -> None:
    array = np.array([(3, 1, 1, 0), event], LAYOUTS["dv"])
    with pytest.raises(FormatError, match=fault):
        from_structured(array)


def test_recording_of_a_dirty_array_repairs_and_counts() -> None:
    array = np.array([(3, 1, 1, 0), (1, 2, 2, 1), (4, 304, 0, 1), (5, 0, 0, 7)], LAYOUTS["dv"])
    recording = recording_from_structured(array, SIZE)
    assert rows(Events.concatenate(recording.chunks())) == [(3, 1, 1, 0), (3, 2, 2, 1), (5, 0, 0, 1)]
    assert recording.report.repairs == {"backward_clamped": 1, "out_of_range_dropped": 1, "polarity_repaired": 1}


@pytest.mark.parametrize(
    ("layout", "events", "field"),
    [
        ("dv", Events.from_columns(t=[1], x=[40_000], y=[1], p=[1]), "events.x"),
        ("faery", Events.from_columns(t=[-1], x=[4], y=[1], p=[1]), "events.t"),
    ],
    ids=["column beyond int16", "stamp before zero"],
)
def test_values_that_do_not_fit_a_layout_raise(layout: str, events: Events, field: str) -> None:
    with pytest.raises(OptionError, match=field):
        to_structured(events, layout=layout)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(2, [("t", "<i8"), ("x", "<i2"), ("p", "?")]),
        np.zeros(2, [("t", "<i8"), ("x", "<i2", (2,)), ("y", "<i2"), ("p", "?")]),
        np.zeros(2, [("t", "O"), ("x", "<i2"), ("y", "<i2"), ("p", "?")]),
        np.zeros((2, 2), LAYOUTS["dv"]),
        np.zeros((2, 4)),
    ],
    ids=["field missing", "field of two", "objects", "two axes", "no fields"],
)
def test_arrays_without_events_raise(array: NDArray[np.void]) -> None:
    with pytest.raises(OptionError, match="fields t, x, y, p"):
        from_structured(array)


def test_layout_of_an_unknown_library_raises() -> None:
    with pytest.raises(EventdetError, match="one of eventdet, dv"):
        to_structured(THREE, layout="jaer")
