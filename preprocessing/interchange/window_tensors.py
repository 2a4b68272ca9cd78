"""Tensors of any window of a stored recording: cut from its events, else taken from its frames."""

import numpy as np

from eventdet.errors import OptionError
from eventdet.events import Events
from eventdet.geometry import fit_pixels
from eventdet.preprocessing.representations import Representation, Tensor
from eventdet.preprocessing.store import StoredFrames, StoredRecording

__all__ = ["WindowTensors"]


class WindowTensors:
    """Gives the tensor of a window; memory is that of one tensor.

    Parameters
    ----------
    recording : StoredRecording
        With events, or with frames of the very representation.
    representation : Representation
        What each tensor shall be.

    Raises
    ------
    OptionError
        When the recording has neither.
    """

    def __init__(self, recording: StoredRecording, representation: Representation) -> None:
        size = recording.sensor_size
        self._recording = recording
        self._representation = representation
        self._pixels = fit_pixels(size, size)
        self.buffer: Tensor = np.empty(representation.shape(size), representation.dtype)
        """Of the shape and dtype of every tensor."""
        self._frames = None if recording.has_events else self._stored_frames()

    def __call__(self, t0_us: int, t1_us: int) -> Tensor:
        """Return the tensor of ``[t0_us, t1_us)``, valid until the next call.

        Raises
        ------
        OptionError
            When there are no events, and no stored frame is that of the window.
        FormatError
            When the stored bytes are damaged.
        """
        outside = t0_us > self._recording.t_last_us or t1_us <= self._recording.t_first_us
        if self._frames is not None and not outside:
            return self._frames[self._index(self._frames, t0_us, t1_us)]
        events = Events.empty() if outside else self._recording.events(t0_us, t1_us)
        return self._representation(events, t0_us, t1_us, self._pixels, self.buffer)

    def _stored_frames(self) -> StoredFrames:
        found = [self._recording.frames(name) for name in self._recording.frame_names]
        for frames in found:
            if frames.representation == self._representation:
                return frames
        raise OptionError(
            f"{self._recording.path}: stored without events, and its frames are "
            f"{', '.join(str(frames.representation) for frames in found) or 'missing'}, not {self._representation}",
            hint="convert it again without --no-events",
        )

    def _index(self, frames: StoredFrames, t0_us: int, t1_us: int) -> int:
        if frames.starts_us is None:
            index = (t0_us - frames.start_us) // frames.stride_us
        else:
            index = int(np.searchsorted(frames.starts_us, t0_us))
        if 0 <= index < len(frames) and frames.window(index) == (t0_us, t1_us):
            return index
        raise OptionError(
            f"{self._recording.path}: stored without events, and none of its frames is the window "
            f"({t0_us}, {t1_us}) us",
            hint="convert it again without --no-events",
        )
