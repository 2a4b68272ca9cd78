"""Where a step runs: torch, OpenVINO or ONNX Runtime, by name or by a short trial."""

import hashlib
import json
import platform
import statistics
import time
from contextlib import suppress
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from eventdet.caching import cache_folder
from eventdet.errors import OptionError, check_option

from ._files import replace_file
from ._packed_conv import can_convolve_int8
from .detector import Detector, State

__all__ = [
    "DTYPES",
    "NAMED",
    "RUNTIMES",
    "Engine",
    "RuntimeChoice",
    "choose_on_device",
    "choose_runtime",
    "faster_dtype",
    "installed",
    "make_engine",
]

DTYPES = ("auto", "float32", "bfloat16", "int8")
"""``auto`` is bfloat16 on a CPU that has it in hardware, else float32; always float32 in ONNX Runtime. ``int8`` rounds
the kernels that read spikes to 8 bits, which the spikes themselves need not; the rest is bfloat16. In torch alone."""

RUNTIMES = ("torch", "openvino", "onnxruntime", "auto")
"""``auto`` is the fastest in a trial on this machine. It is not the default: runtimes round differently, so that a
choice by the clock may give other bits from one run to the next."""

NAMED = "named"
"""Reason of a choice that the caller made."""

_WARM_UP_STEPS = 3
_TRIAL_STEPS = 15


class Engine(Protocol):
    """A detector's step with its state inside."""

    @property
    def state(self) -> State | None:
        """Membranes, None at rest."""

    def reset(self) -> None:
        """Bring every membrane to rest."""

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, in new memory."""

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the mean logits of a sequence from rest, (T, B, C, H, W), by scale."""


class RuntimeChoice(NamedTuple):
    """What runs a step, and why."""

    runtime: str
    """``torch``, ``openvino`` or ``onnxruntime``."""

    dtype: str
    """``float32``, ``bfloat16`` or ``int8``."""

    reason: str
    """For people: named, or the times of the trial."""


def choose_runtime(detector: Detector, *, runtime: str = "torch", dtype: str = "auto") -> RuntimeChoice:
    """Return the runtime and dtype for a detector on this machine.

    Parameters
    ----------
    detector : Detector
        Not changed.
    runtime : str
        One of `RUNTIMES`.
    dtype : str
        One of `DTYPES`.

    Returns
    -------
    RuntimeChoice
        With ``auto``, the runtime whose steps take the least median time; the trial is kept in the cache folder, by
        machine, threads, network and versions.

    Raises
    ------
    OptionError
        When a name is unknown, or the runtime has no such dtype.
    """
    check_option("runtime", runtime, RUNTIMES)
    check_option("dtype", dtype, DTYPES)
    if dtype == "int8":
        return _int8(runtime)
    if runtime == "auto":
        return _fastest(detector, dtype)
    if runtime == "onnxruntime" and dtype == "bfloat16":
        raise OptionError("dtype must be float32 with onnxruntime, got bfloat16", hint="openvino has bfloat16")
    return RuntimeChoice(runtime, _dtype_in(runtime, dtype), NAMED)


def choose_on_device(device: str, *, runtime: str = "torch", dtype: str = "auto") -> RuntimeChoice:
    """Return the dtype for steps on a device other than the CPU, which torch alone has.

    Raises
    ------
    OptionError
        When a name is unknown, torch has no such device here, or the device no such dtype.
    """
    check_option("runtime on a device", runtime, ("torch", "auto"))
    check_option("dtype on a device", dtype, DTYPES[:3])
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise OptionError(f"device {device!r} is not there: {reason}", hint="use the device cpu") from error
    is_cuda = torch.device(device).type == "cuda"
    faster = "bfloat16" if is_cuda and torch.cuda.is_bf16_supported() else "float32"
    return RuntimeChoice("torch", faster if dtype == "auto" else dtype, NAMED)


