"""``eventdet doctor``: whether this machine has what eventdet needs, and the whole path works on it."""

import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import typer

from eventdet.errors import EventdetError

from ._options import Json

__all__ = ["command"]

_REQUIRED = ("numpy", "numba", "torch", "zarr", "numcodecs", "h5py", "safetensors", "opencv-python-headless")
_EXTRAS = {"video": "av", "interop": "expelliarmus"}


class Check(NamedTuple):
    """One line of the doctor's report."""

    name: str
    """What was looked at."""

    ok: bool
    """Whether it is as it should be."""

    detail: str
    """What was found, or what to do."""


def command(json: Json = False) -> int:
    """Check the environment, codecs and kernels, and run the whole path on a second of synthetic events."""
    checks = [_python(), *_versions(), _opencv(), _kernel_cache(), _torch(), *_extras(), _self_test()]
    if json:
        from json import dumps

        typer.echo(dumps([check._asdict() for check in checks], indent=2))
    else:
        for check in checks:
            typer.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name:<24} {check.detail}")
    return 0 if all(check.ok for check in checks) else 1


def _python() -> Check:
    return Check("python", True, f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _versions() -> list[Check]:
    checks = []
    for package in _REQUIRED:
        try:
            checks.append(Check(package, True, metadata.version(package)))
        except metadata.PackageNotFoundError:
            checks.append(Check(package, False, "not installed: pip install -c constraints.txt ."))
    return checks


def _opencv() -> Check:
    flavours = [
        distribution.name
        for distribution in metadata.distributions()
        if distribution.name and distribution.name.lower().startswith("opencv")
    ]
    # Two wheels unpack into the same cv2 folder: whichever came last wins, file by file.
    if len(set(flavours)) > 1:
        return Check("opencv wheels", False, f"more than one: {', '.join(sorted(flavours))}; uninstall all but one")
    return Check("opencv wheels", bool(flavours), ", ".join(flavours) or "none")


def _kernel_cache() -> Check:
    import eventdet.formats

    folder = Path(os.environ.get("NUMBA_CACHE_DIR") or Path(eventdet.formats.__file__).parent)
    if os.access(folder, os.W_OK):
        return Check("kernel cache", True, "writable: kernels compile once")
    return Check("kernel cache", False, "not writable: kernels compile in every run; set NUMBA_CACHE_DIR to a folder")


def _torch() -> Check:
    try:
        import torch
    except ImportError:
        return Check("torch device", False, "torch is not installed")
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU only"
    return Check("torch device", True, f"{device}, {torch.get_num_threads()} threads")


def _extras() -> list[Check]:
    return [
        Check(f"extra {extra}", True, "installed" if find_spec(module) else f'absent: pip install "eventdet[{extra}]"')
        for extra, module in _EXTRAS.items()
    ]


def _self_test() -> Check:
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _timed("self-test (synthetic)", lambda: _whole_path(Path(folder)))
    except EventdetError as error:
        return Check("self-test (synthetic)", False, error.message)


def _timed(name: str, job: Callable[[], str]) -> Check:
    begin = time.perf_counter()
    detail = job()
    return Check(name, True, f"{detail}, {time.perf_counter() - begin:.1f} s")


def _whole_path(folder: Path) -> str:
    from eventdet.preprocessing import ConvertOptions, convert, make_representation, open_stored_recording
    from eventdet.simulation import write_recording
    from eventdet.sources import open_source
    from eventdet.streaming import Streamer, StreamOptions

    td_path = folder / "doctor_td.dat"
    written = write_recording(td_path, seed=1, duration_us=1_000_000)
    options = ConvertOptions(representation=make_representation("histogram", bins=5))
    convert(td_path, folder / "doctor.zarr", options)
    stored = open_stored_recording(folder / "doctor.zarr")
    if stored.num_events != written.num_events:
        raise EventdetError(f"store holds {stored.num_events} of {written.num_events} events")
    windows = sum(1 for _ in Streamer.from_model("ems-res10-plain", open_source(str(td_path)), StreamOptions()))
    return f"{written.num_events:,} events, {windows} windows detected"
