"""Clips of recordings as batches for torch: random access or lane by lane, from any source of windows.

The dataset makes a batch from a list of :class:`ClipRef`; what is in the list is a sampler's choice. So shuffled clips
and streams that keep their state are two samplers over one dataset, workers do not change what comes out, and a batch
can be asked for by the number of its step.
"""

import math
import multiprocessing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from eventdet.boxes import Boxes
from eventdet.errors import OptionError, check_option
from eventdet.preprocessing.representations import Tensor

from .augment import Augmentation, ClipTransform
from .batch import ClipBatch, SparseBuilder, SparseFrames, join_rows, label_rows
from .sources import ClipRef, ClipSource

__all__ = ["ClipDataset", "ClipOptions", "clip_loader"]


@dataclass(frozen=True, slots=True)
class ClipOptions:
    """How recordings are cut into clips.

    Raises
    ------
    OptionError
        When a value is outside its rule.
    """

    num_windows: int = 1
    """Consecutive windows of a clip."""

    steps: str = "windows"
    """Steps of the network: ``windows``, whose bins are channels then, or their ``bins``, each with its polarities."""

    align: str = "label"
    """``label``: a clip for each stamp of the labels, its last window the one they belong to; one that is cut from
    events then ends at the stamp. ``grid``: one clip after the other, from the first window of the recording on."""

    unlabelled: str = "ignore"
    """What a window without labels stands for: ``ignore``, nobody looked, or ``empty``, there is no object."""

    sparse: bool = False
    """Hand out the non-zero cells of the frames instead of all of them."""

    def __post_init__(self) -> None:
        """Check every field, see `Raises`."""
        if self.num_windows < 1:
            raise OptionError(f"num_windows must be >= 1, got {self.num_windows}")
        check_option("steps", self.steps, ("windows", "bins"))
        check_option("align", self.align, ("label", "grid"))
        check_option("unlabelled", self.unlabelled, ("ignore", "empty"))


