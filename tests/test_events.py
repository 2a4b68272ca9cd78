import numpy as np
import pytest

from eventdet.errors import OptionError
from eventdet.events import EVENT_DTYPE, Events


def _events() -> Events:
    return Events.from_columns(t=[0, 10, 10, 25], x=[3, 4, 5, 6], y=[1, 1, 2, 0], p=[1, 0, 1, 0])


def test_a_record_is_packed_into_13_bytes() -> None:
    assert EVENT_DTYPE.itemsize == 13
    assert EVENT_DTYPE.names == ("t", "x", "y", "p")


def test_columns_have_the_fixed_dtypes() -> None:
    assert [column.dtype.str for column in _events()] == ["<i8", "<u2", "<u2", "|u1"]


def test_a_slice_is_a_view() -> None:
    events = _events()
    assert np.shares_memory(events[1:3].t, events.t)
    assert events[1:3].x.tolist() == [4, 5]


def test_structured_round_trip_keeps_every_event() -> None:
    events = _events()
    back = Events.from_structured(events.to_structured())
    for ours, theirs in zip(events, back, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_structured_fields_are_found_by_name_in_any_order() -> None:
    array = np.array([(1, 7, 8, 99)], [("p", "i1"), ("y", "i4"), ("x", "i4"), ("t", "u8")])
    events = Events.from_structured(array)
    assert (events.t[0], events.x[0], events.y[0], events.p[0]) == (99, 8, 7, 1)


@pytest.mark.parametrize(
    ("column", "value"),
    [("x", -1), ("x", 65536), ("y", -1), ("p", 2), ("p", -1)],
)
def test_a_value_that_does_not_fit_its_column_is_refused(column: str, value: int) -> None:
    columns = {"t": [0], "x": [0], "y": [0], "p": [0]} | {column: [value]}
    with pytest.raises(OptionError, match=f"{column} must be in"):
        Events.from_columns(**columns)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(OptionError, match=r"events\.x must have 2 entries"):
        Events.from_columns(t=[0, 1], x=[0], y=[0, 0], p=[0, 0])


def test_a_column_of_another_dtype_is_refused() -> None:
    good = _events()
    with pytest.raises(OptionError, match=r"events\.t must be"):
        Events(good.t.astype(np.uint32), good.x, good.y, good.p)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(OptionError, match="fields t, x, y, p"):
        Events.from_structured(np.zeros(1, [("t", "i8"), ("x", "u2")]))


def test_between_is_half_open() -> None:
    events = _events()
    assert events.between(0, 10).t.tolist() == [0]
    assert events.between(10, 25).t.tolist() == [10, 10]
    assert events.between(10, 26).t.tolist() == [10, 10, 25]
    assert len(events.between(20, 10)) == 0


def test_concatenate_of_nothing_is_empty_with_the_same_dtypes() -> None:
    nothing = Events.concatenate([])
    assert len(nothing) == 0
    assert nothing.t.dtype == np.int64
    assert Events.concatenate([_events(), _events()]).x.tolist() == [3, 4, 5, 6] * 2


def test_is_sorted_of_a_backward_step_is_false() -> None:
    assert _events().is_sorted()
    assert Events.empty().is_sorted()
    assert not Events.from_columns(t=[1, 0], x=[0, 0], y=[0, 0], p=[0, 0]).is_sorted()
