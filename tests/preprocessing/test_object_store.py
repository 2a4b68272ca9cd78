"""Stores at ``s3://``, against moto's server on this machine; a cloud was never asked."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from eventdet.cli.main import run
from eventdet.errors import InputError
from eventdet.preprocessing import convert, find_stored_recordings, open_stored_recording
from eventdet.preprocessing.verify import verify_store

from .stores import OPTIONS, gen1_folder

s3fs = pytest.importorskip("s3fs", reason="s3fs of the extra remote is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server], which stands for a cloud, is not installed")

# What a connection of s3fs leaves open when it is dropped before its loop ends, aiohttp complains of.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

URL = "s3://recordings/out.zarr"


@pytest.fixture(autouse=True)
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty bucket of a server of its own; gives its address."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "anyone",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    # Connections are kept by arguments, of which the address in the environment is none.
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("recordings")
    yield address
    # What a server holds outlives it in its process.
    s3fs.S3FileSystem().rm("recordings", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()
    server.stop()


def test_store_in_a_bucket_is_written_resumed_read_and_verified(tmp_path: Path) -> None:
    source = gen1_folder(tmp_path / "gen1")
    convert(source, tmp_path / "here.zarr", OPTIONS)
    assert convert(source, URL, OPTIONS).num_converted == 3
    assert convert(source, URL, OPTIONS).num_up_to_date == 3
    assert len(find_stored_recordings(URL)) == 3
    assert verify_store(URL, deep=True).findings == ()
    there, here = (open_stored_recording(f"{store}/val/a_td.zarr") for store in (URL, tmp_path / "here.zarr"))
    np.testing.assert_array_equal(there.events(300, 4000).to_structured(), here.events(300, 4000).to_structured())
    np.testing.assert_array_equal(there.frames()[1], here.frames()[1])
    np.testing.assert_array_equal(there.labels().xyxy, here.labels().xyxy)


def test_changed_byte_in_a_bucket_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    convert(gen1_folder(tmp_path / "gen1"), URL, OPTIONS)
    files, name = s3fs.S3FileSystem(), "recordings/out.zarr/train/a_td.zarr/events/word/c/0"
    content = bytearray(files.cat_file(name))
    content[100] ^= 4
    files.pipe_file(name, bytes(content))
    assert run(["verify", URL, "--deep"]) == 3
    assert "train/a_td.zarr/events/word/c/0: content differs" in capsys.readouterr().out


def test_bucket_that_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = gen1_folder(tmp_path / "gen1")
    assert run(["convert", str(source), "-o", "s3://nowhere/out.zarr", "--window", "2ms", "-q"]) != 0
    assert run(["info", "s3://nowhere/out.zarr"]) == 3
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("lack", ["service", "credentials"])
def test_service_that_does_not_answer_is_one_line(lack: str, service: str) -> None:
    environment = {**os.environ, "AWS_MAX_ATTEMPTS": "1"}
    if lack == "service":
        environment["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    else:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            del environment[name]
        # Nor from the machine's own service for them.
        environment |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "HOME": os.devnull}
    code = f"import sys; from eventdet.cli.main import run; sys.exit(run(['info', {URL!r}]))"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (InputError.exit_code, False), done.stderr
    assert "cannot be reached" in done.stderr
