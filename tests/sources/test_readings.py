"""Readings of mutated streams: only an error of ours, or events that were sent and a count of the rest."""

from hypothesis import given, settings
from hypothesis import strategies as st

from eventdet.errors import FormatError
from eventdet.formats import EVT3
from eventdet.report import ReadReport
from eventdet.sources._readings import RawReading, Reading, ReadingContext, WireReading
from eventdet.wire import LinkReport

from .network import HEADER, SIZE, end, frame, random_events

EVENTS = random_events(num_events=60)
STREAM = HEADER + b"".join(frame(seq, EVENTS[20 * seq : 20 * seq + 20]) for seq in range(3)) + end(3, 99_999)

mutations = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.integers(0, len(STREAM) - 1), st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("insert"), st.integers(0, len(STREAM)), st.binary(min_size=1, max_size=40)),
        st.tuples(st.just("remove"), st.integers(0, len(STREAM) - 1), st.binary(min_size=1, max_size=40)),
    ),
    min_size=1,
    max_size=4,
)


def mutate(data: bytes, changes: list[tuple[str, int, bytes]]) -> bytes:
    for kind, at, value in changes:
        kept = at if kind == "insert" else at + len(value)
        data = data[:at] + (b"" if kind == "remove" else value) + data[kept:]
    return data


def context() -> ReadingContext:
    return ReadingContext("test", "repair", LinkReport(), ReadReport())


def read(reading: Reading, data: bytes, piece: int) -> int:
    num_events = 0
    for start in range(0, len(data), piece):
        for batch in reading.feed(data[start : start + piece], arrived_us=0):
            assert batch.events.is_sorted()
            num_events += len(batch.events)
    reading.cut()
    return num_events


@settings(max_examples=400)
@given(mutations, st.integers(1, 300))
def test_a_mutated_stream_gives_events_that_were_sent_or_an_error(
    changes: list[tuple[str, int, bytes]], piece: int
) -> None:
    given_context = context()
    try:
        num_events = read(WireReading(given_context), mutate(STREAM, changes), piece)
    except FormatError:
        return
    # Two frames of three may be lost, but none is invented: checksums stand for each.
    assert num_events in (0, 20, 40, 60)
    assert num_events == given_context.events_report.num_events


@settings(max_examples=200)
@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_words_are_read_without_an_error(data: bytes, piece: int) -> None:
    given_context = context()
    read(RawReading(EVT3, SIZE, given_context), b"\x00" + data, piece)
    assert given_context.events_report.trailing_bytes == (len(data) + 1) % 2
