"""The step in a runtime that reads ONNX: OpenVINO or ONNX Runtime.

Neither keeps anything between calls. Two sets of membranes lie in memory that the runtime reads and writes directly,
and change places from step to step, so that the state is never copied.
"""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eventdet.caching import cache_folder
from eventdet.errors import MissingExtraError, OptionError
from eventdet.geometry import SensorSize

from ._files import replace_file
from .detector import Detector, State
from .export_onnx import OPSET, StepIO, StepNetwork, onnx_model

__all__ = ["GraphEngine", "import_runtime"]

_EXTRAS = {"openvino": "openvino", "onnxruntime": "export"}


class Buffers(NamedTuple):
    """Memory that a runtime reads and writes."""

    counts: NDArray[np.uint8]
    """(B, C, H, W)."""

    logits: tuple[NDArray[np.float32], ...]
    """By scale, fine first."""

    states: tuple[tuple[NDArray[np.float32], ...], tuple[NDArray[np.float32], ...]]
    """Membranes: read from one of the two, and written to the other."""


Runner = Callable[[int], None]
"""Runs the graph from the membranes of that number (0 or 1) to the others."""


def import_runtime(name: str) -> Any:
    """Return the package of a runtime.

    Raises
    ------
    MissingExtraError
        When it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(f"runtime {name}", extra=_EXTRAS[name]) from error


class GraphEngine:
    """A detector's step in OpenVINO or ONNX Runtime; the first step fixes the shape.

    Parameters
    ----------
    detector : Detector
        Read when the first step comes.
    dtype : str
        ``float32``, or with OpenVINO ``bfloat16``.
    runtime : str
        ``openvino`` or ``onnxruntime``.
    """

    def __init__(self, detector: Detector, dtype: str, runtime: str) -> None:
        import_runtime(runtime)
        self._detector, self._dtype, self._runtime = detector, dtype, runtime
        self._buffers: Buffers | None = None
        self._run: Runner | None = None
        self._turn = 0
        self._at_rest = True

    @property
    def state(self) -> State | None:
        """The membranes, valid until the step after the next; None at rest."""
        if self._buffers is None or self._at_rest:
            return None
        return tuple(torch.from_numpy(v) for v in self._buffers.states[self._turn])

    def reset(self) -> None:
        """Bring every membrane to rest."""
        self._at_rest = True

    def step(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the logits of one step by scale, float32, new memory."""
        if self._buffers is None or self._run is None:
            self._buffers, self._run = self._build(tuple(counts.shape))
        buffers = self._buffers
        if tuple(counts.shape) != buffers.counts.shape:
            raise OptionError(
                f"counts must keep the shape {buffers.counts.shape} of the steps before, got {tuple(counts.shape)}"
            )
        if counts.dtype != torch.uint8:
            raise OptionError(f"counts must be uint8, got {counts.dtype}")
        if self._at_rest:
            for v in buffers.states[self._turn]:
                v.fill(0)
            self._at_rest = False
        np.copyto(buffers.counts, counts.numpy())
        self._run(self._turn)
        self._turn = 1 - self._turn
        return tuple(torch.from_numpy(scale.copy()) for scale in buffers.logits)

    def clip(self, counts: Tensor) -> tuple[Tensor, ...]:
        """Return the mean logits of a sequence from rest, (T, B, C, H, W), by scale; it ends at rest."""
        self.reset()
        steps = [self.step(window) for window in counts]
        self.reset()
        return tuple(torch.stack(scales).mean(0) for scales in zip(*steps, strict=True))

    def _build(self, shape: tuple[int, ...]) -> tuple[Buffers, Runner]:
        if len(shape) != 4 or 0 in shape or shape[1] != self._detector.config.channels:
            raise OptionError(f"counts must be (B, {self._detector.config.channels}, H, W), got {shape}")
        network = StepNetwork(self._detector, batch=shape[0], input_size=SensorSize(*shape[2:]))
        buffers = _buffers(network)
        runner = {"openvino": _openvino, "onnxruntime": _onnxruntime}[self._runtime]
        return buffers, runner(_cached_model(network), network.io, buffers, self._dtype)


def _buffers(network: StepNetwork) -> Buffers:
    io, config = network.io, network.detector.config
    batch, _, height, width = io.counts
    depth = len(config.anchors[0]) * (5 + config.classes)
    return Buffers(
        counts=np.zeros(io.counts, np.uint8),
        logits=tuple(np.zeros((batch, depth, height // s, width // s), np.float32) for s in config.strides),
        states=(
            tuple(np.zeros(shape, np.float32) for shape in io.state_shapes),
            tuple(np.zeros(shape, np.float32) for shape in io.state_shapes),
        ),
    )


def _cached_model(network: StepNetwork) -> bytes:
    """Return the graph; that of saved weights is kept in the cache, since to export takes seconds."""
    folder, weights = cache_folder(), network.detector.weights_hash
    if folder is None or not weights:
        return bytes(onnx_model(network).SerializeToString())
    facts = (weights, network.io, network.detector.config.to_dict(), OPSET, metadata.version("eventdet"))
    digest = hashlib.sha256(json.dumps([*facts, torch.__version__]).encode()).hexdigest()
    path = folder / "onnx" / f"{digest}.onnx"
    kept = _read_checked(path)
    if kept is not None:
        return kept
    content = bytes(onnx_model(network).SerializeToString())
    # A cache that cannot be written saves nothing, and nothing else.
    with suppress(OSError):
        replace_file(path, hashlib.sha256(content).digest() + content)
    return content


def _read_checked(path: Path) -> bytes | None:
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, model = content[: hashlib.sha256().digest_size], content[hashlib.sha256().digest_size :]
    return model if hashlib.sha256(model).digest() == digest else None


def _openvino(model: bytes, io: StepIO, buffers: Buffers, dtype: str) -> Runner:
    openvino = import_runtime("openvino")
    core = openvino.Core()
    options = {
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[dtype],
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
    }
    compiled = core.compile_model(core.read_model(model), "CPU", options)
    requests = []
    for turn in (0, 1):
        request = compiled.create_infer_request()
        inputs = (buffers.counts, *buffers.states[turn])
        outputs = (*buffers.logits, *buffers.states[1 - turn])
        for name, array in zip((*io.inputs, *io.outputs), (*inputs, *outputs), strict=True):
            request.set_tensor(name, openvino.Tensor(array, shared_memory=True))
        requests.append(request)

    def run(turn: int) -> None:
        # Without arguments: the tensors are set, and results are not copied out.
        requests[turn].start_async()
        requests[turn].wait()

    return run


def _onnxruntime(model: bytes, io: StepIO, buffers: Buffers, dtype: str) -> Runner:
    del dtype  # It has float32 alone on the CPU.
    runtime = import_runtime("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    bindings = []
    for turn in (0, 1):
        binding = session.io_binding()
        inputs: tuple[NDArray[Any], ...] = (buffers.counts, *buffers.states[turn])
        outputs: tuple[NDArray[Any], ...] = (*buffers.logits, *buffers.states[1 - turn])
        for name, array in zip(io.inputs, inputs, strict=True):
            binding.bind_input(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        for name, array in zip(io.outputs, outputs, strict=True):
            binding.bind_output(name, "cpu", 0, array.dtype.type, array.shape, array.ctypes.data)
        bindings.append(binding)

    def run(turn: int) -> None:
        session.run_with_iobinding(bindings[turn])

    return run
