"""The detector: encoding, backbone, neck and readout, for whole sequences and for single steps."""

from collections import namedtuple
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from eventdet.errors import OptionError, check_option
from eventdet.geometry import SensorSize

from .backbone import Backbone
from .config import DetectorConfig, check_input_size
from .families import family_of
from .head import Detect, Neck
from .lif import LIF, Membranes, Neurons, split_steps

__all__ = ["READOUTS", "CountEncoding", "Detector", "DetectorOutput", "State", "build_detector", "repeat_image"]

State = tuple[Tensor, ...]
"""Membranes after reset, one tensor (B, C, H, W) a layer of neurons, in the order in which they run. What a detector
returns is a named tuple, whose names are :attr:`Detector.state_names`; what it takes may be any sequence."""

READOUTS = ("mean", "steps")
"""``mean``: logits of the mean over the steps, as in the paper; ``steps``: the logits of each step."""


class DetectorOutput(NamedTuple):
    """What one call of a detector gives."""

    logits: tuple[Tensor, ...]
    """A tensor a scale, fine first: ([T,] B, anchors * (5 + classes), H/stride, W/stride)."""

    state: State
    """To start the next call from."""


class CountEncoding(nn.Module):
    """Event counts as the network takes them: ``min(count, count_clip) / count_clip``.

    This is the one place where counts become currents; windows without events are zeros, and stay so.

    Parameters
    ----------
    count_clip : int
        Count that becomes 1.
    """

    def __init__(self, count_clip: int) -> None:
        super().__init__()
        self.count_clip = count_clip

    def forward(self, counts: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the values in [0, 1], of the shape of `counts`."""
        return counts.clamp(max=self.count_clip).to(dtype) / self.count_clip


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
        family = family_of(config)
        self.encoding = CountEncoding(config.count_clip)
        self.backbone = Backbone(config, family)
        self.neck = Neck(config, self.backbone.channels, family)
        spiking = config.detection == "spiking"
        self.readout_lifs = nn.ModuleList(LIF() for _ in range(config.heads * spiking))
        self.detect = Detect(config, self.neck.channels)
        self.state_names = tuple(
            name.replace(".", "_") for name, module in self.named_modules() if isinstance(module, Neurons)
        )
        """A name for each membrane of the state: the layer's, with underscores."""

    def encode(self, counts: Tensor) -> Tensor:
        """Return event counts as the network takes them, see :class:`CountEncoding`.

        Parameters
        ----------
        counts : Tensor, shape (..., C, H, W), integer
            Events a pixel, OFF then ON.

        Returns
        -------
        Tensor, same shape, dtype of the weights
            Values in [0, 1].
        """
        values: Tensor = self.encoding(counts, next(self.parameters()).dtype)
        return values

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
            logits = self.detect([_mean_of_steps(current, steps) for current in currents])
        else:
            logits = tuple(split_steps(scale, steps) for scale in self.detect(currents))
        return DetectorOutput(logits, self._named(membranes.state()))

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
        logits = self.detect(self._currents(x, membranes))
        return DetectorOutput(logits, self._named(membranes.state()))

    def _currents(self, x: Tensor, membranes: Membranes) -> list[Tensor]:
        if not x.is_floating_point():
            x = self.encode(x)
        currents: list[Tensor] = self.neck(self.backbone(x, membranes), membranes)
        if self.readout_lifs:
            currents = [lif(current, membranes) for lif, current in zip(self.readout_lifs, currents, strict=True)]
        # What streams in 8 bits hands on spikes as bytes.
        return [
            current if current.is_floating_point() else current.to(next(self.parameters()).dtype)
            for current in currents
        ]

    def _named(self, state: State) -> State:
        return cast("State", _state_type(self.state_names)._make(state))

    def _check_input(self, x: Tensor) -> None:
        if x.ndim != 5 or 0 in x.shape:
            raise OptionError(f"x must have the shape (T, B, C, H, W) without a zero, got {tuple(x.shape)}")
        _, _, channels, height, width = x.shape
        if channels != self.config.channels:
            raise OptionError(f"x must have {self.config.channels} channels, got {channels} in {tuple(x.shape)}")
        check_input_size(SensorSize(height, width))
        if x.is_floating_point() and not torch.compiler.is_compiling() and not x.isfinite().all():
            # Not a number fires no neuron: without this the network would go quiet, and stay so.
            raise OptionError("x must be finite, got NaN or infinity", hint="event counts are whole numbers")


def _mean_of_steps(x: Tensor, num_steps: int) -> Tensor:
    """Return the mean over the steps of `x`, shape (T*B, C, H, W), shape (B, C, H, W), in the layout of `x`."""
    if not x.is_contiguous(memory_format=torch.channels_last):
        return split_steps(x, num_steps).mean(0)
    # As the memory lies: torch is several times slower where the axes are not in the order of the memory.
    last = x.permute(0, 2, 3, 1)
    return last.reshape(num_steps, -1).mean(0).view(-1, *last.shape[1:]).permute(0, 3, 1, 2)


@cache
def _state_type(names: tuple[str, ...]) -> Any:
    return namedtuple("DetectorState", names)


def repeat_image(images: Tensor, num_steps: int) -> Tensor:
    """Return still images as a sequence: the same at every step, as EMS-YOLO reads COCO.

    Parameters
    ----------
    images : Tensor, shape (B, C, H, W)
        Pictures, integer or floating.
    num_steps : int
        T.

    Returns
    -------
    Tensor, shape (T, B, C, H, W)
        A view.

    Raises
    ------
    OptionError
        When there are not four axes, or no step.
    """
    if images.ndim != 4 or num_steps < 1:
        raise OptionError(f"images must be (B, C, H, W) for >= 1 steps, got {tuple(images.shape)} for {num_steps}")
    return images.expand(num_steps, *images.shape)


def build_detector(
    name: str = "ems-res10", *, classes: int = 2, channels: int = 2, heads: int = 2, **options: Any
) -> Detector:
    """Return a detector with fresh weights.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`: ``ems-``, ``ms-`` or ``sew-`` with ``nano``, ``res10``, ``res18`` or ``res34``, or
        ``wide-res10``, ``wide-res18``, ``wide-res34``, ``wide-res34-cat``.
    classes : int
        Number of classes.
    channels : int
        Input channels: 2 for OFF and ON counts, 3 for pictures and for the grey frames of the reference.
    heads : int
        Output scales, 2 or 4.
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
    try:
        config = DetectorConfig(name, classes=classes, channels=channels, heads=heads, **options)
    except TypeError as error:
        raise OptionError(f"build_detector: {error}", hint="options are the fields of DetectorConfig") from error
    return Detector(config)
