"""Header of Prophesee RAW files, common to all encodings."""

from dataclasses import dataclass
from pathlib import Path

from eventdet.errors import FormatError, OptionError
from eventdet.geometry import SensorSize, check_sensor_size, resolve_sensor_size

from ._cameras import camera_size
from ._payload import Payload
from ._text_header import parse_text_header, read_head
from .decoder import Encoding

__all__ = ["RawHeader", "open_raw", "raw_encoding", "read_raw_header", "write_raw_header"]

_BY_EVT_KEY = {"2.0": "evt2", "2.1": "evt21", "3.0": "evt3", "4.0": "evt4"}


@dataclass(frozen=True, slots=True)
class RawHeader:
    """What stands before the words of a RAW file."""

    fields: dict[str, str]
    """Header lines, value by lower-case key."""

    encoding: str
    """``evt2``, ``evt3``, another version, or an empty string when the header names none."""

    sensor_size: SensorSize | None
    """From the header, None when it gives no size."""

    data_offset: int
    """Byte offset of the first word."""


def raw_encoding(head: bytes) -> str:
    r"""Return the encoding that a RAW header names, an empty string when it names none.

    Examples
    --------
    >>> raw_encoding(b"% format EVT3;height=720;width=1280\n% end\n"), raw_encoding(b"% evt 2.0\n")
    ('evt3', 'evt2')
    """
    fields = parse_text_header(head).fields
    if "format" in fields:
        return fields["format"].partition(";")[0].lower().replace(".", "").removesuffix("0")
    version = fields.get("evt", "")
    return _BY_EVT_KEY.get(version, f"evt {version}".strip() if version else "")


def read_raw_header(path: str | Path) -> RawHeader:
    """Return the header of a RAW file; no word is read.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When it is empty, or its header gives a size that is none or a byte order that is not little-endian.
    """
    path = Path(path)
    head = read_head(path)
    text = parse_text_header(head)
    options = dict(part.partition("=")[::2] for part in text.fields.get("format", "").split(";")[1:])
    # The legacy order of EVT 2.1 is another order of halves, which open_evt21 looks into.
    known = ("little", "legacy") if raw_encoding(head) == "evt21" else ("little",)
    if options.get("endianness", "little") not in known:
        raise FormatError(f"{path}: words must be little-endian, got {options['endianness']!r}, in its header")
    size = _size(path, options, text.fields.get("geometry", ""))
    return RawHeader(text.fields, raw_encoding(head), size, text.num_bytes)


def open_raw(path: Path, encoding: Encoding, *, sensor_size: SensorSize | None, policy: str) -> Payload:
    """Return where the words of a RAW file lie.

    Raises
    ------
    InputError
        When the file cannot be opened.
    FormatError
        When the header names another encoding, or under strict when the last word is cut.
    GeometryError
        When the header gives no size, names no known camera, and `sensor_size` is None.
    """
    header = read_raw_header(path)
    if header.encoding != encoding.name:
        raise FormatError(
            f"{path}: header must name {encoding.name}, got {header.encoding or 'no encoding'!r}, at byte 0"
        )
    size = resolve_sensor_size(
        str(path), header=header.sensor_size, camera=camera_size(header.fields), given=sensor_size
    )
    return Payload(path, encoding, header.data_offset, size, policy, header.fields)


def write_raw_header(version: str, sensor_size: SensorSize, *, date: str, synthetic: bool = False) -> bytes:
    """Return header bytes with every key that common readers look for.

    Parameters
    ----------
    version : {"2.0", "2.1", "3.0"}
        Version of the encoding.
    sensor_size : SensorSize
        At most 2048 on both sides, since the words hold 11 bits.
    date : str
        Value of the date line.
    synthetic : bool
        Whether to mark the events as simulated, by a line ``% Synthetic yes`` that other readers pass over.

    Raises
    ------
    OptionError
        When a side is larger.
    """
    height, width = check_sensor_size(sensor_size)
    if max(height, width) > 2048:
        raise OptionError(f"sensor_size must be at most 2048 on both sides, got {sensor_size}", hint="write DAT")
    lines = (
        f"date {date}",
        f"evt {version}",
        f"format EVT{version.replace('.', '').removesuffix('0')};height={height};width={width}",
        f"geometry {sensor_size}",
        *(["Synthetic yes"] if synthetic else []),
        "end",
    )
    return "".join(f"% {line}\n" for line in lines).encode("ascii")


def _size(path: Path, options: dict[str, str], geometry: str) -> SensorSize | None:
    if "height" in options and "width" in options:
        geometry = f"{options['width']}x{options['height']}"
    if not geometry:
        return None
    try:
        return SensorSize.parse(geometry)
    except OptionError as error:
        raise FormatError(f"{path}: {error}, in its header") from error
