"""Pools of processes that leave Ctrl-C to the process that waits for them."""

import multiprocessing
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, resource_tracker

__all__ = ["process_pool"]


def process_pool(num_processes: int, *, preload: Sequence[str] = ()) -> ProcessPoolExecutor:
    """Return a pool whose processes ignore Ctrl-C: tasks at work are finished, and the caller decides what follows.

    Parameters
    ----------
    num_processes : int
        How many, > 0.
    preload : sequence of str
        Modules that the server imports once, for all processes forked from it.

    Returns
    -------
    ProcessPoolExecutor
        Its processes come from a server without threads: forking a process that has some, as Zarr's, can hang it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    _start_server()
    return ProcessPoolExecutor(num_processes, mp_context=context, initializer=_ignore_interrupts)


def _start_server() -> None:
    """Start the server with Ctrl-C blocked, which its children inherit.

    A signal that comes before a child has reached its initializer would otherwise end it with a traceback.
    """
    # The tracker unblocks the signal when it starts, so it must be there before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
