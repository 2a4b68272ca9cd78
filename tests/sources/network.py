"""What the tests of live sources share: events, senders that misbehave on cue, and a comparison of windows."""

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator

import numpy as np

from eventdet.events import Events
from eventdet.formats import Window, WindowGrid, cut_windows, pack_dat
from eventdet.geometry import SensorSize
from eventdet.wire import WireFrame, WireHeader, encode_frame, encode_header

SIZE = SensorSize(48, 64)
HEADER = encode_header(WireHeader(SIZE, stream_id=1, synthetic=True))
WAIT_S = 30.0
"""No wait of a test is longer; none of them is meant to come near it."""


def random_events(*, num_events: int = 3000, start_us: int = 0, duration_us: int = 100_000, seed: int = 1) -> Events:
    rng = np.random.default_rng(seed)
    return Events.from_columns(
        t=np.sort(rng.integers(start_us, start_us + duration_us, num_events)),
        x=rng.integers(0, SIZE.width, num_events),
        y=rng.integers(0, SIZE.height, num_events),
        p=rng.integers(0, 2, num_events),
    )


def frame(seq: int, events: Events, *, is_last: bool = False) -> bytes:
    t_us = int(events.t[0]) if len(events) else 0
    return encode_frame(WireFrame(seq, t_us, pack_dat(*events).tobytes(), is_last))


def end(seq: int, t_us: int = 0) -> bytes:
    return encode_frame(WireFrame(seq, t_us, is_last=True))


def cut(events: Events, length_us: int) -> list[Window]:
    return list(cut_windows([events], WindowGrid(length_us, length_us, None, None)))


def assert_same_windows(found: Iterable[Window], expected: Iterable[Window]) -> None:
    for window, other in zip(found, expected, strict=True):
        assert window[:3] == other[:3]
        for column, other_column in zip(window.events, other.events, strict=True):
            np.testing.assert_array_equal(column, other_column)


@contextlib.contextmanager
def tcp_sender(*connections: bytes) -> Iterator[str]:
    """Listen, and send to the first, second, ... receiver what is given for it, each time closing at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(WAIT_S)

        def run() -> None:
            for data in connections:
                with contextlib.suppress(OSError), server.accept()[0] as connection:
                    connection.sendall(data)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"
        # Whoever was not connected to in the end need not be waited for.
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        thread.join(WAIT_S)


def send_datagrams(address: str, datagrams: Iterable[bytes]) -> None:
    host, _, port = address.partition("://")[2].rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, (host, int(port)))
