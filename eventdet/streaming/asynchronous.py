"""Results for an event loop: windows are run in one thread, one at a time, and handed over as they are done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["AsyncResults"]

_T = TypeVar("_T")


class AsyncResults(AsyncIterator[_T]):
    """Yields what an iterator yields, without holding up the event loop.

    No result is made before it is asked for: a slow consumer holds the source back, as in a plain loop. It is no async
    generator, since the event loop closes one that was left only later: its detector would not be free at once.

    Parameters
    ----------
    results : iterator
        Of one thread, which is then this one's.
    stop : callable
        Makes `results` end soon; called when the wait for one is cancelled.
    """

    def __init__(self, results: Iterator[_T], stop: Callable[[], None]) -> None:
        self._results = results
        self._stop = stop
        self._is_closed = self._is_waiting = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eventdet stream")

    async def __anext__(self) -> _T:
        """Return the next result."""
        if self._is_closed:
            raise StopAsyncIteration
        result = None
        self._is_waiting = True
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._thread, next, self._results, None)
        except (asyncio.CancelledError, GeneratorExit):
            self._stop()
            raise
        finally:
            self._is_waiting = False
            if result is None:
                self._close()
        if result is None:
            raise StopAsyncIteration
        return result

    async def aclose(self) -> None:
        """End the iteration; once is enough. A window that another task waits for comes soon, or not at all."""
        if self._is_waiting:
            self._stop()
        self._close()

    def __del__(self) -> None:
        """Let go of source and detector when the loop is left. No window is in hand then: its wait would hold us."""
        if not self._is_closed:
            self._thread.shutdown(wait=False)
            _close_results(self._results)

    def _close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            # Behind the window in hand, in the thread that runs it.
            self._thread.submit(_close_results, self._results)
            self._thread.shutdown()


def _close_results(results: Iterator[_T]) -> None:
    close = getattr(results, "close", None)
    if close is not None:
        close()
