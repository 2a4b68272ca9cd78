"""Recordings as batches of a training: which are for learning and which for scoring, and in what order."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eventdet.errors import InputError, OptionError
from eventdet.formats import open_recording
from eventdet.models.config import DetectorConfig
from eventdet.models.loss_terms import Targets
from eventdet.preprocessing import Representation, find_stored_recordings, is_store, open_stored_recording
from eventdet.preprocessing.dataset import (
    Augmentation,
    ClipBatch,
    ClipDataset,
    ClipOptions,
    ClipRef,
    ClipSampler,
    ClipSource,
    StreamSampler,
    balanced_weights,
    clip_loader,
    event_sources,
    frame_sources,
)

from .processes import Processes
from .recipe import DataOptions, Recipe
from .values import Batch

__all__ = ["ClipBatches", "Split", "box_sides", "find_split", "is_synthetic", "open_clips", "open_held_out"]


@dataclass(frozen=True, slots=True)
class Split:
    """Where data lie."""

    train: Path
    """To learn from."""

    val: Path | None
    """To score with; None when there is nothing."""


def find_split(source: str | Path, val: str) -> Split:
    """Return the parts of a folder: its ``train`` and ``val``, or itself and what `val` names.

    Raises
    ------
    InputError
        When a part is not there.
    """
    root = Path(source)
    if not root.exists():
        raise InputError(f"{root}: no such file or folder")
    has_parts = (root / "train").is_dir()
    held_out = Path(val) if val else root / "val"
    if val and not held_out.exists():
        raise InputError(f"{held_out}: no such file or folder")
    return Split(root / "train" if has_parts else root, held_out if val or (has_parts and held_out.is_dir()) else None)


def open_clips(path: Path, config: DetectorConfig, recipe: Recipe, *, for_training: bool) -> ClipDataset:
    """Return the clips of the recordings at `path` as the detector takes them.

    Raises
    ------
    InputError
        When there are no recordings, none has a label, or a label is of a class that the detector does not know.
    OptionError
        When stored tensors are not what the detector takes.
    """
    data = recipe.data
    sources = _sources(path, config, data)
    bins = sources[0].representation.bins
    align = "grid" if for_training and (data.order == "stream" or data.unlabelled == "empty") else "label"
    options = ClipOptions(
        data.num_steps // bins, "bins" if bins > 1 else "windows", align, data.unlabelled, sparse=data.workers > 0
    )
    augmentation = recipe.augmentation if for_training and recipe.augmentation != Augmentation() else None
    dataset = ClipDataset(sources, options, augmentation, seed=recipe.training.seed)
    _check_labels(path, dataset, config)
    return dataset


def open_held_out(path: Path, config: DetectorConfig, recipe: Recipe) -> ClipDataset:
    """Return the clips to score with, one a label time and made in this process; raises as :func:`open_clips`."""
    data = replace(recipe.data, order="shuffle", unlabelled="ignore", workers=0)
    return open_clips(path, config, replace(recipe, data=data), for_training=False)


def box_sides(dataset: ClipDataset) -> NDArray[np.float32]:
    """Return width and height of every label, shape (n, 2), in input pixels."""
    return np.concatenate([labels.xywh[:, 2:] for labels in dataset.labels])


def is_synthetic(dataset: ClipDataset) -> bool | None:
    """Return whether every recording was simulated; None when that is not known of one and no other is real."""
    known = {
        (open_stored_recording(source.path) if is_store(source.path) else open_recording(source.path)).synthetic
        for source in dataset.sources
    }
    return False if False in known else None if None in known else True


class ClipBatches:
    """Batches of clips by number, made here or ahead of time by workers.

    Parameters
    ----------
    dataset : ClipDataset
        Whose clips.
    recipe : Recipe
        Order, batch size, seed.
    processes : Processes
        This one among all; each has recordings of its own.

    Raises
    ------
    OptionError
        When there are too few recordings for the processes.
    """

    def __init__(self, dataset: ClipDataset, recipe: Recipe, processes: Processes) -> None:
        data, seed = recipe.data, recipe.training.seed
        self._dataset, self._workers = dataset, data.workers
        self._keeps_state = data.order == "stream"
        places: dict[str, Any] = {"seed": seed, "rank": processes.rank, "world_size": processes.world_size}
        self._plan: _StreamPlan | ClipSampler
        if self._keeps_state:
            self._plan = _StreamPlan(StreamSampler(dataset, data.batch, **places))
        else:
            weights = balanced_weights(dataset) if data.order == "balanced" else None
            self._plan = ClipSampler(dataset, data.batch, weights=weights, **places)
        self.batches_per_epoch = len(self._plan)
        """Batches in which every clip comes once, about."""
        self._ahead: tuple[int, Iterator[ClipBatch]] | None = None

    def __call__(self, number: int) -> Batch:
        """Return a batch by its number."""
        batch = self._next(number) if self._workers else self._dataset.batch(self._plan.batch(number))
        is_first = batch.is_first if self._keeps_state else None
        return Batch(batch.dense(), Targets(batch.rows, batch.labelled), is_first)

    def _next(self, number: int) -> ClipBatch:
        if self._ahead is None or self._ahead[0] != number:
            loader = clip_loader(self._dataset, _From(self._plan, number), num_workers=self._workers)
            self._ahead = number, iter(loader)
        _, batches = self._ahead
        self._ahead = number + 1, batches
        return next(batches)


class _StreamPlan:
    """The batches of a stream sampler, numbered over all epochs."""

    def __init__(self, sampler: StreamSampler) -> None:
        self._sampler = sampler
        self._length = len(sampler)
        self._epoch: tuple[int, list[list[ClipRef]]] | None = None
        # Epochs differ in length by the order of recordings: where each begins is found by going through them.
        self._starts = [0]

    def __len__(self) -> int:
        return self._length

    def batch(self, number: int) -> list[ClipRef]:
        """Return the clips of a batch by its number."""
        while self._starts[-1] <= number:
            self._starts.append(self._starts[-1] + len(self._of(len(self._starts) - 1)))
        epoch = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._of(epoch)[number - self._starts[epoch]]

    def _of(self, epoch: int) -> list[list[ClipRef]]:
        if self._epoch is None or self._epoch[0] != epoch:
            self._sampler.set_epoch(epoch)
            self._epoch = epoch, list(self._sampler)
        return self._epoch[1]


class _From:
    """The batches of a plan from a number on, without an end."""

    def __init__(self, plan: _StreamPlan | ClipSampler, first: int) -> None:
        self._plan, self._first = plan, first

    def __iter__(self) -> Iterator[list[ClipRef]]:
        number = self._first
        while True:
            yield self._plan.batch(number)
            number += 1


def _sources(path: Path, config: DetectorConfig, data: DataOptions) -> list[ClipSource]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if data.read == "tensors" or (data.read == "auto" and not _has_events(path)):
        return _stored_sources(path, config, data)
    histogram = Representation("histogram", bins=1)
    found = event_sources(path, histogram, window_us=config.window_us, target=config.input_size, fit=data.fit)
    return list(found)


def _has_events(path: Path) -> bool:
    """Return whether windows can be cut: of files always, of a store when it kept the events."""
    stored = [path] if is_store(path) else find_stored_recordings(path) if path.is_dir() else []
    return not stored or open_stored_recording(stored[0]).has_events


def _stored_sources(path: Path, config: DetectorConfig, data: DataOptions) -> list[ClipSource]:
    sources = frame_sources(path, target=config.input_size)
    shown = sources[0].representation
    if shown.name != "histogram":
        raise OptionError(
            f"{path}: the detector takes event counts, got stored tensors {shown.name}",
            hint="convert with --representation histogram, or --read events",
        )
    bin_us = sources[0].window_us // shown.bins
    if (
        bin_us != config.window_us
        or data.num_steps % shown.bins
        or sources[0].stride_us not in (0, sources[0].window_us)
    ):
        raise OptionError(
            f"{path}: stored windows of {shown.bins} bins of {bin_us} us do not make {data.num_steps} steps of "
            f"{config.window_us} us",
            hint=f"use --window {bin_us}us and --num-steps {shown.bins}",
        )
    return list(sources)


def _check_labels(path: Path, dataset: ClipDataset, config: DetectorConfig) -> None:
    for source, labels in zip(dataset.sources, dataset.labels, strict=True):
        wrong = labels.class_id[(labels.class_id < 0) | (labels.class_id >= config.classes)]
        if wrong.size:
            raise InputError(
                f"{source.path}: class ids of labels must be in 0..{config.classes - 1}, got {wrong[0]}",
                hint=f"the detector knows {', '.join(config.class_names)}; name more with --classes",
            )
    if not any(len(labels) for labels in dataset.labels):
        raise InputError(
            f"{path}: no labels in {len(dataset.sources)} recordings", hint="labels of drive_td.dat are drive_bbox.npy"
        )
