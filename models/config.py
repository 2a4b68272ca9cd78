"""What a detector is: the values that are kept with its weights. No torch here."""

from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from eventdet.boxes import GEN1_CLASSES
from eventdet.errors import InputError, OptionError, check_option
from eventdet.geometry import SensorSize

__all__ = [
    "COCO_ANCHORS",
    "FOUR_SCALE_ANCHORS",
    "GEN1_ANCHORS",
    "HEADS",
    "HEAD_STRIDES",
    "NETWORKS",
    "Anchors",
    "DetectorConfig",
    "NetworkShape",
]

Anchors = tuple[tuple[tuple[float, float], ...], ...]

COCO_CLASSES = 80
"""Classes of COCO's detection task."""


class NetworkShape(NamedTuple):
    """What the name of a network stands for."""

    family: str
    """Kind of its blocks: ``ems``, ``ms``, ``sew``, ``wide`` or ``wide-cat``."""

    blocks: tuple[int, int, int, int]
    """Blocks in each of the four stages."""

    width: float = 1.0
    """Factor on every number of channels."""

    head: str = "block"
    """Wide families only: blocks before the detection, ``block`` of neurons or ``conv`` with SiLU."""


_RES10, _RES18, _RES34 = (1, 1, 1, 1), (2, 2, 2, 2), (3, 4, 6, 3)

_SIZES = {
    "nano": NetworkShape("", _RES10, width=0.25),
    "res10": NetworkShape("", _RES10),
    "res18": NetworkShape("", _RES18),
    "res34": NetworkShape("", _RES34),
}

NETWORKS: dict[str, NetworkShape] = {
    **{
        f"{family}-{size}": shape._replace(family=family)
        for family in ("ems", "ms", "sew")
        for size, shape in _SIZES.items()
    },
    "wide-res10": NetworkShape("wide-cat", _RES10),
    "wide-res18": NetworkShape("wide", _RES18, head="conv"),
    "wide-res34": NetworkShape("wide", _RES34),
    "wide-res34-cat": NetworkShape("wide-cat", _RES34, head="conv"),
}
"""Networks by name. The wide ones are not in the paper: published weights come in the shape of one of them."""

HEAD_STRIDES = {2: (16, 32), 4: (4, 8, 16, 32)}
"""Input pixels a cell of each output scale, fine first, by the number of heads."""

GEN1_ANCHORS: Anchors = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (216, 269)))
"""Width and height in input pixels, three a scale, of EMS-YOLO on Gen1."""

COCO_ANCHORS: Anchors = (((10, 14), (23, 27), (37, 58)), ((81, 82), (135, 169), (344, 319)))
"""Width and height in input pixels, three a scale, of EMS-YOLO on COCO."""

FOUR_SCALE_ANCHORS: Anchors = (
    ((8, 10), (10, 20), (18, 14)),
    ((14, 32), (26, 22), (23, 50)),
    ((40, 34), (37, 78), (68, 58)),
    ((81, 82), (135, 169), (216, 269)),
)
"""Our own start for four scales, whose anchors EMS-YOLO does not publish: its coarse three, and below them a wide, a
tall and an even box a scale, each scale about 1.8 times the one before. Clustering the labels gives better ones."""

HEADS = ("anchors", "simota")
"""``anchors``: boxes as factors of anchors, as in EMS-YOLO; ``simota``: one box a cell without any, as in YOLOX."""

NEURONS = ("lif", "silu")
"""``lif`` spikes; ``silu`` puts out SiLU of the membrane, as the released form of the SEW network does."""

DETECTION_LAYERS = ("non-spiking", "spiking")
"""What the detection convolution reads: the mean of the currents, or the rate of neurons behind them."""

_CHANNEL_MULTIPLE = 8
"""Vector units take 8 channels at a time, and every block halves its width once."""

_LARGEST_COUNT = 255
"""Of events that a pixel of a histogram holds."""

_WIDEST = 8.0
"""A factor beyond it asks for more memory than machines have."""

