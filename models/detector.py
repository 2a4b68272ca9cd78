"""The detector: encoding, backbone, neck and readout, for whole sequences and for single steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from torch import Tensor, nn

from eventdet.errors import OptionError, check_option
from eventdet.geometry import SensorSize

from .backbone import EMSResNet
from .config import STAGE_BLOCKS, DetectorConfig, check_input_size
from .head import Detect, Neck
from .lif import Membranes, split_steps

__all__ = ["READOUTS", "Detector", "DetectorOutput", "State", "build_detector"]

State = tuple[Tensor, ...]
"""Membranes after reset, one tensor (B, C, H, W) a layer of neurons, in the order in which they run."""

READOUTS = ("mean", "steps")
"""``mean``: logits of the mean over the steps, as in the paper; ``steps``: the logits of each step."""


class DetectorOutput(NamedTuple):
    """What one call of a detector gives."""

    logits: tuple[Tensor, ...]
    """A tensor a scale, fine first: ([T,] B, anchors * (5 + classes), H/stride, W/stride)."""

    state: State
    """To start the next call from."""


class Detector(nn.Module):
    """Spiking detector of the EMS-YOLO family.

    The number of steps is data: it is the length of the input, and ``step`` is a sequence of length one.

    Parameters
    ----------
    config : DetectorConfig
        What to build.
    """

    def __init__(self, config: DetectorConfig) -> None:
        super().__init__()
        self.config = config
        self.weights_hash = ""
        """SHA-256 of the file that the weights came from; empty when they came from none."""
        self.backbone = EMSResNet(config.channels, STAGE_BLOCKS[config.name], pool_first=config.pool_first)
        self.neck = Neck(shortcut_lif=config.shortcut_lif, pool_first=config.pool_first)
        self.detect = Detect(Neck.channels, config.classes, config.anchors)

    def encode(self, counts: Tensor) -> Tensor:
        """Return event counts as the network takes them: ``min(count, count_clip) / count_clip``.

        This is the one place where counts become currents; windows without events are zeros, and stay so.

        Parameters
        ----------
        counts : Tensor, shape (..., C, H, W), integer
            Events a pixel, OFF then ON.

        Returns
        -------
        Tensor, same shape, dtype of the weights
            Values in [0, 1].
        """
        clip = self.config.count_clip
        return counts.clamp(max=clip).to(next(self.parameters()).dtype) / clip

    def forward(self, x: Tensor, state: Sequence[Tensor] | None = None, *, readout: str = "mean") -> DetectorOutput:
        """Return the logits of a sequence, and the state after it.

        Parameters
        ----------
        x : Tensor, shape (T, B, C, H, W)
            Event counts (integer), or what :meth:`encode` made of them (floating). Sides are multiples of 32.
        state : sequence of Tensor, optional
            State after the steps before; at rest when left out.
        readout : str
            One of `READOUTS`.

        Returns
        -------
        DetectorOutput
            Logits by scale, and the state.

        Raises
        ------
        OptionError
            When the shape, the state or the readout is outside its rule.
        """
        check_option("readout", readout, READOUTS)
        self._check_input(x)
        steps = x.shape[0]
        membranes = Membranes(steps, state)
        currents = self._currents(x.flatten(0, 1), membranes)
        if readout == "mean":
            # The convolution is linear: averaging before it is the same, and costs 1/T.
            logits = self.detect([split_steps(current, steps).mean(0) for current in currents])
        else:
            logits = tuple(split_steps(scale, steps) for scale in self.detect(currents))
        return DetectorOutput(logits, membranes.state())

    def step(self, x: Tensor, state: Sequence[Tensor] | None = None) -> DetectorOutput:
        """Return the logits of one step, a tensor (B, anchors * (5 + classes), rows, columns) a scale, and the state.

        Parameters
        ----------
        x : Tensor, shape (B, C, H, W)
            As in :meth:`forward`, without the steps.
        state : sequence of Tensor, optional
            State after the step before; at rest when left out.

        Returns
        -------
        DetectorOutput
            Logits by scale, and the state.

        Raises
        ------
        OptionError
            When the shape or the state is outside its rule.
        """
        self._check_input(x[None])
        membranes = Membranes(1, state)
        return DetectorOutput(self.detect(self._currents(x, membranes)), membranes.state())

    def _currents(self, x: Tensor, membranes: Membranes) -> tuple[Tensor, Tensor]:
        if not x.is_floating_point():
            x = self.encode(x)
        currents: tuple[Tensor, Tensor] = self.neck(*self.backbone(x, membranes), membranes)
        return currents

    def _check_input(self, x: Tensor) -> None:
        if x.ndim != 5 or 0 in x.shape:
            raise OptionError(f"x must have the shape (T, B, C, H, W) without a zero, got {tuple(x.shape)}")
        _, _, channels, height, width = x.shape
        if channels != self.config.channels:
            raise OptionError(f"x must have {self.config.channels} channels, got {channels} in {tuple(x.shape)}")
        check_input_size(SensorSize(height, width))


def build_detector(
    name: str = "ems-res10", *, classes: int = 2, channels: int = 2, heads: int = 2, **options: Any
) -> Detector:
    """Return a detector with fresh weights.

    Parameters
    ----------
    name : str
        ``ems-res10``, ``ems-res18`` or ``ems-res34``.
    classes : int
        Number of classes.
    channels : int
        Input channels: 2 for OFF and ON counts, 3 for the grey pictures of the reference.
    heads : int
        Output scales.
    **options
        Other fields of `DetectorConfig`.

    Returns
    -------
    Detector
        In training mode.

    Raises
    ------
    OptionError
        When an option is unknown or outside its rule.

    Examples
    --------
    >>> sum(weights.numel() for weights in build_detector("ems-res10", channels=3).parameters())
    6207050
    """
    config = DetectorConfig(name, classes=classes, channels=channels, heads=heads)
    try:
        config = replace(config, **options) if options else config
    except TypeError as error:
        raise OptionError(f"build_detector: {error}", hint="options are the fields of DetectorConfig") from error
    return Detector(config)
