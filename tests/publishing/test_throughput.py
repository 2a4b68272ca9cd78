"""A minute of 20 million events a second over TCP, from one process to another: all of them arrive."""

import subprocess
import sys

import pytest

from eventdet.sources import LiveSource, open_source

BATCHES = 6000
BATCH_EVENTS = 200_000
"""In 10 ms: 20 million a second, for a minute of the stream's time; 9.6 GB."""

SENDER = f"""
import sys
import numpy as np
from eventdet.events import Events
from eventdet.geometry import GEN1
from eventdet.publishing import open_publisher

class Source:
    sensor_size, synthetic = GEN1, True

rng = np.random.default_rng(1)
n = {BATCH_EVENTS}
t = np.arange(n) * 10_000 // n
x, y = (rng.integers(0, side, n, np.uint16) for side in (304, 240))
p = rng.integers(0, 2, n, np.uint8)
with open_publisher("tcp://127.0.0.1:0", Source()) as publisher:
    print(publisher.address, flush=True)
    publisher.wait()
    for k in range({BATCHES}):
        publisher.send(Events(t + 10_000 * k, x, y, p))
    publisher.end(10_000 * {BATCHES} - 1)
"""


@pytest.mark.slow
def test_a_minute_of_20_million_events_a_second_loses_none() -> None:
    with subprocess.Popen([sys.executable, "-c", SENDER], stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        source = open_source(sender.stdout.readline().strip())
        assert isinstance(source, LiveSource)
        windows = [(window.t0_us, len(window.events)) for window in source.windows(50_000)]
    assert sender.returncode == 0
    assert windows == [(50_000 * k, 5 * BATCH_EVENTS) for k in range(BATCHES // 5)]
    assert source.link_report.faults == {}
