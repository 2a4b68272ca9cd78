"""Sources in memory, a small detector, and a clock that only moves when told."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from eventdet.events import Events
from eventdet.formats import OnRead, Window, WindowGrid, cut_windows, timed
from eventdet.geometry import SensorSize
from eventdet.models import StreamingDetector, build_detector
from eventdet.report import ReadReport
from eventdet.streaming import StreamOptions
from eventdet.streaming.lane import Clock

SMALL = SensorSize(64, 96)


class MemorySource:
    """Events in memory as a source."""

    name = "memory"
    format = "memory"
    synthetic = True

    def __init__(self, events: Events, sensor_size: SensorSize) -> None:
        self.events = events
        self.sensor_size = sensor_size
        self.t_first_us = int(events.t[0])
        self.t_last_us = int(events.t[-1])
        self.report = ReadReport(num_events=len(events), trailing_bytes=3)

    def windows(
        self, length_us: int, stride_us: int | None = None, start_us: int | None = None, stop_us: int | None = None
    ) -> Iterator[Window]:
        return self.cut(WindowGrid(length_us, stride_us or length_us, start_us, stop_us))

    def cut(self, grid: WindowGrid, *, on_read: OnRead | None = None) -> Iterator[Window]:
        return cut_windows(timed([self.events], on_read), grid)


def some_events(
    sensor: SensorSize, *, duration_us: int = 400_000, silence: tuple[int, int] = (0, 0), seed: int = 5
) -> Events:
    """Return 100 events a 10 ms, none in the silence."""
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, duration_us, duration_us // 100))
    t = t[(t < silence[0]) | (t >= silence[1])]
    count = len(t)
    return Events.from_columns(
        t=t,
        x=rng.integers(0, sensor.width, count),
        y=rng.integers(0, sensor.height, count),
        p=rng.integers(0, 2, count),
    )


def small_detector(readout_steps: int = 1) -> StreamingDetector:
    """Return a network that spikes, with random weights."""
    torch.manual_seed(3)
    network = build_detector("ems-res10", input_size=SMALL, readout_steps=readout_steps).train()
    # Fresh weights hardly spike before their normalisation has seen data, and would answer alike to everything.
    for _ in range(20):
        network(torch.randint(0, 3, (3, 2, 2, *SMALL), dtype=torch.uint8))
    return StreamingDetector(network.eval(), dtype="float32")


def make_options(**changes: object) -> StreamOptions:
    """Return options under which a small detector always finds something."""
    return StreamOptions(**({"conf": 0.0, "max_detections": 5} | changes))  # type: ignore[arg-type] # by name


@dataclass
class VirtualTime:
    """Wall time that passes in sleeps, and where a test says so."""

    now: int = 0

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.now += round(1e9 * seconds)
