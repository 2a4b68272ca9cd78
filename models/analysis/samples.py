"""Events of a recording as the sequences that a detector starts at rest on."""

import numpy as np
import torch
from torch import Tensor

from eventdet.errors import InputError, OptionError
from eventdet.geometry import fit_pixels
from eventdet.models.config import DetectorConfig
from eventdet.preprocessing import event_histogram
from eventdet.sources import EventSource

__all__ = ["event_samples"]

_POLARITIES = 2


def event_samples(source: EventSource, config: DetectorConfig, *, steps: int, count: int) -> Tensor:
    """Return sequences of event counts, spread evenly over a recording.

    Parameters
    ----------
    source : EventSource
        A recording or a simulated one.
    config : DetectorConfig
        Says window, input size and channels.
    steps : int
        Windows a sequence.
    count : int
        Sequences; fewer when the recording is too short for them side by side.

    Returns
    -------
    Tensor, shape (steps, sequences, 2, H, W), uint8
        Events a pixel, OFF then ON.

    Raises
    ------
    OptionError
        When the detector does not take OFF and ON counts, or a number is not positive.
    InputError
        When the recording is shorter than one sequence, or has no events.
    """
    if config.channels != _POLARITIES:
        raise OptionError(
            f"events need a detector with {_POLARITIES} input channels, got {config.channels}",
            hint="leave the recording out and give --rate",
        )
    if steps < 1 or count < 1:
        raise OptionError(f"steps and samples must be >= 1, got {steps} and {count}")
    if source.t_first_us is None or source.t_last_us is None:
        raise InputError(f"{source.name}: no events to profile on", hint="give a recording or synthetic://")
    length_us = steps * config.window_us
    begin = source.t_first_us // config.window_us * config.window_us
    room = (source.t_last_us + 1 - begin) // length_us
    if room < 1:
        raise InputError(
            f"{source.name}: must last {length_us / 1e6:g} s for {steps} windows, lasts "
            f"{(source.t_last_us + 1 - begin) / 1e6:g} s",
            hint="use fewer --steps or a longer recording",
        )
    pixels = fit_pixels(source.sensor_size, config.input_size)
    chosen = np.linspace(0, room - 1, min(count, room)).round().astype(int)
    counts = np.zeros((steps, len(chosen), _POLARITIES, *config.input_size), np.uint8)
    for index, place in enumerate(chosen):
        start = begin + int(place) * length_us
        windows = source.windows(config.window_us, start_us=start, stop_us=start + length_us)
        for step, window in enumerate(windows):
            span = (window.t0_us, window.t1_us)
            event_histogram(window.events, span, bins=1, pixel_map=pixels, out=counts[step, index][None])
    return torch.from_numpy(counts)
