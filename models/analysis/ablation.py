"""The comparisons of Su et al. (2023, supplement C) as runs on any data: what is varied, and what is told of each.

Every variant of a comparison is trained by the same recipe, seed and number of steps, and differs in what its name
says. Each has a folder of its own, in which a run that was stopped goes on; one that is done is not run again.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from eventdet.errors import InputError, OptionError, check_option
from eventdet.models._files import replace_file
from eventdet.models.coco_scores import picture_frames
from eventdet.models.config import NETWORKS
from eventdet.models.training import FitResult, Recipe, StepReport, fit
from eventdet.models.training.data import find_split, open_held_out
from eventdet.models.training.pictures import open_pictures
from eventdet.models.training.validation import evenly_spaced
from eventdet.models.zoo import detector_metadata, load_detector
from eventdet.preprocessing.dataset.coco import CocoImages

from .profile import profile_detector

__all__ = [
    "ABLATIONS",
    "HEADER",
    "Ablation",
    "AblationRow",
    "Variant",
    "learnt_from",
    "run_ablation",
    "table_of",
    "variants",
]


@dataclass(frozen=True, slots=True)
class Ablation:
    """A comparison."""

    question: str
    """What is varied."""

    network: str
    """Network of the paper, the base of the variants."""

    num_steps: int
    """Steps of the network in the paper."""


ABLATIONS = {
    "blocks": Ablation("kind of residual block (Table 2)", "ems-res18", 3),
    "depth": Ablation("number of residual blocks (Table 3)", "ems-res18", 1),
    "detection-layer": Ablation("what the detection layer reads (Table 4)", "ems-res18", 5),
    "heads": Ablation("number of output scales (Table 5)", "ems-res18", 5),
    "steps": Ablation("number of steps", "ems-res10", 5),
}
"""Comparisons by name, with the network and the steps that the paper has for them."""

HEADER = ("variant", "T", "parameters", "mAP50", "mAP50:95", "firing rate", "mJ a clip", "stem-once", "as-run")
"""Columns of a comparison: scores in percent; the last two are ratios to the same network with real activations."""

_STEPS = (1, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class Variant:
    """One run of a comparison."""

    name: str
    """Its folder, and its line in the table."""

    changes: Mapping[str, Mapping[str, Any]]
    """What differs in the recipe, by section."""


@dataclass(frozen=True, slots=True)
class AblationRow:
    """What came of a variant."""

    variant: str
    """Its name."""

    network: str
    """Its network."""

    num_steps: int
    """Steps of the network."""

    parameters: int
    """How many it has."""

    train_steps: int
    """Steps of the optimiser."""

    map50: float
    """Of the best averaged weights on the validation data."""

    map50_95: float
    """The same over overlaps."""

    firing_rate: float
    """Mean over layers, on validation clips."""

    firing_rate_weighted: float
    """Of all neurons together."""

    energy_mj: float
    """Of a clip, by the accounting ``as-run``."""

    efficiency: dict[str, float]
    """How many times less than the same network with real activations, by accounting."""


def variants(ablation: str, network: str = "") -> list[Variant]:
    """Return the runs of a comparison.

    Parameters
    ----------
    ablation : str
        A key of `ABLATIONS`.
    network : str
        Base of the variants; empty: the paper's. Of ``blocks`` its size counts, of ``depth`` its family.

    Raises
    ------
    OptionError
        When comparison or network is unknown, or the network has no such variants.

    Examples
    --------
    >>> [variant.name for variant in variants("blocks", "ems-nano")]
    ['sew-nano', 'ms-nano', 'ems-nano']
    """
    check_option("ablation", ablation, ABLATIONS)
    base = check_option("network", network or ABLATIONS[ablation].network, NETWORKS)
    family, _, size = base.partition("-")
    if ablation in ("blocks", "depth"):
        blocks = [f"{each}-{size}" for each in ("sew", "ms", "ems")]
        names = blocks if ablation == "blocks" else [f"{family}-{each}" for each in ("res10", "res18", "res34")]
        return [_of_model(name, name=_known(name, base)) for name in names]
    if ablation == "heads":
        return [_of_model(f"{count}-heads", name=base, heads=count) for count in (2, 4)]
    if ablation == "detection-layer":
        return [_of_model(each, name=base, detection=each) for each in ("non-spiking", "spiking")]
    return [Variant(f"{count}-steps", {"model": {"name": base}, "data": {"num_steps": count}}) for count in _STEPS]


def run_ablation(
    ablation: str,
    source: str | Path,
    recipe: Recipe,
    folder: str | Path,
    *,
    network: str = "",
    samples: int = 8,
    watch: Callable[[str, StepReport], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> tuple[list[AblationRow], str]:
    """Train and measure every variant of a comparison; one that is done in `folder` is only read.

    Parameters
    ----------
    ablation : str
        A key of `ABLATIONS`.
    source : str or Path
        Labelled data with a validation part, as :func:`eventdet.models.training.fit` takes them; COCO folders too.
    recipe : Recipe
        The same for all but for what is varied. Its time budget is that of all runs together.
    folder : str or Path
        For a folder a variant.
    network : str
        As in :func:`variants`.
    samples : int
        Validation clips on which spikes and energy are measured.
    watch : callable, optional
        Called with the name of the variant after each of its steps.
    should_stop : callable, optional
        Asked before each step.

    Returns
    -------
    rows : list of AblationRow
        Of the variants that are done.
    ended_by : str
        ``done``, or why a run ended before: ``time budget`` or ``request``.

    Raises
    ------
    InputError
        When there are no validation data; and what :func:`~eventdet.models.training.fit` raises.
    """
    _held_out(source, recipe)
    deadline = time.monotonic() + recipe.training.time_budget_s
    rows: list[AblationRow] = []
    for variant in variants(ablation, network):
        own = recipe.changed(variant.changes)
        target = Path(folder) / variant.name
        about = {"source": str(Path(source).resolve()), "samples": samples, "recipe": own.fixed()}
        row = _read_row(target, about)
        if row is None:
            left_s = max(0.0, deadline - time.monotonic()) if math.isfinite(deadline) else math.inf
            timed = replace(own, training=replace(own.training, time_budget_s=left_s))
            result = fit(source, timed, target, watch=_named(watch, variant.name), should_stop=should_stop)
            if result.ended_by in ("time budget", "request"):
                return rows, result.ended_by
            row = _measured(variant, own, result, _validation_clips(source, own, result, samples))
            replace_file(target / "result.json", (json.dumps(about | {"row": asdict(row)}, indent=2) + "\n").encode())
        rows.append(row)
    return rows, "done"


def _of_model(variant: str, **model: Any) -> Variant:
    return Variant(variant, {"model": model})


def _known(name: str, base: str) -> str:
    if name not in NETWORKS:
        raise OptionError(f"network must have variants such as ems-res18 has, got {base!r}", hint="use ems-res18")
    return name


def _named(watch: Callable[[str, StepReport], None] | None, name: str) -> Callable[[StepReport], None] | None:
    return None if watch is None else lambda report: watch(name, report)


def _read_row(target: Path, about: Mapping[str, Any]) -> AblationRow | None:
    """Return the row of a run that is done by the same recipe on the same data, else None."""
    try:
        record = json.loads((target / "result.json").read_text(encoding="utf-8"))
        row = AblationRow(**record.pop("row"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return row if record == json.loads(json.dumps(about)) else None


def _measured(variant: Variant, recipe: Recipe, result: FitResult, clips: Tensor) -> AblationRow:
    if result.best is None:
        raise InputError(
            f"{result.weights.parent}: a run without a score, from when there were no validation data",
            hint="remove the folder to train it anew",
        )
    detector = load_detector(result.weights)
    profile = profile_detector(detector, clips)
    return AblationRow(
        variant=variant.name,
        network=detector.config.name,
        num_steps=recipe.data.num_steps,
        parameters=sum(each.numel() for each in detector.parameters()),
        train_steps=result.step,
        map50=result.best.map50,
        map50_95=result.best.map50_95,
        firing_rate=profile.firing_rate,
        firing_rate_weighted=profile.weighted_firing_rate,
        energy_mj=profile.energy_pj["as-run"] * 1e-9,
        efficiency=profile.efficiency,
    )


def _held_out(source: str | Path, recipe: Recipe) -> Path | CocoImages:
    """Return the validation data: where the recordings are, or the pictures."""
    is_coco = recipe.data.format == "coco"
    found = open_pictures(source, recipe.data.val)[1] if is_coco else find_split(source, recipe.data.val).val
    if found is None:
        raise InputError(
            f"{source}: an ablation needs validation data", hint="have val beside train, or --set data.val=FOLDER"
        )
    return found


def _validation_clips(source: str | Path, recipe: Recipe, result: FitResult, samples: int) -> Tensor:
    """Return clips of the validation data, evenly spaced, shape (T, B, C, H, W); pictures as often as in training."""
    held_out, config = _held_out(source, recipe), result.detector.config
    if isinstance(held_out, CocoImages):
        chosen = evenly_spaced(range(len(held_out)), samples)
        return picture_frames(held_out, chosen, config.input_size, num_steps=recipe.data.num_steps)
    clips = open_held_out(held_out, config, recipe)
    return clips.batch(evenly_spaced(clips.clips, samples)).dense()


def learnt_from(folder: str | Path, rows: Sequence[AblationRow]) -> str:
    """Return ``synthetic`` or ``real`` as the weights of the runs say what they learnt from; empty when they do not."""
    known = {detector_metadata(Path(folder) / row.variant / "best.safetensors").get("synthetic") for row in rows}
    return "synthetic" if known == {True} else "real" if known == {False} else ""


def table_of(rows: Sequence[AblationRow]) -> list[tuple[str, ...]]:
    """Return the rows as text, for a table whose header is `HEADER`."""
    return [
        (
            row.variant,
            str(row.num_steps),
            f"{row.parameters / 1e6:.3f} M",
            f"{100 * row.map50:.1f}",
            f"{100 * row.map50_95:.1f}",
            f"{100 * row.firing_rate:.2f} %",
            f"{row.energy_mj:.3g}",
            f"{row.efficiency['stem-once']:.2f}x",
            f"{row.efficiency['as-run']:.2f}x",
        )
        for row in rows
    ]
