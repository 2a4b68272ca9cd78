"""Events over TCP on loopback, from a file in one process to windows in another, against plain bytes."""

import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from eventdet.events import Events
from eventdet.formats import DAT, Decoder, pack_dat, write_dat
from eventdet.geometry import GEN1
from eventdet.sources import open_source
from eventdet.wire import LinkReport, WireFrame, WireParser, encode_frame

from .rows import BenchmarkRow, cpu_seconds

__all__ = ["benchmark_wire", "receive_windows", "synthetic_stream"]

_FRAME_EVENTS = 8192
_WINDOW_US = 50_000
_RATE_EV_S = 10_000_000
"""Recorded rate of the synthetic events: windows of half a million, as a large sensor in full motion gives."""

_SENDER = """
import socket, sys
data = open(sys.argv[1], "rb").read()
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1], flush=True)
    with server.accept()[0] as connection:
        connection.sendall(data)
"""


def benchmark_wire(num_events: int = 20_000_000, repeats: int = 3) -> list[BenchmarkRow]:
    """Return the rates of our framing over TCP, end to end and its parts.

    Parameters
    ----------
    num_events : int
        Length of the stream.
    repeats : int
        The median of this many runs counts.

    Returns
    -------
    list of BenchmarkRow
        Million events per second of wall time for what two processes do, per CPU second for what one does.
    """
    events = synthetic_stream(num_events)
    with tempfile.TemporaryDirectory(prefix="eventdet-benchmark-") as folder:
        path = Path(folder) / "a.dat"
        write_dat(path, events, GEN1)
        content = np.fromfile(path, np.uint8)
        ours = num_events / _median(lambda: receive_windows(path, num_events), repeats) / 1e6
        plain = num_events / _median(lambda: _receive_bytes(path, content.nbytes), repeats) / 1e6
    target = np.empty_like(content)
    copy = num_events / cpu_seconds(lambda: np.copyto(target, content), repeats=repeats) / 1e6
    frames = [events[start : start + _FRAME_EVENTS] for start in range(0, num_events, _FRAME_EVENTS)]
    encode = num_events / cpu_seconds(lambda: [_encode(frame) for frame in frames], repeats=repeats) / 1e6
    data = b"".join(map(_encode, frames))
    decode = num_events / cpu_seconds(lambda: _decode(data), repeats=repeats) / 1e6
    return [
        BenchmarkRow("TCP, serve to windows", ours, "Mev/s", None, "two processes, nothing lost, synthetic events"),
        BenchmarkRow("TCP, plain bytes", plain, "Mev/s", ours / plain, "the limit: the same bytes, sent and dropped"),
        BenchmarkRow("frames from events", encode, "Mev/CPU-s", ours / encode, "one process, in memory"),
        BenchmarkRow("events from frames", decode, "Mev/CPU-s", ours / decode, "one process, in memory"),
        BenchmarkRow("copy of the bytes", copy, "Mev/CPU-s", ours / copy, "the limit: memory to memory"),
    ]


def synthetic_stream(num_events: int) -> Events:
    """Return events all over the sensor, the same for the same number."""
    rng = np.random.default_rng(1)
    return Events(
        np.arange(num_events) * 1_000_000 // _RATE_EV_S,
        rng.integers(0, GEN1.width, num_events, np.uint16),
        rng.integers(0, GEN1.height, num_events, np.uint16),
        rng.integers(0, 2, num_events, np.uint8),
    )


def _median(run: Callable[[], float], repeats: int) -> float:
    run()
    return statistics.median(run() for _ in range(repeats))


def receive_windows(path: Path, num_events: int) -> float:
    """Return the seconds from the first window of a served file to the end of the stream, scaled to all of its events.

    Raises
    ------
    RuntimeError
        When an event is lost.
    """
    command = [sys.executable, "-m", "eventdet.cli", "serve", str(path), "--to", "tcp://127.0.0.1:0", "--pace", "max"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        if server.stderr is None:
            return 0.0
        windows = open_source(server.stderr.readline().split()[-1]).windows(_WINDOW_US)
        first = len(next(windows).events)
        begin = time.perf_counter()
        received = sum(len(window.events) for window in windows)
        seconds = time.perf_counter() - begin
    if first + received != num_events:
        raise RuntimeError(f"lost {num_events - first - received} of {num_events} events over TCP")
    return seconds * num_events / received


def _receive_bytes(path: Path, num_bytes: int) -> float:
    buffer = bytearray(1 << 18)
    with subprocess.Popen([sys.executable, "-c", _SENDER, str(path)], stdout=subprocess.PIPE, text=True) as sender:
        if sender.stdout is None:
            return 0.0
        with socket.create_connection(("127.0.0.1", int(sender.stdout.readline()))) as connection:
            begin = time.perf_counter()
            while num_bytes:
                num_bytes -= connection.recv_into(buffer)
            return time.perf_counter() - begin


def _encode(events: Events) -> bytes:
    return encode_frame(WireFrame(0, int(events.t[0]), pack_dat(*events).tobytes()))


def _decode(data: bytes) -> None:
    parser = WireParser(LinkReport())
    decoder = Decoder(DAT, GEN1)
    for start in range(0, len(data), 1 << 18):
        for frame in parser.feed(data[start : start + (1 << 18)]):
            if isinstance(frame, WireFrame):
                decoder.feed(frame.payload)