_LARGEST_ANCHOR = 1e5
"""Pixels; no picture is larger."""

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
    """Network, a key of `NETWORKS`."""

    classes: int = 2
    """Number of classes."""

    channels: int = 2
    """Input channels: OFF and ON counts."""

    heads: int = 2
    """Output scales: 2 at strides 16 and 32, or 4 from stride 4 on."""

    width: float = 1.0
    """Factor on the channels of the network, on top of its own."""

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

    anchors: Anchors = ()
    """Width and height in input pixels, by scale; the published ones of the data set when left out, and the stride of
    each scale where there are none."""

    head: str = "anchors"
    """How the logits are read, one of `HEADS`."""

    shortcut_lif: bool | None = None
    """Neurons before the convolution in the shortcut of a narrowing block; None: as the family has it. EMS: yes in the
    paper, no in the released code. MS: no."""

    pool_first: bool | None = None
    """Pool before the convolution in the shortcut of a widening block; None: as the family has it. EMS: yes in the
    paper, no in the released code."""

    neurons: str = "lif"
    """One of `NEURONS`; ``silu`` for SEW networks alone."""

    detection: str = "non-spiking"
    """One of `DETECTION_LAYERS`."""

    def __post_init__(self) -> None:
        """Check every value and fill in those left out.

        Raises
        ------
        OptionError
            When a value is outside its rule.
        """
        check_option("name", self.name, NETWORKS)
        check_option("head", self.head, HEADS)
        check_option("neurons", self.neurons, NEURONS)
        check_option("detection", self.detection, DETECTION_LAYERS)
        for name in ("classes", "channels", "readout_steps", "window_us", "count_clip"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be >= 1, got {getattr(self, name)}")
        if self.count_clip > _LARGEST_COUNT:
            raise OptionError(f"count_clip must be <= {_LARGEST_COUNT}, got {self.count_clip}")
        if self.heads not in HEAD_STRIDES:
            raise OptionError(f"heads must be one of {', '.join(map(str, HEAD_STRIDES))}, got {self.heads}")
        if not 0 < self.width <= _WIDEST:
            raise OptionError(f"width must be in (0, {_WIDEST}], got {self.width}")
        if self.neurons == "silu" and self.network.family != "sew":
            raise OptionError(f"neurons must be lif but for sew networks, got {self.neurons} with {self.name}")
        self._fill_in()
        self._check_anchors()
        if len(self.class_names) != self.classes:
            raise OptionError(f"class_names must name {self.classes} classes, got {len(self.class_names)}")
        check_input_size(self.input_size)

    def _fill_in(self) -> None:
        family = self.network.family
        named = GEN1_CLASSES if self.classes == len(GEN1_CLASSES) else _numbered(self.classes)
        published = COCO_ANCHORS if self.classes == COCO_CLASSES else GEN1_ANCHORS
        if self.head == "simota":
            object.__setattr__(self, "anchors", tuple(((stride, stride),) for stride in self.strides))
        values: dict[str, object] = {
            "class_names": self.class_names or named,
            "anchors": self.anchors or (published if self.heads == len(published) else FOUR_SCALE_ANCHORS),
            "shortcut_lif": family != "ms" if self.shortcut_lif is None else self.shortcut_lif,
            "pool_first": not family.startswith("wide") if self.pool_first is None else self.pool_first,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_anchors(self) -> None:
        if len(self.anchors) != self.heads or len({len(scale) for scale in self.anchors}) != 1:
            raise OptionError(f"anchors must be {self.heads} scales of equally many, got {self.anchors}")
        sides = [side for scale in self.anchors for anchor in scale for side in anchor]
        # Written so that NaN fails too.
        if not sides or not all(0 < side < _LARGEST_ANCHOR for side in sides):
            raise OptionError(f"anchors must be sides in pixels > 0, got {self.anchors}")

    @property
    def network(self) -> NetworkShape:
        """What the name stands for."""
        return NETWORKS[self.name]

    @property
    def strides(self) -> tuple[int, ...]:
        """Input pixels a cell of each output scale, fine first."""
        return HEAD_STRIDES[self.heads]

    def channels_of(self, width: int) -> int:
        """Return the channels of a layer that has `width` in the network of width 1: a multiple of 8 if narrower."""
        factor = self.network.width * self.width
        return (
            width
            if factor == 1.0
            else max(_CHANNEL_MULTIPLE, round(width * factor / _CHANNEL_MULTIPLE) * _CHANNEL_MULTIPLE)
        )

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
