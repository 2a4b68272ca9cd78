"""Main module of a worker's process: the command line, ended with a signal when its supervisor dies.

A supervisor that is killed cannot stop its workers; without this they would stream on with nobody to watch them.
"""

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that the system sends when the parent dies."""


def main() -> None:
    """Run the command line with the arguments after the first, which is the process number of the supervisor."""
    supervisor = int(sys.argv.pop(1))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have died before the line above.
    if os.getppid() == supervisor:
        runpy.run_module("eventdet.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
