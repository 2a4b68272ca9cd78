"""A camera on USB through neuromorphic-drivers, the extra ``camera``: its raw words, decoded by the decoder of files.

The driver could decode them itself, into 13 bytes an event, which its own documentation calls too slow for bursts; and
two decoders would mean two sets of repairs. Devices are opened and read by the receiver's thread alone.
"""

from collections.abc import Iterator
from typing import Any

from eventdet.errors import InputError, MissingExtraError
from eventdet.formats import EVT3, Decoder
from eventdet.geometry import SensorSize
from eventdet.wire import LinkReport

from ._readings import Batch, ReadingContext
from ._receiver import ARRIVAL_BYTES, POLL_S

__all__ = ["CameraLink", "CameraReading"]

_EVT3_CAMERAS = ("Prophesee EVK3 HD", "Prophesee EVK4", "CenturyArks VGA")
"""Cameras whose USB packets are EVT 3.0 words and nothing else."""


_PACKET_BYTES = 1 << 17
"""Length of a buffer of the driver."""


class CameraLink:
    """One camera; its driver has a ring buffer of its own, and counts what it dropped.

    Parameters
    ----------
    serial : str
        Serial number, or an empty string for the first camera found.
    report : LinkReport
        Packets that the driver dropped are counted in it.

    Raises
    ------
    MissingExtraError
        When neuromorphic-drivers is not installed.
    """

    # When our queue is full the driver's ring fills, and the driver counts.
    is_lossy = False
    # A camera that is plugged in again counts its time from zero: that is another stream.
    reconnects = False

    def __init__(self, serial: str, *, report: LinkReport) -> None:
        try:
            import neuromorphic_drivers
        except ImportError as error:
            raise MissingExtraError("reading a camera", extra="camera") from error
        self._drivers: Any = neuromorphic_drivers
        self._serial = serial
        self._report = report
        self._device: Any = None
        self.sensor_size: SensorSize | None = None
        """Rows and columns, once the camera is open."""

    def open(self) -> None:
        """Open the camera.

        Raises
        ------
        InputError
            When there is none, it may not be used, or it is of a kind that is not read.
        """
        try:
            device = self._drivers.open(
                raw=True,
                iterator_timeout=POLL_S,
                serial=self._serial or None,
                iterator_maximum_raw_packets=ARRIVAL_BYTES // _PACKET_BYTES,
            )
        except RuntimeError as error:
            raise InputError(
                f"camera {self._serial or '(any)'} cannot be opened: {error}",
                hint="plug it in, and run neuromorphic-drivers-install-udev-rules once",
            ) from error
        self._device = device.__enter__()
        name = self._device.name().value
        if name not in _EVT3_CAMERAS:
            raise InputError(f"camera {name} is not read", hint=f"known are {', '.join(_EVT3_CAMERAS)}")
        properties = self._device.properties()
        self.sensor_size = SensorSize(int(properties.height), int(properties.width))

    def read(self) -> list[bytes] | None:
        """Return the next packet.

        Raises
        ------
        OSError
            When the camera was unplugged.
        """
        try:
            status, packet = next(self._device)
        except (RuntimeError, StopIteration) as error:
            raise OSError(f"camera: {error}") from error
        if status.ring is not None:
            self._report.dropped_messages = status.ring.dropped_packets
        return [packet] if packet else None

    def close(self) -> None:
        """Let go of the camera."""
        if self._device is not None:
            self._device.__exit__(None, None, None)
            self._device = None


class CameraReading:
    """The words of a camera, whose size is known once it is open."""

    format = EVT3.name
    synthetic = False
    is_over = False

    def __init__(self, link: CameraLink, context: ReadingContext) -> None:
        self._link = link
        self._context = context
        self._decoder: Decoder | None = None

    @property
    def sensor_size(self) -> SensorSize | None:
        """Rows and columns, once the camera is open."""
        return self._link.sensor_size

    def feed(self, message: bytes, *, arrived_us: int) -> Iterator[Batch]:
        """Yield the events of a packet."""
        if self.sensor_size is None:
            return
        if self._decoder is None:
            self._decoder = self._context.decoder(EVT3, self.sensor_size)
        self._context.report.frames += 1
        yield Batch(self._decoder.feed(message))

    def idle(self, *, now_us: int) -> Batch | None:
        """Return None: the camera's clock is not ours, and its words carry the time while nothing moves."""
        return None

    def cut(self) -> None:
        """Do nothing: a camera that is gone stays gone."""
