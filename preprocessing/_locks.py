"""Locks between processes, for outputs that several may write at once.

A lock is the kernel's (``flock``) on a small file beside what is written. It ends with the process that holds it,
however that ends, so that none is ever stale: no process ids to compare, no boot to tell from another. Over NFS, Linux
passes it on to the server.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from eventdet.errors import BusyError, OutputError

__all__ = ["locked"]


@contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs; the file goes when it ends.

    Parameters
    ----------
    path : Path
        The lock file; its folder exists.
    wait : bool
        Whether to wait for another process that holds it.

    Raises
    ------
    BusyError
        When another process holds it and `wait` is false.
    OutputError
        When its folder cannot be written.
    """
    descriptor = _acquire(path, wait=wait)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        # Gone before the lock is: whoever waits for it finds out that its file is no longer the one of that name.
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(path: Path, *, wait: bool) -> int:
    while True:
        descriptor = _open(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), path.stat()):
                    return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace") or "another process"
            os.close(descriptor)
            raise BusyError(f"{path.parent}: {path.name} is held by {holder}", hint="wait until it ends") from None
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise OutputError(
            f"{path.parent}: cannot be written ({error.strerror})", hint="check that it may be"
        ) from error
