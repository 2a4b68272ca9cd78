"""Which clips make up which batch: shuffled, balanced by class, or lane by lane; over one or several processes.

A sampler is a plan that seed and epoch decide. Every process works out the whole plan and takes its part, so that none
needs word from another, and a batch is known by its number alone.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import OptionError

from .sources import ClipRef

if TYPE_CHECKING:
    from .clips import ClipDataset

__all__ = ["ClipSampler", "StreamSampler", "balanced_weights", "share_recordings"]

_FILLING = ClipRef(-1, 0, is_first=False)
"""A place of a batch that no clip is left for."""


class ClipSampler:
    """Batches of clips in random or given order.

    Parameters
    ----------
    dataset : ClipDataset
        Whose clips.
    batch_size : int
        Clips of a batch. The last one of an epoch is filled up with clips from its beginning.
    shuffle : bool
        Whether the order is random.
    weights : ndarray, shape (len(dataset),), optional
        Probabilities of being drawn, in any unit, as :func:`balanced_weights` returns; clips are then drawn with
        replacement.
    seed : int
        Of the order.
    rank, world_size : int
        Number of this process and of all: each gets recordings of its own and as many batches as the others.

    Raises
    ------
    OptionError
        When a value is outside its rule, there is no clip at all, or a process would get no recording with clips, or
        none with a weight.
    """

    def __init__(
        self,
        dataset: "ClipDataset",
        batch_size: int,
        *,
        shuffle: bool = True,
        weights: NDArray[np.float64] | None = None,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_places(batch_size, rank, world_size)
        if not dataset.clips:
            raise _no_clips(dataset.options.align)
        if weights is not None and (weights.shape != (len(dataset),) or weights.min() < 0 or weights.sum() <= 0):
            raise OptionError(f"weights must be {len(dataset)} numbers >= 0, not all 0, got shape {weights.shape}")
        num_clips = np.zeros(len(dataset.sources), np.int64)
        np.add.at(num_clips, [ref.source for ref in dataset.clips], 1)
        shares = share_recordings(num_clips.tolist(), world_size)
        clips_of_rank = [[i for i, ref in enumerate(dataset.clips) if ref.source in share] for share in shares]
        if not all(clips_of_rank):
            raise OptionError(
                f"each of {world_size} processes needs a recording with clips", hint="use fewer processes"
            )
        self._clips = np.array(clips_of_rank[rank])
        if weights is not None and not all(weights[clips].sum() > 0 for clips in clips_of_rank):
            raise OptionError(
                f"each of {world_size} processes needs a clip with a weight > 0", hint="use fewer processes"
            )
        self._weights = None if weights is None else weights[self._clips] / weights[self._clips].sum()
        self._length = -(-max(map(len, clips_of_rank)) // batch_size)
        self._dataset, self._batch_size, self._shuffle, self._key = dataset, batch_size, shuffle, (seed, rank)
        self._epoch = 0
        self._order: tuple[int, NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        return self._length

    def __iter__(self) -> Iterator[list[ClipRef]]:
        """Yield the batches of the epoch."""
        first = self._epoch * self._length
        return (self.batch(step) for step in range(first, first + self._length))

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iterating goes through."""
        self._epoch = epoch

    def batch(self, step: int) -> list[ClipRef]:
        """Return the batch of a step, counted over all epochs: the same step gives the same batch."""
        epoch, number = divmod(step, self._length)
        order = self._order_of(epoch)
        chosen = order[number * self._batch_size : (number + 1) * self._batch_size]
        return [self._dataset.clips[clip]._replace(epoch=epoch) for clip in chosen.tolist()]

    def _order_of(self, epoch: int) -> NDArray[np.int64]:
        """Return the clips of an epoch; that of the last one asked for is kept."""
        if self._order is None or self._order[0] != epoch:
            rng = np.random.default_rng((*self._key, epoch))
            size = self._length * self._batch_size
            if self._weights is not None:
                order = rng.choice(self._clips, size, p=self._weights)
            else:
                order = np.resize(rng.permutation(self._clips) if self._shuffle else self._clips, size)
            self._order = epoch, order
        return self._order[1]


