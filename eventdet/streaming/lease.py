"""Who has a detector: its membranes are those of one run, in the process that made it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakSet

import torch

from eventdet.errors import OptionError
from eventdet.models import StreamingDetector

__all__ = ["in_use", "leased"]

_IN_USE: WeakSet[StreamingDetector] = WeakSet()
"""Detectors whose membranes belong to an iteration that is under way."""


@contextmanager
def leased(detector: StreamingDetector) -> Iterator[None]:
    """Have a detector for oneself.

    Raises
    ------
    OptionError
        When another run has it, or the process that made it was forked, without the threads that it waits for.
    """
    # Torch with one thread has none to wait for; other runtimes have threads of their own.
    needs_threads = detector.choice.runtime != "torch" or torch.get_num_threads() > 1
    if needs_threads and detector.made_in != os.getpid():
        raise OptionError(
            f"a detector cannot run in a fork of the process that made it, got one of process {detector.made_in}",
            hint='start processes with multiprocessing.get_context("spawn") and make a detector in each',
        )
    if detector in _IN_USE:
        raise in_use()
    _IN_USE.add(detector)
    try:
        yield
    finally:
        _IN_USE.discard(detector)


def in_use() -> OptionError:
    """Return the error of a second run on one detector."""
    return OptionError(
        "a detector runs one stream at a time, got a second", hint="use stream_many, or another detector"
    )
