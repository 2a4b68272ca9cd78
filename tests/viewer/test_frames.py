import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventdet import Events, SensorSize
from eventdet.errors import OptionError
from eventdet.viewer import encode_frame, pack_picture


@st.composite
def _pictures(draw: st.DrawFn) -> tuple[SensorSize, list[tuple[int, int, int]]]:
    size = SensorSize(draw(st.integers(1, 9)), draw(st.integers(1, 11)))
    event = st.tuples(st.integers(0, size.width - 1), st.integers(0, size.height - 1), st.integers(0, 1))
    return size, draw(st.lists(event, max_size=40))


@given(_pictures())
def test_two_bits_a_pixel_hold_the_last_polarity_of_each(
    picture: tuple[SensorSize, list[tuple[int, int, int]]],
) -> None:
    size, rows = picture
    state = [[0] * size.width for _ in range(size.height)]
    for x, y, p in rows:
        state[y][x] = p + 1
    flat = [value for row in state for value in row]
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    events = Events.from_columns(t=np.arange(len(rows)), x=columns[0], y=columns[1], p=columns[2])
    packed = pack_picture(events, size)
    assert len(packed) == (len(flat) + 3) // 4
    assert [packed[i // 4] >> 2 * (i % 4) & 3 for i in range(len(flat))] == flat


def test_an_event_outside_the_sensor_is_an_error() -> None:
    with pytest.raises(OptionError, match="must lie within the 2x3"):
        pack_picture(Events.from_columns(t=[0], x=[2], y=[0], p=[1]), SensorSize(3, 2))


def test_a_message_is_the_length_the_record_and_the_picture() -> None:
    message = encode_frame({"seq": 7}, b"\x01\x02")
    (length,) = struct.unpack("<I", message[:4])
    assert json.loads(message[4 : 4 + length]) == {"seq": 7}
    assert message[4 + length :] == b"\x01\x02"
