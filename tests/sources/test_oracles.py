"""What other tools send, received."""

import numpy as np
import pytest

from eventdet.sources import LiveSource, open_source

from .network import SIZE, assert_same_windows, cut, random_events

faery = pytest.importorskip("faery")

FORMATS = {"faery13": "t64_x16_y16_on8", "faery8": "t32_x16_y15_on1"}


# faery leaves its socket to the garbage collector.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("name", FORMATS)
def test_what_faery_sends_is_received(name: str) -> None:
    events = random_events(num_events=1000)
    array = np.empty(len(events), faery.EVENTS_DTYPE)
    for name_there, column in zip(("t", "x", "y", "on"), events, strict=True):
        array[name_there] = column
    stream = faery.events_stream_from_array(array, dimensions=(SIZE.width, SIZE.height))
    source = open_source(f"udp://127.0.0.1:0?format={name}&size=64x48&timeout=2")
    assert isinstance(source, LiveSource)
    with source:
        port = int(source.name.rpartition(":")[2])
        stream.to_udp(("127.0.0.1", port), format=FORMATS[name])
        assert_same_windows(source.windows(10_000), cut(events, 10_000))
    assert source.link_report.faults == {}
