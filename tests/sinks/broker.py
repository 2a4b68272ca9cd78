"""A real MQTT broker for tests."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["WAIT_S", "broker", "free_port", "mosquitto_path"]

WAIT_S = 30.0
"""No wait of a test is longer; none of them is meant to come near it."""


def mosquitto_path() -> str:
    # Debian puts it where only root looks.
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip("mosquitto is not installed: apt install mosquitto")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@contextlib.contextmanager
def broker(
    port: int, folder: Path, *, anonymous: bool = True, passwords: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run mosquitto, and wait until it takes connections."""
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous {str(anonymous).lower()}\npersistence false\nlog_type none\n"
    )
    if passwords is not None:
        # Where it runs as root it would become another user before it reads them.
        config.write_text(f"{config.read_text()}user root\npassword_file {passwords}\n")
    with subprocess.Popen([mosquitto_path(), "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + WAIT_S
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield process
        finally:
            process.kill()
