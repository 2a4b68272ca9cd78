"""A short stream that every sink test writes."""

import numpy as np
import pytest

from eventdet import GEN1, GEN1_CLASSES, Boxes, Events
from eventdet.sinks import StreamHeader, WindowResult

WINDOW_US = 50_000


@pytest.fixture
def header() -> StreamHeader:
    """Header of a synthetic stream of 50 ms windows."""
    return StreamHeader(
        source="recordings/drive_td.dat",
        format="dat",
        sensor_size=GEN1,
        class_names=GEN1_CLASSES,
        window_us=WINDOW_US,
        stride_us=WINDOW_US,
        model="ems-res10",
        weights_hash="0123abcd",
        state="keep",
        synthetic=True,
        eventdet_version="0.1.0",
    )


@pytest.fixture
def results() -> list[WindowResult]:
    """Five windows of which the third is empty."""
    generator = np.random.default_rng(7)
    stream = []
    for seq in range(5):
        num_events = 0 if seq == 2 else 400
        t0_us, t_us = seq * WINDOW_US, (seq + 1) * WINDOW_US
        events = Events.from_columns(
            t=np.sort(generator.integers(t0_us, t_us, num_events)),
            x=generator.integers(0, GEN1.width, num_events),
            y=generator.integers(0, GEN1.height, num_events),
            p=generator.integers(0, 2, num_events),
        )
        xywh = np.empty((0, 4)) if seq == 2 else [[10.125 + seq, 20, 60, 40], [150, 100.5, 20, 50]]
        boxes = Boxes.from_xywh(xywh, t=t_us, class_id=[0, 1][: len(xywh)], score=[0.91234, 0.5][: len(xywh)])
        latency_ms = {"read": 0.12345, "detect": 7.5}
        stream.append(WindowResult(seq, t0_us, t_us, num_events, boxes, latency_ms, events=events))
    return stream
