"""Sensor size, and the map from sensor pixels to the pixels of a tensor."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .errors import GeometryError, OptionError, check_option

__all__ = ["FITS", "GEN1", "PixelMap", "SensorSize", "fit_pixels", "resolve_sensor_size"]


class SensorSize(NamedTuple):
    """Rows and columns of a sensor, always height first.

    Examples
    --------
    >>> SensorSize(240, 304).width
    304
    """

    height: int
    """Rows."""

    width: int
    """Columns."""

    @classmethod
    def parse(cls, text: str) -> "SensorSize":
        """Return the size written as ``WIDTHxHEIGHT``, the way camera makers print it.

        Raises
        ------
        OptionError
            When the text is not two positive integers joined by ``x``.

        Examples
        --------
        >>> SensorSize.parse("304x240")
        SensorSize(height=240, width=304)
        """
        width, _, height = text.lower().partition("x")
        if not (width.isdecimal() and height.isdecimal()):
            raise OptionError(f"sensor size must look like 304x240, got {text!r}", hint="use --sensor-size 304x240")
        return check_sensor_size(cls(int(height), int(width)))

    def __str__(self) -> str:
        """Return ``WIDTHxHEIGHT``."""
        return f"{self.width}x{self.height}"


GEN1 = SensorSize(240, 304)
"""Prophesee Gen1 (ATIS), the sensor of the Gen1 Automotive Detection dataset."""

_LARGEST_SIDE = 1 << 14
"""DAT stores 14 bits a coordinate, the widest of the formats read here."""


def check_sensor_size(size: SensorSize) -> SensorSize:
    """Return `size` when both sides are within 1..16384.

    Raises
    ------
    OptionError
        Otherwise.
    """
    if not (0 < size.height <= _LARGEST_SIDE and 0 < size.width <= _LARGEST_SIDE):
        raise OptionError(f"sensor_size must be (height, width) with both in 1..{_LARGEST_SIDE}, got {tuple(size)}")
    return size


def resolve_sensor_size(
    where: str, *, header: SensorSize | None = None, camera: SensorSize | None = None, given: SensorSize | None = None
) -> SensorSize:
    """Return the sensor size by the fixed order: header, then camera table, then what the user gave.

    Parameters
    ----------
    where : str
        Path of the file, for the message.
    header : SensorSize, optional
        Size written in the file.
    camera : SensorSize, optional
        Size that the camera's name in the header stands for.
    given : SensorSize, optional
        What the user says.

    Returns
    -------
    SensorSize
        The first of the three that is known.

    Raises
    ------
    GeometryError
        When none is known. A guess (largest coordinate, or a default camera) would shift every later result.
    """
    for size in (header, camera, given):
        if size is not None:
            return check_sensor_size(size)
    raise GeometryError(
        f"{where}: sensor size is not in the header and the camera is not named", hint="give it: --sensor-size 304x240"
    )


FITS = ("scale", "crop", "none")
"""How a sensor larger than the tensor is brought into it; a smaller one is always padded at the right and bottom."""


@dataclass(frozen=True, slots=True)
class PixelMap:
    """Where each sensor column and row lands in a tensor.

    Two lookup tables say it all, so that one kernel serves scaling, cropping and padding, and integer arithmetic
    gives the same pixel on every machine.
    """

    sensor: SensorSize
    """Size of the sensor."""

    target: SensorSize
    """Rows and columns of the tensor."""

    columns: NDArray[np.int32]
    """Shape (sensor.width,): target column, or -1 for a column that is cut away."""

    rows: NDArray[np.int32]
    """Shape (sensor.height,): target row, or -1 for a row that is cut away."""

    scale: float
    """Target pixels per sensor pixel, at most 1, the same in both directions."""

    offset_x: int
    """Sensor columns cut away at the left."""

    offset_y: int
    """Sensor rows cut away at the top."""

    @property
    def is_identity(self) -> bool:
        """Whether every sensor pixel keeps its coordinates."""
        return self.scale == 1.0 and self.sensor.width <= self.target.width and self.sensor.height <= self.target.height

    def count_cut(self, x: NDArray[np.uint16], y: NDArray[np.uint16]) -> int:
        """Return how many events at columns `x` and rows `y`, both of shape (n,), are cut away."""
        if self.columns.min() >= 0 and self.rows.min() >= 0:
            return 0
        return int(np.count_nonzero((self.columns[x] < 0) | (self.rows[y] < 0)))

    def to_sensor(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes of the tensor as boxes of the sensor, clipped to it.

        Parameters
        ----------
        xyxy : ndarray, shape (n, 4), float32
            Boxes in target pixels.

        Returns
        -------
        ndarray, shape (n, 4), float32
            Boxes in sensor pixels.
        """
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        limit = np.array([self.sensor.width, self.sensor.height] * 2, np.float32)
        corners: NDArray[np.float32] = np.clip(xyxy / np.float32(self.scale) + offset, 0, limit)
        return corners

    def to_target(self, xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return boxes of the sensor as boxes of the tensor, not clipped."""
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        return ((xyxy - offset) * np.float32(self.scale)).astype(np.float32)


def fit_pixels(sensor: SensorSize, target: SensorSize, *, fit: str = "scale") -> PixelMap:
    """Return the map that brings a sensor into a tensor.

    Parameters
    ----------
    sensor, target : SensorSize
        Sizes of the sensor and of the tensor.
    fit : {"scale", "crop", "none"}
        ``scale`` shrinks by one factor for both axes until the sensor fits (never enlarges), ``crop`` keeps the
        middle, ``none`` keeps coordinates and demands that the sensor fits.

    Returns
    -------
    PixelMap
        Lookup tables and their inverse for boxes.

    Raises
    ------
    OptionError
        When `fit` is unknown, or ``none`` and the sensor is larger than the tensor.

    Examples
    --------
    >>> fit_pixels(SensorSize(720, 1280), SensorSize(256, 320)).scale
    0.25
    """
    check_option("fit", fit, FITS)
    sensor, target = check_sensor_size(sensor), check_sensor_size(target)
    fits = sensor.width <= target.width and sensor.height <= target.height
    if fit == "none" and not fits:
        raise OptionError(
            f"a {sensor} sensor does not fit the {target} input with fit none", hint="use --fit scale or --fit crop"
        )
    if fit == "scale" and not fits:
        return _scaled(sensor, target)
    return _cropped(sensor, target)


def _scaled(sensor: SensorSize, target: SensorSize) -> PixelMap:
    # The tighter axis sets the factor, kept as a ratio of integers: floor division is exact everywhere.
    if sensor.width * target.height >= sensor.height * target.width:
        numerator, denominator = target.width, sensor.width
    else:
        numerator, denominator = target.height, sensor.height
    columns = np.arange(sensor.width, dtype=np.int64) * numerator // denominator
    rows = np.arange(sensor.height, dtype=np.int64) * numerator // denominator
    return PixelMap(
        sensor, target, columns.astype(np.int32), rows.astype(np.int32), numerator / denominator, offset_x=0, offset_y=0
    )


def _cropped(sensor: SensorSize, target: SensorSize) -> PixelMap:
    offset_x = max(0, sensor.width - target.width) // 2
    offset_y = max(0, sensor.height - target.height) // 2
    columns = np.arange(sensor.width, dtype=np.int32) - offset_x
    rows = np.arange(sensor.height, dtype=np.int32) - offset_y
    columns[columns >= target.width] = -1
    rows[rows >= target.height] = -1
    return PixelMap(
        sensor, target, np.maximum(columns, -1), np.maximum(rows, -1), 1.0, offset_x=offset_x, offset_y=offset_y
    )
