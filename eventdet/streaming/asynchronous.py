"""Results for an event loop: windows are run in one thread, one at a time, and handed over as they are done."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["iterate_async"]

_T = TypeVar("_T")


async def iterate_async(results: Iterator[_T], stop: Callable[[], None]) -> AsyncIterator[_T]:
    """Yield what an iterator yields, without holding up the event loop.

    No result is made before it is asked for: a slow consumer holds the source back, as in a plain loop.

    Parameters
    ----------
    results : iterator
        Of one thread, which is then this one's.
    stop : callable
        Makes `results` end soon; called when the wait for one is cancelled.
    """
    thread = ThreadPoolExecutor(1, thread_name_prefix="eventdet stream")
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                result = await loop.run_in_executor(thread, next, results, None)
            except asyncio.CancelledError:
                stop()
                raise
            if result is None:
                return
            yield result
    finally:
        close = getattr(results, "close", None)
        if close is not None:
            # Behind the window in hand, in the thread that runs it.
            thread.submit(close)
        thread.shutdown()
