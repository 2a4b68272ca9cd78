"""The networks restated in NumPy and float64, step by step and tap by tap: no folding, no sharing, no torch."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from eventdet.models import Detector

Array = npt.NDArray[np.float64]
Steps = list[Array]
"""One array (B, C, H, W) a step."""


def plain_conv(x: Array, kernel: Array, bias: Array | None = None, *, stride: int = 1) -> Array:
    """Cross-correlation with zeros around, half a kernel wide: a sum over the kernel's taps."""
    side = kernel.shape[-1]
    pad = side // 2
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    height, width = -(-x.shape[2] // stride), -(-x.shape[3] // stride)
    result = np.zeros((x.shape[0], kernel.shape[0], height, width))
    for row in range(side):
        for column in range(side):
            taken = padded[:, :, row : row + stride * height : stride, column : column + stride * width : stride]
            result += np.einsum("oc,bchw->bohw", kernel[:, :, row, column], taken, optimize=True)
    return result if bias is None else result + bias[:, None, None]


def plain_pool(x: Array, stride: int) -> Array:
    result = np.full((*x.shape[:2], x.shape[2] // stride, x.shape[3] // stride), -np.inf)
    for row in range(stride):
        for column in range(stride):
            result = np.maximum(result, x[:, :, row::stride, column::stride])
    return result


def plain_neurons(steps: Steps) -> Steps:
    spikes: Steps = []
    membrane = np.zeros_like(steps[0])
    for t, current in enumerate(steps):
        membrane = current if t == 0 else 0.25 * membrane * (1 - spikes[-1]) + current
        spikes.append((membrane > 0.5).astype(np.float64))
    return spikes


def plain_silu(steps: Steps) -> Steps:
    outputs: Steps = []
    membrane = np.zeros_like(steps[0])
    for t, current in enumerate(steps):
        membrane = current if t == 0 else 0.25 * membrane * (1 - outputs[-1]) + current
        outputs.append(membrane / (1 + np.exp(-membrane)))
    return outputs


class PlainNetwork:
    """A detector's arithmetic on its weights and configuration alone."""

    def __init__(self, detector: Detector) -> None:
        self.config = detector.config
        self.weights = {name: value.double().numpy() for name, value in detector.state_dict().items()}

    def __call__(self, x: Array) -> list[Array]:
        """Return the mean logits by scale of input (T, B, C, H, W), as the network takes it."""
        steps = self._convolve("backbone.stem", list(x), 2)
        if self._is("sew") and self.config.neurons == "lif":
            steps = plain_neurons(steps)
        features = []
        for stage, count in enumerate(self.config.network.blocks):
            name = f"backbone.stages.{stage}.blocks"
            steps = self._widen(f"{name}.0", steps, 2)
            for block in range(1, count):
                steps = self._keep(f"{name}.{block}", steps)
            features.append(steps)
        reduced = self._narrow("neck.reduce", features[3])
        coarse = self._widen("neck.coarse", reduced, 1)
        scales = [self._raise("neck.lateral", "neck.fine", reduced, features[2]), coarse]
        for index in range(self.config.heads - 2):
            name = f"neck.finer.{index}"
            scales.insert(0, self._raise(f"{name}.lateral", f"{name}.fine", scales[0], features[1 - index]))
        if self.config.detection == "spiking":
            scales = [plain_neurons(scale) for scale in scales]
        outputs = []
        for index, scale in enumerate(scales):
            head = [self.weights[f"detect.convs.{index}.{part}"] for part in ("weight", "bias")]
            outputs.append(np.mean([plain_conv(step, *head) for step in scale], axis=0))
        return outputs

    def _is(self, family: str) -> bool:
        return self.config.name.startswith(family)

    def _convolve(self, name: str, steps: Steps, stride: int = 1) -> Steps:
        mean, variance, gain, bias = (
            self.weights[f"{name}.norm.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        kernel = self.weights[f"{name}.conv.weight"]
        return [
            (plain_conv(step, kernel, stride=stride) - mean) / np.sqrt(variance + 1e-5) * gain + bias for step in steps
        ]

    def _residual(self, name: str, steps: Steps, stride: int) -> Steps:
        hidden = self._convolve(f"{name}.residual.first", plain_neurons(steps), stride)
        return self._convolve(f"{name}.residual.last", plain_neurons(hidden))

    def _keep(self, name: str, steps: Steps) -> Steps:
        return self._sew(name, steps, 1) if self._is("sew") else add(self._residual(name, steps, 1), steps)

    def _narrow(self, name: str, steps: Steps, stride: int = 1) -> Steps:
        if self._is("sew"):
            return self._sew(name, steps, stride)
        if f"{name}.residual.first.conv.weight" not in self.weights:
            return plain_silu(self._convolve(f"{name}.conv", steps))
        pooled = [plain_pool(step, stride) for step in steps]
        shortcut = plain_neurons(pooled) if self.config.shortcut_lif else pooled
        return add(self._residual(name, steps, stride), self._convolve(f"{name}.shortcut", shortcut))

    def _widen(self, name: str, steps: Steps, stride: int) -> Steps:
        """A block that concatenates, where the network has one there: its shortcut adds channels to what it gets."""
        kernel = self.weights.get(f"{name}.shortcut.conv.weight")
        if kernel is None or self._is("sew") or len(kernel) == len(self.weights[f"{name}.residual.last.norm.bias"]):
            return self._narrow(name, steps, stride)
        if self.config.pool_first:
            pooled = [plain_pool(step, stride) for step in steps]
            new = self._convolve(f"{name}.shortcut", plain_neurons(pooled))
            shortcut = concatenate(new, pooled)
        else:
            new = self._convolve(f"{name}.shortcut", plain_neurons(steps))
            shortcut = [plain_pool(step, stride) for step in concatenate(new, steps)]
        return add(self._residual(name, steps, stride), shortcut)

    def _sew(self, name: str, steps: Steps, stride: int) -> Steps:
        spiking = self.config.neurons == "lif"
        neurons: Callable[[Steps], Steps] = plain_neurons if spiking else plain_silu
        outputs = neurons(self._convolve(f"{name}.last", neurons(self._convolve(f"{name}.first", steps, stride))))
        shortcut = steps
        if f"{name}.shortcut.conv.weight" in self.weights:
            shortcut = self._convolve(f"{name}.shortcut", steps, stride)
            shortcut = plain_neurons(shortcut) if spiking else shortcut
        return add(outputs, shortcut)

    def _raise(self, lateral: str, join: str, coarse: Steps, feature: Steps) -> Steps:
        raised = [step.repeat(2, axis=2).repeat(2, axis=3) for step in self._narrow(lateral, coarse)]
        return self._narrow(join, concatenate(raised, feature))


def add(a: Sequence[Array], b: Sequence[Array]) -> Steps:
    return [one + other for one, other in zip(a, b, strict=True)]


def concatenate(a: Sequence[Array], b: Sequence[Array]) -> Steps:
    return [np.concatenate(pair, axis=1) for pair in zip(a, b, strict=True)]
