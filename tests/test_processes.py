import subprocess
import sys

_INTERRUPTED_POOL = """
import os, signal, threading, time
from eventdet.processes import process_pool

def main():
    signal.signal(signal.SIGINT, lambda *_: None)
    done = threading.Event()
    def press():
        while not done.is_set():
            os.killpg(0, signal.SIGINT)
            time.sleep(0.001)
    pool = process_pool(2)
    threading.Thread(target=press).start()
    total = sum(pool.map(abs, range(-20, 0)))
    pool.shutdown()
    done.set()
    print(total)

if __name__ == "__main__":
    main()
"""


def test_ctrl_c_at_any_moment_leaves_the_processes_of_a_pool_at_work() -> None:
    command = [sys.executable, "-c", _INTERRUPTED_POOL]
    run = subprocess.run(command, capture_output=True, text=True, start_new_session=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "210\n", "")
