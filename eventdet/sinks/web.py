"""A live page of the stream in the browser: events, boxes, rates and latencies."""

from dataclasses import asdict

from eventdet.errors import OptionError
from eventdet.wire import Address, parse_address, require_local

from .base import Sink
from .delivery import DeliveryReport
from .jsonl import header_record, result_record, totals_record
from .request import SinkRequest
from .result import StreamHeader, StreamTotals, WindowResult

__all__ = ["WebSink", "check_web", "open_web"]


class WebSink(Sink):
    """Serve a page that shows the newest window; a page that is slow skips some, and nothing waits for it.

    Parameters
    ----------
    target : str
        As the user wrote it.
    address : Address
        Where to listen; port 0: the system chooses one.
    header : StreamHeader
        What holds for the whole stream.

    Raises
    ------
    MissingExtraError
        When the extra ``web`` is not installed.
    OutputError
        When the port cannot be bound.
    """

    def __init__(self, target: str, address: Address, *, header: StreamHeader) -> None:
        # OpenCV and the server are loaded for those who look on.
        from eventdet.drawing.palettes import PALETTES
        from eventdet.viewer import LivePage

        self.target = target
        self.note = ""
        self._is_closed = False
        self._size = header.sensor_size
        self._class_names = header.class_names
        about = header_record(header) | {
            "sensor_size": list(header.sensor_size),
            "palettes": {name: asdict(palette) for name, palette in PALETTES.items()},
        }
        self._page = LivePage(about, host=address.host, port=address.port)
        self.greeting = f"watch at {self._page.url}"

    @property
    def report(self) -> DeliveryReport:
        """The counts so far; a window is sent when a page took it, whichever, and dropped when the next came before."""
        seen = self._page.audience
        queued = int(seen.is_waiting and not self._is_closed)
        dropped = seen.num_shown - seen.num_taken - queued
        return DeliveryReport(seen.num_taken, dropped, queued, is_connected=not self._is_closed)

    def write(self, result: WindowResult) -> None:
        """Show a window."""
        from eventdet.events import Events
        from eventdet.viewer import encode_frame, pack_picture

        events = Events.empty() if result.events is None else result.events
        self._page.show(encode_frame(result_record(result, self._class_names), pack_picture(events, self._size)))

    def conclude(self, totals: StreamTotals) -> None:
        """Tell pages that the stream has come to its end."""
        from eventdet.viewer import encode_frame

        self._page.conclude(encode_frame(totals_record(totals)))

    def close(self) -> None:
        """Stop serving; pages keep their last window."""
        self._page.close()
        self._is_closed = True
        report = self.report
        self.note = f"pages {self._page.audience.num_pages:,}, shown {report.sent:,}, not shown {report.dropped:,}"

    def discard(self) -> None:
        """Stop serving."""
        self.close()


def check_web(request: SinkRequest) -> Address:
    """Return the address of a page after finding nothing wrong with it.

    Raises
    ------
    OptionError
        When it breaks its rule, or other machines could connect and may not.
    """
    address = parse_address(request.target)
    if address.path.strip("/"):
        raise OptionError(f"output {request.target!r}: has a path", hint="write it like web://127.0.0.1:8765")
    require_local(address, allow_remote=request.allow_remote)
    return address


def open_web(request: SinkRequest) -> Sink:
    """Return a sink that serves the page; raises as `WebSink` does."""
    return WebSink(request.target, check_web(request), header=request.header)
