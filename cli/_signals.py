"""SIGTERM and Ctrl-C end a command the same way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["EXIT_INTERRUPTED", "ToldCode", "stopped_by_signals", "terminated_like_interrupt"]

EXIT_INTERRUPTED = 130
"""What shells report for Ctrl-C."""


class ToldCode(int):
    """An exit code whose reason the command has told in its own way."""


@contextmanager
def stopped_by_signals(stop: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C and SIGTERM ask for the end, however often they come, instead of unwinding.

    A second signal, which `timeout` sends as a rule, would otherwise tear a video that is being finalised.

    Parameters
    ----------
    stop : callable
        Called by the handler; it may set a flag and no more.

    Yields
    ------
    callable
        Returns whether a signal has come.
    """
    came: list[int] = []

    def ask(number: int, _frame: object) -> None:
        came.append(number)
        stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def terminated_like_interrupt() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C, so that every output is finalised."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