class ClipDataset(Dataset[ClipBatch]):
    """Clips of all sources, by number or by :class:`ClipRef`; every item is a batch.

    A label belongs to the newest window that has ended by its stamp, if that was less than a stride ago: no window
    shows what came after its labels.

    Parameters
    ----------
    sources : sequence of ClipSource
        From :func:`event_sources` or :func:`frame_sources`, all with the same tensors and windows.
    options : ClipOptions
        How they are cut.
    augmentation : Augmentation, optional
        What happens to the clips.
    seed : int
        Of the augmentation: with it, epoch and clip decide the draw.

    Raises
    ------
    OptionError
        When the sources differ, there are none, or the augmentation needs what they do not have.
    InputError
        When labels or extents cannot be read.
    """

    def __init__(
        self,
        sources: Sequence[ClipSource],
        options: ClipOptions,
        augmentation: Augmentation | None = None,
        *,
        seed: int = 0,
    ) -> None:
        _check_sources(sources, options, augmentation)
        self.sources = tuple(sources)
        """Recordings, as they were given."""
        self.options = options
        """How they are cut."""
        self._augmentation = augmentation
        self._seed = seed
        self.labels = tuple(source.labels() for source in self.sources)
        """Of each recording, in pixels of the tensors and in the order of time."""
        self.clips = [ref for number in range(len(self.sources)) for ref in self._clips_of(number)]
        """Every clip, those of a recording in the order of time."""

    def __len__(self) -> int:
        """Return the number of clips."""
        return len(self.clips)

    def __getitem__(self, clip: int | ClipRef) -> ClipBatch:
        """Return a batch of one clip."""
        return self.batch([clip])

    def __getitems__(self, clips: Sequence[int | ClipRef]) -> ClipBatch:
        """Return the clips as one batch; torch's loader asks in this way."""
        return self.batch(clips)

    def batch(self, clips: Sequence[int | ClipRef]) -> ClipBatch:
        """Return the clips as one batch.

        Raises
        ------
        InputError
            When a recording cannot be read.
        """
        refs = [clip if isinstance(clip, ClipRef) else self.clips[clip] for clip in clips]
        steps, *channels_and_size = self._clip_shape
        shape, dtype = (steps, len(refs), *channels_and_size), self.sources[0].representation.dtype
        labelled = np.zeros(shape[:2], np.bool_)
        rows = []
        frames: torch.Tensor | SparseFrames
        if self.options.sparse:
            builder, clip_frames = SparseBuilder(shape, dtype), np.empty((steps, *channels_and_size), dtype)
            for place, ref in enumerate(refs):
                rows.append(self._fill(ref, place, clip_frames, labelled[:, place]))
                builder.add(clip_frames, place)
            frames = builder.finish()
        else:
            filled = np.empty(shape, dtype)
            for place, ref in enumerate(refs):
                rows.append(self._fill(ref, place, filled[:, place], labelled[:, place]))
            frames = torch.from_numpy(filled)
        return ClipBatch(
            frames,
            join_rows(rows),
            labelled,
            torch.tensor([ref.is_first for ref in refs]),
            np.array([ref.source for ref in refs], np.int64),
            np.array([ref.t0_us for ref in refs], np.int64),
        )

    def stream_of(self, source: int) -> list[ClipRef]:
        """Return the clips that cover a source one after the other, to be augmented alike."""
        start_us, num_windows = self.sources[source].grid()
        length = self.options.num_windows * self.sources[source].stride_us
        starts = [start_us + place * length for place in range(-(-num_windows // self.options.num_windows))]
        return [ClipRef(source, t0_us, 0, start_us, is_first=t0_us == start_us) for t0_us in starts]

    def classes_of(self, ref: ClipRef) -> NDArray[np.int64]:
        """Return the distinct classes of the labels of a clip, before augmentation."""
        return np.unique(self._labels_of(ref).class_id)

    def stamps_of(self, ref: ClipRef) -> NDArray[np.int64]:
        """Return the distinct stamps of the labels that belong to the last window of a clip."""
        source = self.sources[ref.source]
        last_end = ref.t0_us + source.window_us + (self.options.num_windows - 1) * source.stride_us
        return np.unique(self.labels[ref.source].between(last_end, last_end + max(source.stride_us, 1)).t)

    def _clips_of(self, number: int) -> list[ClipRef]:
        if self.options.align == "grid":
            return [ref._replace(drawn_at_us=ref.t0_us, is_first=True) for ref in self.stream_of(number)]
        source = self.sources[number]
        before = (self.options.num_windows - 1) * source.stride_us
        starts = {source.window_of(stamp) - before for stamp in self.labels[number].t.tolist()}
        return [ClipRef(number, t0_us, 0, t0_us) for t0_us in sorted(starts)]

    @property
    def _clip_shape(self) -> tuple[int, ...]:
        """Steps, channels, rows and columns."""
        source, num_windows = self.sources[0], self.options.num_windows
        leading = source.representation.shape(source.size)[:-2]
        if self.options.steps == "windows":
            return num_windows, math.prod(leading), *source.size
        return num_windows * leading[0], math.prod(leading[1:]), *source.size

    def _fill(self, ref: ClipRef, place: int, out: Tensor, labelled: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Fill `out` (T, C, H, W) and `labelled` (T,), and return the label rows, of one clip of a batch."""
        if ref.source < 0:
            out.fill(0)
            labelled.fill(True)
            return join_rows([])
        source, transform = self.sources[ref.source], self._draw(ref)
        shape = source.representation.shape(source.size)
        if self.options.steps == "windows":
            source.fill(ref.t0_us, [step.reshape(shape) for step in out], transform)
        else:
            # The bins of a window do not lie together in the batch.
            tensors = np.empty((self.options.num_windows, *shape), out.dtype)
            source.fill(ref.t0_us, list(tensors), transform)
            out[...] = tensors.reshape(out.shape)
        boxes = self._labels_of(ref)
        if self.options.unlabelled == "empty":
            labelled[self._steps_per_window - 1 :: self._steps_per_window] = True
        labelled[self._steps_of(ref, boxes)] = True
        moved = boxes if transform is None else transform.move_boxes(boxes)
        return label_rows(self._steps_of(ref, moved), place, moved.class_id, moved.xyxy)

    @property
    def _steps_per_window(self) -> int:
        return self._clip_shape[0] // self.options.num_windows

    def _steps_of(self, ref: ClipRef, boxes: Boxes) -> NDArray[np.int64]:
        """Return the step that each label of a clip belongs to: the last one of its window."""
        source = self.sources[ref.source]
        window: NDArray[np.int64] = (boxes.t - ref.t0_us - source.window_us) // max(source.stride_us, 1)
        return (window + 1) * self._steps_per_window - 1

    def _labels_of(self, ref: ClipRef) -> Boxes:
        source = self.sources[ref.source]
        first_end = ref.t0_us + source.window_us
        last_end = first_end + (self.options.num_windows - 1) * source.stride_us
        return self.labels[ref.source].between(first_end, last_end + max(source.stride_us, 1))

    def _draw(self, ref: ClipRef) -> ClipTransform | None:
        if self._augmentation is None:
            return None
        # Windows may begin before zero, seeds may not.
        key = (self._seed, ref.epoch, ref.source, ref.drawn_at_us % (1 << 63))
        return self._augmentation.draw(np.random.default_rng(key), self.sources[ref.source].picture)


def clip_loader(
    dataset: ClipDataset, batches: Iterable[list[ClipRef]], *, num_workers: int = 0, pin_memory: bool = False
) -> "DataLoader[ClipBatch]":
    """Return a loader of the batches that a sampler plans.

    Parameters
    ----------
    dataset : ClipDataset
        Where the clips come from.
    batches : iterable of list of ClipRef
        A :class:`ClipSampler` or :class:`StreamSampler`.
    num_workers : int
        Processes, started by a fork server, so that no thread of this process is lost in them; 0 loads here. The
        batches are the same, and in the same order, whatever their number.
    pin_memory : bool
        Copy the batches to memory that a GPU reads from directly.
    """
    context = None
    if num_workers:
        context = multiprocessing.get_context("forkserver")
        # torch is imported once, by the server, and not by each of its workers.
        context.set_forkserver_preload(["__main__", __name__])
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=num_workers,
        collate_fn=_as_it_is,
        pin_memory=pin_memory,
        multiprocessing_context=context,
        persistent_workers=num_workers > 0,
    )


def _as_it_is(batch: Any) -> Any:
    # The dataset has put it together, although torch takes it for a list of items.
    return batch


def _check_sources(sources: Sequence[ClipSource], options: ClipOptions, augmentation: Augmentation | None) -> None:
    if not sources:
        raise OptionError("sources must name at least one recording")
    first = sources[0]
    for source in sources:
        for name in ("representation", "size", "window_us", "stride_us"):
            if getattr(source, name) != getattr(first, name):
                raise OptionError(
                    f"sources must have the same {name}, got {getattr(first, name)} for {first.path} "
                    f"and {getattr(source, name)} for {source.path}"
                )
    if first.stride_us == 0 and (options.num_windows, options.align) != (1, "label"):
        raise OptionError(
            "stored windows that end at labels are clips of one window, align label", hint="use event_sources"
        )
    axes = first.representation.axes
    if options.steps == "bins" and axes[0] != "bin":
        raise OptionError(f"steps bins needs a representation with time bins, got axes {', '.join(axes)}")
    if augmentation is None or all(source.has_events for source in sources):
        return
    if augmentation.needs_events:
        raise OptionError("event_drop and time_jitter_us need events, got stored tensors", hint="use event_sources")
    if augmentation.polarity_flip > 0 and "polarity" not in axes:
        raise OptionError(f"polarity_flip needs events or a polarity axis, got axes {', '.join(axes)}")