class StreamSampler:
    """Batches of lanes: each goes through one recording after the other, clip by clip, for networks with a state.

    A lane that has come to the end of its recording takes the next one that nobody has. In the last batches of an
    epoch there are lanes without any: they hold empty clips whose source is -1.

    Parameters
    ----------
    dataset : ClipDataset
        Whose recordings; its clips are not used.
    lanes : int
        Recordings side by side, the batch size.
    shuffle : bool
        Whether the order of the recordings is random.
    seed : int
        Of that order.
    rank, world_size : int
        Number of this process and of all: each gets recordings of its own and as many batches as the others.

    Raises
    ------
    OptionError
        When a value is outside its rule, no recording holds a window, or there are fewer recordings than processes.
    """

    def __init__(
        self,
        dataset: "ClipDataset",
        lanes: int,
        *,
        shuffle: bool = True,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        _check_places(lanes, rank, world_size)
        self._streams = [dataset.stream_of(source) for source in range(len(dataset.sources))]
        if not any(self._streams):
            raise _no_clips("grid")
        self._shares = share_recordings([len(stream) for stream in self._streams], world_size)
        if not all(self._shares):
            raise OptionError(f"each of {world_size} processes needs a recording", hint="use fewer processes")
        self._lanes, self._shuffle, self._seed, self._rank, self._epoch = lanes, shuffle, seed, rank, 0

    def __len__(self) -> int:
        """Return the number of batches of the epoch, as many as the longest of all processes."""
        return max(len(plan) for plan in self._plans())

    def __iter__(self) -> Iterator[list[ClipRef]]:
        """Yield the batches of the epoch."""
        plans = self._plans()
        plan = plans[self._rank]
        yield from plan
        for _ in range(max(map(len, plans)) - len(plan)):
            yield [_FILLING] * self._lanes

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that iterating goes through."""
        self._epoch = epoch

    def _plans(self) -> list[list[list[ClipRef]]]:
        """Return the batches of every process."""
        return [self._plan(share, np.random.default_rng((self._seed, self._epoch))) for share in self._shares]

    def _plan(self, share: Sequence[int], rng: np.random.Generator) -> list[list[ClipRef]]:
        order = rng.permutation(share).tolist() if self._shuffle else sorted(share)
        waiting = iter([self._streams[source] for source in order if self._streams[source]])
        lanes: list[Iterator[ClipRef]] = [iter(()) for _ in range(self._lanes)]
        batches: list[list[ClipRef]] = []
        while True:
            batch = []
            for lane in range(self._lanes):
                ref = next(lanes[lane], None)
                if ref is None and (stream := next(waiting, None)) is not None:
                    lanes[lane] = iter(stream)
                    ref = next(lanes[lane])
                batch.append(_FILLING if ref is None else ref._replace(epoch=self._epoch))
            if all(ref.source < 0 for ref in batch):
                return batches
            batches.append(batch)


def balanced_weights(dataset: "ClipDataset", *, negatives: float = 0.1) -> NDArray[np.float64]:
    """Return weights that draw a clip of every class equally often.

    A clip with labels weighs the sum of ``1 / n_c`` over its classes c, where n_c clips have class c.

    Parameters
    ----------
    dataset : ClipDataset
        Whose clips.
    negatives : float
        Share of the draws that go to clips without labels, where there are both kinds.

    Returns
    -------
    ndarray, shape (len(dataset),), float64
        Adding up to 1.

    Raises
    ------
    OptionError
        When `negatives` is outside 0..1.
    """
    if not 0 <= negatives <= 1:
        raise OptionError(f"negatives must be in 0..1, got {negatives}")
    classes = [dataset.classes_of(ref) for ref in dataset.clips]
    found = np.unique(np.concatenate([np.zeros(0, np.int64), *classes]), return_counts=True)
    num_clips = dict(zip(*(column.tolist() for column in found), strict=True))
    weights = np.array([sum(1 / num_clips[int(name)] for name in names) for names in classes])
    empty = weights == 0
    if empty.all() or not empty.any():
        return np.full(len(weights), 1 / len(weights)) if empty.all() else weights / weights.sum()
    weights *= (1 - negatives) / weights.sum()
    weights[empty] = negatives / empty.sum()
    return weights


def share_recordings(lengths: Sequence[int], world_size: int) -> list[list[int]]:
    """Return the recordings of each process, about equally long in sum: longest first, each to who has least.

    Examples
    --------
    >>> share_recordings([5, 1, 4, 2], 2)
    [[0, 1], [2, 3]]
    """
    shares: list[list[int]] = [[] for _ in range(world_size)]
    sums = [0] * world_size
    for recording in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        least = min(range(world_size), key=lambda rank: (sums[rank], len(shares[rank])))
        shares[least].append(recording)
        sums[least] += lengths[recording]
    return [sorted(share) for share in shares]


def _no_clips(align: str) -> OptionError:
    if align == "grid":
        return OptionError("no recording holds a window")
    return OptionError("no recording has a label that a clip could end at", hint='use align="grid"')


def _check_places(batch_size: int, rank: int, world_size: int) -> None:
    if batch_size < 1:
        raise OptionError(f"a batch must have >= 1 clips, got {batch_size}")
    if not 0 <= rank < world_size:
        raise OptionError(f"rank must be in 0..{world_size - 1}, got {rank}")
