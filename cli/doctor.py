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

from eventdet.errors import EventdetError, install_hint

from ._options import Json

__all__ = ["command"]

_REQUIRED = ("numpy", "numba", "torch", "zarr", "numcodecs", "h5py", "safetensors", "opencv-python-headless")
_EXTRAS = {
    "aedat": ("lz4", "zstandard"),
    "camera": ("neuromorphic_drivers",),
    "hdf5": ("hdf5plugin",),
    "interop": ("expelliarmus", "tonic"),
    "ros": ("rosbags",),
    "video": ("av",),
    "zmq": ("zmq",),
}
"""Optional packages by extra; absence is no fault."""


class Check(NamedTuple):
    """One line of the doctor's report."""

    name: str
    """What was looked at."""

    ok: bool
    """Whether it is as it should be."""

    detail: str
    """What was found, or what to do."""


def command(json: Json = False) -> int:
    """Check the environment, the codecs and the whole path, on a moment of synthetic events."""
    checks = [
        _python(),
        *_versions(),
        _opencv(),
        _kernel_cache(),
        _torch(),
        *_detector_forms(),
        *_extras(),
        _tried("store codecs", _store_codecs),
        _tried("picture codecs", _video_codecs),
        _tried("detector (synthetic)", _detection),
    ]
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


def _detector_forms() -> list[Check]:
    """Return what the detector's neurons and steps run in here, and why."""
    try:
        import torch

        from eventdet.models.lif_backends import choose_lif_backend
        from eventdet.models.runtimes import RUNTIMES, faster_dtype, installed
    except ImportError:
        return []
    devices = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
    forms = [(device, choose_lif_backend(device, torch.float32)) for device in devices]
    neurons = ", ".join(f"{device}: {form.name} ({form.reason})" for device, form in forms)
    runtimes = ", ".join(name for name in RUNTIMES if name != "auto" and installed(name))
    return [
        Check("neurons", True, neurons if len(forms) > 1 else f"{neurons}; no CUDA device"),
        Check("runtimes", True, f"{runtimes}; dtype auto is {faster_dtype()}: what the CPU multiplies in hardware"),
    ]


def _extras() -> list[Check]:
    checks = []
    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        detail = f"{', '.join(missing)} absent; {install_hint(extra)}" if missing else "installed"
        checks.append(Check(f"extra {extra}", True, detail))
    return checks


def _tried(name: str, job: Callable[[Path], str]) -> Check:
    """Return whether a job ends well in a folder of its own; whatever it raises is the finding."""
    begin = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="eventdet-doctor-") as folder:
            detail = job(Path(folder))
    except Exception as error:  # the doctor reports what is wrong with a machine, also what nobody foresaw
        return Check(name, False, f"{type(error).__name__}: {error}".splitlines()[0])
    return Check(name, True, f"{detail}, {time.perf_counter() - begin:.1f} s")


def _store_codecs(folder: Path) -> str:
    from eventdet.formats import read_dat
    from eventdet.preprocessing import ConvertOptions, convert, open_stored_recording

    options = ConvertOptions(window_us=50_000)
    convert(_recording(folder), folder / "doctor.zarr", options)
    stored = open_stored_recording(folder / "doctor.zarr")
    events, _ = read_dat(folder / "doctor_td.dat")
    if not all((ours == theirs).all() for ours, theirs in zip(stored.events(), events, strict=True)):
        raise EventdetError("the store gives other events than the recording")
    return f"{len(events):,} events and {len(stored.frames())} tensors compressed, read back, equal"


def _video_codecs(folder: Path) -> str:
    from eventdet.formats import open_recording
    from eventdet.sinks import visualize

    recording = open_recording(_recording(folder))
    mp4 = visualize(recording, str(folder / "doctor.mp4"))
    visualize(recording, str(folder / "doctor-%03d.png"))
    return f"{mp4.num_frames} pictures as MP4 and PNG" + (f" ({mp4.note})" if mp4.note else "")


def _detection(folder: Path) -> str:
    from eventdet.sources import open_source
    from eventdet.streaming import Streamer, StreamOptions

    streamer = Streamer.from_model("ems-res10-plain", open_source(str(_recording(folder))), StreamOptions())
    return f"{sum(1 for _ in streamer)} windows detected"


def _recording(folder: Path) -> Path:
    """Return a short synthetic recording."""
    from eventdet.simulation import SimulationConfig, write_recording

    return write_recording(folder / "doctor_td.dat", SimulationConfig(seed=1, duration_us=300_000)).td_path
