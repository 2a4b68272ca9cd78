"""Memory stays bounded whatever the size of the file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from eventdet.events import Events
from eventdet.formats import write_dat, write_evt3
from eventdet.geometry import GEN1

from .memory import peak_of_reading_kb
from .reference import random_events

LIMIT_KB = 300 << 10
"""What docs/recordings.md states: the process as a whole, with NumPy, Numba and the kernels."""

_MIB = 1 << 20
_EPOCH_US = 1 << 24
"""EVT3 counts so far and then begins again: the same words once more are the next 16.8 s."""


def _dat_of(path: Path, num_bytes: int) -> int:
    """Write records 0.2 us apart on average; return how many."""
    write_dat(path, Events.empty(), GEN1)
    block = np.zeros((1 << 20, 2), "<u4")
    block[:, 1] = np.arange(1 << 20) % 240 << 14 | np.arange(1 << 20) % 304
    num_blocks = num_bytes // block.nbytes
    with path.open("ab") as file:
        for number in range(num_blocks):
            block[:, 0] = (np.arange(1 << 20) + (number << 20)) // 5
            file.write(block.tobytes())
    return num_blocks << 20


def _evt3_of(path: Path, num_bytes: int) -> int:
    events = random_events(3_000_000, last_us=_EPOCH_US - 1)
    write_evt3(path, events, GEN1)
    content = path.read_bytes()
    start = content.index(b"% end\n") + len(b"% end\n")
    num_copies = num_bytes // len(content)
    with path.open("ab") as file:
        for _ in range(num_copies - 1):
            file.write(content[start:])
    return num_copies * len(events)


@pytest.mark.parametrize(
    "num_bytes", [256 * _MIB, pytest.param(2048 * _MIB, marks=pytest.mark.slow)], ids=["256MB", "2GB"]
)
@pytest.mark.parametrize(("name", "write"), [("a.dat", _dat_of), ("a.raw", _evt3_of)], ids=["dat", "evt3"])
def test_reading_a_file_of_any_size_takes_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, write: Callable[[Path, int], int], num_bytes: int
) -> None:
    monkeypatch.setenv("EVENTDET_CACHE", str(tmp_path / "cache"))
    # What compiling the kernels takes, once on a machine, is not the reader's.
    (write_dat if name == "a.dat" else write_evt3)(tmp_path / name, random_events(1000), GEN1)
    peak_of_reading_kb(tmp_path / name)
    expected = write(tmp_path / name, num_bytes)
    num_events, peak_kb = peak_of_reading_kb(tmp_path / name)
    (tmp_path / name).unlink()
    assert num_events == expected
    assert peak_kb < LIMIT_KB
