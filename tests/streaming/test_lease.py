import os
import pickle
import subprocess
import sys

import pytest

from eventdet.streaming.lease import leased

from .support import small_detector

_FORKED = """
import os, signal, sys, torch, eventdet
from eventdet.errors import EventdetError

def windows():
    return len(list(detector.stream("synthetic://?seed=3&seconds=0.1")))

threads, *runs = sys.argv[1:]
torch.set_num_threads(int(threads))
detector = eventdet.Detector(dtype="float32")
if runs:
    print("parent", windows(), flush=True)
if (child := os.fork()):
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
# Without an answer it is ended.
signal.alarm(30)
try:
    print("child", windows(), flush=True)
except EventdetError as error:
    print(error.message.rpartition(" ")[0], "|", error.hint, flush=True)
os._exit(0)
"""

_REFUSED = (
    "a detector cannot run in a fork of the process that made it, got one of process | "
    'start processes with multiprocessing.get_context("spawn") and make a detector in each'
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["2", "used"], ["parent 2", _REFUSED]),
        (["2"], [_REFUSED]),
        (["1", "used"], ["parent 2", "child 2"]),
    ],
    ids=["used before", "made before", "one thread"],
)
def test_a_detector_in_a_forked_process_is_refused_where_it_would_wait_for_ever(
    arguments: list[str], lines: list[str]
) -> None:
    # Python itself warns of forks beside threads.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", _FORKED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.splitlines()) == (0, lines), done.stderr


def test_a_detector_that_was_sent_to_a_process_belongs_to_it() -> None:
    detector = small_detector()
    # As if by another process.
    detector.made_in = -1
    with leased(pickle.loads(pickle.dumps(detector))):
        pass
