"""Files of every format in which parts are sought, and what a part must be."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from eventdet.events import Events
from eventdet.formats import (
    ReadPolicy,
    Recording,
    open_recording,
    write_aedat4,
    write_aer40,
    write_dat,
    write_es,
    write_evt2,
    write_evt3,
    write_evt21,
    write_text,
)
from eventdet.formats._payload import Payload
from eventdet.formats.aer40 import open_aer40
from eventdet.geometry import SensorSize

from .reference import random_events, rows

Writer: TypeAlias = Callable[[Path, Events], None]

LAST_US = 30_000_000
"""Beyond the 16.8 s of an EVT3 overflow, and far enough for stamps of DAT to leap."""

SIZE = SensorSize(240, 256)
EVENTS = random_events(400, width=SIZE.width, last_us=LAST_US)
WHOLE = (-(1 << 62), 1 << 62)


def write_dat1(path: Path, events: Events) -> None:
    word = events.x.astype("<u4") & 0x1FF | events.y.astype("<u4") << 9 | events.p.astype("<u4") << 17
    head = b"% Data file containing Event2D events\n% Version 1\n% Height 240\n% Width 256\n\x00\x08"
    path.write_bytes(head + np.stack([events.t.astype("<u4"), word], axis=1).tobytes())


def write_evt4(path: Path, events: Events) -> None:
    words = []
    for t, x, y, p in rows(events):
        words += [0xE << 28 | t >> 6, (0xA + p) << 28 | (t & 63) << 22 | x << 11 | y]
    path.write_bytes(b"% evt 4.0\n% geometry 256x240\n% end\n" + np.array(words, "<u4").tobytes())


def write_aedat2(path: Path, events: Events) -> None:
    address = events.y.astype(">u4") % 128 << 8 | events.x.astype(">u4") % 128 << 1 | events.p
    head = b"#!AER-DAT2.0\r\n# AEChip: DVS128\r\n"
    path.write_bytes(head + np.stack([address, events.t], axis=1).astype(">u4").tobytes())


def write_raw_columns(path: Path, events: Events) -> None:
    """Write columns that no writer of ours would: disorder, a column and a polarity that cannot be."""
    t, x, p = events.t.copy(), events.x.copy(), events.p.astype("i1")
    t[5::7] -= 10
    x[3::11] = 999
    p[2::13] = 5
    columns: dict[str, NDArray[Any]] = {"t": t, "x": x, "y": events.y, "p": p}
    if path.suffix == ".npz":
        np.savez_compressed(path, t=t, x=x, y=events.y, p=p)
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, column in columns.items():
                file[f"events/{name}"] = column
    else:
        records = np.empty(len(t), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            records[name] = column
        np.save(path, records)


def sized(write: Callable[..., None]) -> Writer:
    return lambda path, events: write(path, events, SIZE)


BINARY: dict[str, Writer] = {
    "a.dat": sized(write_dat), "1.dat": write_dat1, "2.raw": sized(write_evt2), "21.raw": sized(write_evt21),
    "3.raw": sized(write_evt3), "4.raw": write_evt4, "a.es": sized(write_es), "a.aedat": write_aedat2,
    "a.bin": sized(write_aer40), "a.aedat4": sized(write_aedat4), "a.csv": sized(write_text),
}  # fmt: skip
"""Formats in which whatever byte is changed behind the header leaves a file that can be read."""

COLUMNS = ["a.npz", "a.npy", "a.h5"]


def opened(path: Path, policy: str | ReadPolicy = "repair") -> Recording:
    if path.suffix == ".bin":
        # Without a header it takes its events to be known, and some here are broken.
        return Recording(replace(open_aer40(path, SIZE, "repair"), policy=policy))
    return open_recording(path, sensor_size=SIZE, policy=policy)


def payload_of(path: Path) -> Payload:
    return opened(path)._payload


def assert_parts_are_those_of_a_full_read(path: Path, policy: ReadPolicy, spans: list[tuple[int, int]]) -> None:
    full = Events.concatenate(opened(path, policy).chunks())
    recording = opened(path, policy)
    assert recording.num_events == len(full)
    if len(full):
        assert (recording.t_first_us, recording.t_last_us) == (full.t[0], full.t[-1])
    for start, length in spans:
        # Half of the starts are stamps of events: those at the very edge.
        t0 = int(full.t[start % len(full)]) if start % 2 and len(full) else start
        before = recording.report.num_events
        part = recording.slice(t0, t0 + length)
        assert rows(part) == rows(full.between(t0, t0 + length))
        assert recording.report.num_events - before == len(part)
        windows = opened(path, policy).windows(length + 1, start_us=t0, stop_us=t0 + 3 * (length + 1))
        got = Events.concatenate(window.events for window in windows)
        assert rows(got) == rows(full.between(t0, t0 + 3 * (length + 1)))


spans_of_time = st.lists(
    st.tuples(st.integers(-10, LAST_US + 10), st.sampled_from([0, 1, 1000, 10**6, LAST_US])), min_size=1, max_size=3
)
policies = st.builds(ReadPolicy, st.sampled_from(["repair", "trust"]), st.sampled_from(["ignore", "drop"]))
