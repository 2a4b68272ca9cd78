"""Mutated files: whatever the bytes, a reader gives events and a report, or one EventdetError, in bounded memory."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eventdet.errors import EventdetError
from eventdet.events import Events
from eventdet.formats import ReadPolicy, open_recording, write_hdf5, write_npz
from eventdet.geometry import GEN1, SensorSize

from .dirty_binary import CASES
from .memory import peak_of_this_process_kb
from .reference import random_events
from .reference_ros import write_events

_WARM_UP = 500
"""Inputs after which every kernel is compiled; what the compiler takes is not the readers'."""

_PEAK_KB = 64 << 10
"""Far above what the small files of the corpus need, far below what a believed length in a header could ask for."""

CONTAINERS: dict[str, Callable[[Path, Events, SensorSize], None]] = {
    "a.npz": write_npz,
    "a.h5": write_hdf5,
    "a.bag": write_events,
    "a.mcap": write_events,
    "a.db3": write_events,
}
"""Written when the test runs: their bytes are not for writing out by hand."""

_POLICIES = [ReadPolicy(faults, duplicates) for faults in ("repair", "strict") for duplicates in ("ignore", "drop")]


def mutants(content: bytes, generator: random.Random) -> Iterator[bytes]:
    """Yield changed copies without end: bits flipped, bytes replaced, cut, doubled, moved, and numbers made extreme."""
    while True:
        data = bytearray(content)
        for _ in range(generator.randint(1, 4)):
            at = generator.randrange(len(data) + 1)
            size = generator.choice((1, 2, 4, 8, 16))
            match generator.randrange(6):
                case 0 if at < len(data):
                    data[at] ^= 1 << generator.randrange(8)
                case 1:
                    data[at : at + size] = generator.randbytes(size)
                case 2:
                    del data[at : at + size * generator.choice((1, 1, 50))]
                case 3:
                    data[at:at] = data[at : at + size]
                case 4:
                    data[at : at + size] = generator.choice((b"\x00", b"\xff", b"\x7f", b"9", b"-", b"% ")) * size
                case _:
                    data = data[at:] + data[:at] if generator.random() < 0.05 else data
        yield bytes(data)


def read(path: Path, policy: ReadPolicy) -> None:
    try:
        recording = open_recording(path, sensor_size=GEN1, policy=policy)
        clock = 0
        num_events = 0
        for batch in recording.chunks():
            assert batch.t[0] >= clock
            assert batch.is_sorted()
            assert batch.x.max() < recording.sensor_size.width
            assert batch.y.max() < recording.sensor_size.height
            assert batch.p.max() <= 1
            clock = int(batch.t[-1])
            num_events += len(batch)
        assert recording.report.num_events == num_events
        recording.triggers()
    except EventdetError as error:
        message = str(error)
        assert "\n" not in message


def fuzz(folder: Path, *, num_inputs: int) -> None:
    generator = random.Random(20_26)
    sources = [(case, mutants(case.content, generator)) for case in CASES if case.content]
    peak_kb = 0
    for number in range(num_inputs):
        case, contents = sources[number % len(sources)]
        path = folder / f"mutant{case.suffix}"
        path.write_bytes(next(contents))
        read(path, _POLICIES[number // len(sources) % len(_POLICIES)])
        if number == _WARM_UP:
            peak_kb = peak_of_this_process_kb()
    assert peak_of_this_process_kb() - peak_kb < _PEAK_KB


def test_five_thousand_mutants_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, num_inputs=5_000)


@pytest.mark.parametrize("name", CONTAINERS)
def test_mutants_of_a_container_are_read_or_refused(tmp_path: Path, name: str) -> None:
    CONTAINERS[name](tmp_path / name, random_events(40), GEN1)
    contents = mutants((tmp_path / name).read_bytes(), random.Random(11))
    for number in range(200):
        (tmp_path / name).write_bytes(next(contents))
        read(tmp_path / name, _POLICIES[number % len(_POLICIES)])


@pytest.mark.slow
def test_a_hundred_thousand_mutants_are_read_or_refused(tmp_path: Path) -> None:
    fuzz(tmp_path, num_inputs=100_000)
