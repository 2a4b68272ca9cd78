"""What a detector is: the values that are kept with its weights. No torch here."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from eventdet.boxes import GEN1_CLASSES
from eventdet.errors import InputError, OptionError, check_option
from eventdet.geometry import SensorSize

__all__ = ["COCO_ANCHORS", "GEN1_ANCHORS", "STAGE_BLOCKS", "STRIDES", "Anchors", "DetectorConfig"]

Anchors = tuple[tuple[tuple[float, float], ...], ...]

STAGE_BLOCKS = {
    "ems-res10": (1, 1, 1, 1),
    "ems-res18": (2, 2, 2, 2),
    "ems-res34": (3, 4, 6, 3),
}
"""Blocks in each of the four stages, by name of the network."""

STRIDES = (16, 32)
"""Input pixels a cell of each output scale."""

GEN1_ANCHORS: Anchors = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (216, 269)))
"""Width and height in input pixels, three a scale, of EMS-YOLO on Gen1."""

COCO_ANCHORS: Anchors = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319)))
"""Width and height in input pixels, three a scale, of EMS-YOLO on COCO."""

NETWORK_INPUT = SensorSize(256, 320)
"""Gen1's 240 rows and 304 columns, padded to what the network takes."""

INPUT_MULTIPLE = 32
"""Both sides of the input divide by the coarsest stride, or the two scales do not meet in the neck."""


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """A detector without its weights.

    Examples
    --------
    >>> DetectorConfig("ems-res18").class_names
    ('car', 'pedestrian')
    """

    name: str = "ems-res10"
    """Network, a key of `STAGE_BLOCKS`."""

    classes: int = 2
    """Number of classes."""

    channels: int = 2
    """Input channels: OFF and ON counts."""

    heads: int = 2
    """Output scales."""

    input_size: SensorSize = NETWORK_INPUT
    """Rows and columns that the streaming tools bring a sensor to; the network itself takes any multiple of 32."""

    readout_steps: int = 5
    """Steps whose logits are averaged into one detection."""

    window_us: int = 50_000
    """Events a step, microseconds."""

    count_clip: int = 10
    """Event count of a pixel that is encoded as 1.0; larger counts too."""

    class_names: tuple[str, ...] = ()
    """One name a class; filled in when left out."""

    anchors: Anchors = GEN1_ANCHORS
    """Width and height in input pixels, by scale."""

    shortcut_lif: bool = True
    """Neurons before the convolution in the shortcut of EMS-Block1: in the paper, not in the released code."""

    pool_first: bool = True
    """Pool before the convolution in the shortcut of EMS-Block2: in the paper; the released code pools after it."""

    def __post_init__(self) -> None:
        """Check every value and fill in the class names.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("name", self.name, STAGE_BLOCKS)
        for name in ("classes", "channels", "readout_steps", "window_us", "count_clip"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.heads != len(STRIDES):
            raise OptionError(f"heads must be {len(STRIDES)}, got {self.heads}")
        if len(self.anchors) != self.heads or len({len(scale) for scale in self.anchors}) != 1:
            raise OptionError(f"anchors must be {self.heads} scales of equally many, got {self.anchors}")
        if not self.class_names:
            named = GEN1_CLASSES if self.classes == len(GEN1_CLASSES) else _numbered(self.classes)
            object.__setattr__(self, "class_names", named)
        if len(self.class_names) != self.classes:
            raise OptionError(f"class_names must name {self.classes} classes, got {len(self.class_names)}")
        check_input_size(self.input_size)

    def to_dict(self) -> dict[str, Any]:
        """Return the values as JSON takes them."""
        return asdict(self) | {"input_size": list(self.input_size)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "DetectorConfig":
        """Return the configuration that :meth:`to_dict` wrote.

        Raises
        ------
        InputError
            When a value is unknown, which a newer version may have written.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise InputError(
                f"detector config has unknown values: {', '.join(sorted(unknown))}", hint="update eventdet"
            )
        read = dict(values)
        if "input_size" in read:
            read["input_size"] = SensorSize(*read["input_size"])
        if "class_names" in read:
            read["class_names"] = tuple(read["class_names"])
        if "anchors" in read:
            read["anchors"] = tuple(tuple((w, h) for w, h in scale) for scale in read["anchors"])
        return cls(**read)


def check_input_size(size: SensorSize) -> SensorSize:
    """Return `size` when the network takes it.

    Raises
    ------
    OptionError
        When a side is not a positive multiple of 32; the message names the next larger size that is.
    """
    if any(side < 1 or side % INPUT_MULTIPLE for side in size):
        padded = "x".join(str(max(1, -(-side // INPUT_MULTIPLE)) * INPUT_MULTIPLE) for side in size)
        raise OptionError(
            f"input height and width must be multiples of {INPUT_MULTIPLE}, got {size.height}x{size.width}",
            hint=f"pad the input to {padded} (height x width)",
        )
    return size


def _numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {index}" for index in range(classes))
