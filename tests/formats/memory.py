"""Peak memory of a process: of this one, or of one that reads a recording in every way there is (``python -m``)."""

import re
import subprocess
import sys
from pathlib import Path

from eventdet.formats import open_recording

__all__ = ["peak_of_reading_kb", "peak_of_this_process_kb"]

_ROOT = Path(__file__).resolve().parents[2]


def peak_of_this_process_kb() -> int:
    """Return the most memory that this process has had; `ru_maxrss` would begin with that of its parent."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    if match is None:
        raise OSError("/proc/self/status names no VmHWM")
    return int(match[1])


def peak_of_reading_kb(path: Path) -> tuple[int, int]:
    """Return the number of events of a recording, and the peak of a process that reads it; libraries are included."""
    command = [sys.executable, "-m", "tests.formats.memory", str(path)]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    num_events, peak_kb = map(int, done.stdout.split())
    return num_events, peak_kb


def _read(path: Path) -> int:
    """Read a recording in batches, in windows and in parts; return the number of its events."""
    recording = open_recording(path)
    num_events = sum(map(len, recording.chunks()))
    assert sum(len(window.events) for window in recording.windows(50_000)) == num_events
    for place in range(100):
        start = recording.t_first_us + recording.duration_us * (99 - place) // 100
        assert recording.slice(start, start + 20_000).is_sorted()
    last = recording.t_last_us
    assert len(recording.slice(last - 20_000, last + 1)) > 0
    assert recording.num_events == num_events
    return num_events


if __name__ == "__main__":
    sys.stdout.write(f"{_read(Path(sys.argv[1]))} {peak_of_this_process_kb()}\n")
