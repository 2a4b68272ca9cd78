"""The sender of the soak test: events at a steady rate over TCP, from a process that misbehaves on purpose.

It stalls, sends garbage between frames, closes connections, and resets them in the middle of a frame. Every frame holds
the same number of events, so that frames account for events. Prints its port first, and what it did last.
"""

import json
import random
import socket
import struct
import sys
import time

import numpy as np

from eventdet.events import Events
from eventdet.formats import pack_dat
from eventdet.geometry import GEN1
from eventdet.wire import WireFrame, WireHeader, encode_frame, encode_header

FRAME_EVENTS = 5000
FRAME_US = 1000
"""5000 events in a millisecond: 5 million a second."""

CAUGHT_UP_S = 0.5
"""A sender that was held up does not try to make good for more than this."""


class Sender:
    """Frames to whoever connects, with troubles in between."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.header = encode_header(WireHeader(GEN1, stream_id=seed, synthetic=True))
        generator = np.random.default_rng(seed)
        self.t = np.arange(FRAME_EVENTS) * FRAME_US // FRAME_EVENTS
        self.x, self.y = (generator.integers(0, side, FRAME_EVENTS, np.uint16) for side in (304, 240))
        self.p = generator.integers(0, 2, FRAME_EVENTS, np.uint8)
        self.seq = 0
        self.counts = {"stalls": 0, "garbage": 0, "closes": 0, "resets": 0}
        self.connection: socket.socket = self._accept()

    def _accept(self) -> socket.socket:
        print(self.server.getsockname()[1], flush=True)  # noqa: T201 - its report
        connection = self.server.accept()[0]
        connection.sendall(self.header)
        return connection

    def run(self, seconds: float) -> None:
        """Send for as long; then the end."""
        begin_s = time.monotonic()
        start_s = begin_s
        while time.monotonic() - begin_s < seconds:
            self._send(self._frame())
            due_s = start_s + self.seq * FRAME_US / 1e6
            now_s = time.monotonic()
            if due_s > now_s:
                time.sleep(due_s - now_s)
            elif now_s - due_s > CAUGHT_UP_S:
                start_s += now_s - due_s - CAUGHT_UP_S
            self._trouble()
        end = encode_frame(WireFrame(self.seq, self.seq * FRAME_US, is_last=True))
        self.connection.sendall(end)
        self.connection.close()

    def _frame(self) -> bytes:
        t_us = self.seq * FRAME_US
        events = Events(self.t + t_us, self.x, self.y, self.p)
        data = encode_frame(WireFrame(self.seq, t_us, pack_dat(*events).tobytes()))
        self.seq += 1
        return data

    def _send(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError:
            # The receiver gave the connection up: it comes again.
            self.connection = self._accept()

    def _trouble(self) -> None:
        """Do something bad about twice a second of the stream."""
        dice = self.random.random()
        if dice < 0.0006:
            self.counts["stalls"] += 1
            time.sleep(self.random.uniform(0.05, 0.6))
        elif dice < 0.0012:
            self.counts["garbage"] += 1
            self._send(self.random.randbytes(self.random.randrange(1, 5000)))
        elif dice < 0.0016:
            self.counts["closes"] += 1
            self.connection.close()
            self.connection = self._accept()
        elif dice < 0.002:
            self.counts["resets"] += 1
            data = self._frame()
            self._send(data[: self.random.randrange(1, len(data))])
            # No goodbye: what the receiver has not read yet is lost too.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.connection = self._accept()


if __name__ == "__main__":
    sender = Sender(seed=7)
    sender.run(float(sys.argv[1]))
    print(json.dumps({"frames": sender.seq, **sender.counts}), flush=True)  # noqa: T201 - its report