def make_engine(detector: Detector, choice: RuntimeChoice, *, device: str = "cpu") -> Engine:
    """Return the step of a detector as chosen.

    Raises
    ------
    MissingExtraError
        When the runtime is not installed.
    """
    if device != "cpu":
        from ._static_engine import StaticEngine

        return StaticEngine(detector, choice.dtype, device)
    if choice.runtime == "torch":
        from ._torch_engine import TorchEngine

        return TorchEngine(detector, choice.dtype)
    from ._graph_engines import GraphEngine

    return GraphEngine(detector, choice.dtype, choice.runtime)


def faster_dtype() -> str:
    """Return ``bfloat16`` where the CPU multiplies it in hardware, else ``float32``.

    Decided by what the CPU is, not by a trial: a trial on a loaded machine may go either way, and the two do not give
    the same bits.
    """
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bfloat16" if capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") else "float32"


def _int8(runtime: str) -> RuntimeChoice:
    if runtime not in ("torch", "auto"):
        raise OptionError(f"dtype int8 needs runtime torch, got {runtime}")
    if not can_convolve_int8():
        raise OptionError("dtype int8 needs a CPU with VNNI and a torch with oneDNN", hint="use --dtype auto")
    return RuntimeChoice("torch", "int8", NAMED)


def _dtype_in(runtime: str, dtype: str) -> str:
    if dtype != "auto":
        return dtype
    return "float32" if runtime == "onnxruntime" else faster_dtype()


def _fastest(detector: Detector, dtype: str) -> RuntimeChoice:
    candidates = [
        RuntimeChoice(runtime, _dtype_in(runtime, dtype), "trial")
        for runtime in RUNTIMES[:-1]
        if installed(runtime) and not (runtime == "onnxruntime" and dtype == "bfloat16")
    ]
    path = _trial_path(detector, candidates)
    times = _read_trial(path, candidates)
    told = "kept trial"
    if times is None:
        times, told = [_step_ms(detector, candidate) for candidate in candidates], "trial"
        _keep_trial(path, times)
    best = candidates[min(range(len(times)), key=times.__getitem__)]
    rates = ", ".join(f"{one.runtime} {one.dtype} {ms:.1f} ms" for one, ms in zip(candidates, times, strict=True))
    return best._replace(reason=f"{told}: {rates}")


def installed(runtime: str) -> bool:
    """Return whether a runtime, and what it takes to make its graph, is on this machine."""
    return runtime == "torch" or (find_spec(runtime) is not None and find_spec("onnxscript") is not None)


def _step_ms(detector: Detector, candidate: RuntimeChoice) -> float:
    """Return the median wall time of a step, milliseconds: what a stream waits for."""
    engine = make_engine(detector, candidate)
    shape = (1, detector.config.channels, *detector.config.input_size)
    counts = torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    taken = []
    with torch.inference_mode():
        for _ in range(_WARM_UP_STEPS + _TRIAL_STEPS):
            begin = time.perf_counter()
            engine.step(counts)
            taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken[_WARM_UP_STEPS:])


def _trial_path(detector: Detector, candidates: list[RuntimeChoice]) -> Path | None:
    folder = cache_folder()
    if folder is None:
        return None
    packages = {candidate.runtime for candidate in candidates} | {"eventdet"}
    facts = (
        platform.node(), platform.processor(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads(),
        detector.config.to_dict(), candidates, {package: metadata.version(package) for package in sorted(packages)},
    )  # fmt: skip
    return folder / "runtimes" / f"{hashlib.sha256(json.dumps(facts).encode()).hexdigest()}.json"


def _read_trial(path: Path | None, candidates: list[RuntimeChoice]) -> list[float] | None:
    try:
        kept = None if path is None else json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    good = isinstance(kept, list) and len(kept) == len(candidates) and all(type(ms) is float and ms > 0 for ms in kept)
    return kept if good else None


def _keep_trial(path: Path | None, times: list[float]) -> None:
    # Where nothing can be kept, the next run tries again.
    with suppress(OSError):
        if path is not None:
            replace_file(path, json.dumps(times).encode())
