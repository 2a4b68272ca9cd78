"""SIGTERM and Ctrl-C end a command the same way."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["terminated_like_interrupt"]


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
