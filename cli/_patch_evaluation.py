"""``eventdet evaluate --format patches``: how well a detector tells patches of cars from patches of background."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ._progress import progress_bar
from ._report import check_targets, format_table, write_json

if TYPE_CHECKING:
    from eventdet.evaluation import PatchSummary
    from eventdet.formats import Recording
    from eventdet.geometry import SensorSize
    from eventdet.models import StreamingDetector
    from eventdet.streaming import StreamOptions

__all__ = ["PatchOptions", "ScoredPatches", "evaluate_patches", "score_patches"]

_CAR = "car"
_LONGEST_US = 10_000_000
"""A patch lasts 0.1 s and is held in memory: a whole drive among patches is a mistake."""

_NOTE = "N-CARS itself was not at hand: this command was tried on patches of simulated drives alone"


@dataclass(frozen=True, slots=True)
class ScoredPatches:
    """Scores with where they come from."""

    summary: "PatchSummary"
    """Of every patch that could be read."""

    weights_hash: str
    """SHA-256 of the weights."""

    hardware: str
    """Machine and arithmetic."""

    synthetic: tuple[bool, ...]
    """Whether patches are simulated: both where they are mixed."""

    skipped: tuple[str, ...]
    """What was left out, and why."""

    notes: tuple[str, ...]
    """What else to know."""


class PatchOptions(NamedTuple):
    """How a detector is asked."""

    detection: "StreamOptions"
    """Lowest score, suppression, most detections."""
    size: "SensorSize"
    """Of the sensor in whose middle a patch stands, and of files that do not tell theirs."""
    noise_hz: float = 0.0
    """Noise events a pixel and second around the patch."""
    found_score: float = 0.25
    """Lowest score at which a patch counts as found."""


def evaluate_patches(
    folder: str, weights: str, options: PatchOptions, *, dtype: str, runtime: str, json: Path | None, quiet: bool
) -> tuple[str, bool]:
    """Return the table of scores of a detector over a folder of patches, and whether every file counts in it.

    Raises
    ------
    InputError
        When folder or weights cannot be read.
    OptionError
        When the detector has no class ``car``.
    OutputError
        When the JSON cannot be written.
    """
    from eventdet.models import StreamingDetector, load_detector

    check_targets(json, None)
    detector = StreamingDetector(load_detector(weights), dtype=dtype, runtime=runtime)
    scored = score_patches(folder, detector, options, quiet=quiet)
    if json is not None:
        _write_report(json, folder, weights, scored, options)
    return _format(folder, scored, options), not scored.skipped


def score_patches(folder: str, detector: "StreamingDetector", options: PatchOptions, *, quiet: bool) -> ScoredPatches:
    """Return what a detector says of each patch below a folder, from rest, in the middle of a sensor.

    Parameters
    ----------
    folder : str
        With ``cars`` and ``background``, itself or in the folders in it.
    detector : StreamingDetector
        One for all patches; its state is reset before each.
    options : PatchOptions
        How it is asked.
    quiet : bool
        Show no progress.

    Raises
    ------
    InputError
        When one of the kinds has no patch that can be read.
    OptionError
        When the detector has no class ``car``.
    """
    from eventdet.errors import InputError
    from eventdet.evaluation import PATCH_KINDS, PatchScore, PatchSummary, find_patches

    class_id = _class_of_cars(detector)
    files = [(kind, path) for kind, paths in find_patches(folder).items() for path in paths]
    scores, skipped, repairs, synthetic = list[PatchScore](), list[tuple[str, str]](), Counter[str](), set[bool]()
    hardware = ""
    with progress_bar("evaluate", len(files), unit="patches", quiet=quiet) as advance:
        for done, (kind, path) in enumerate(files, start=1):
            try:
                patch = _read_patch(path, options, seed=done)
            except InputError as error:
                skipped.append((kind, error.message))
            else:
                found, hardware = _best_scores(patch, detector, options, class_id=class_id)
                scores.append(PatchScore(path.relative_to(folder).as_posix(), kind, *found))
                synthetic.add(patch.recording.synthetic)
                repairs.update(patch.repairs)
            advance(done)
    for kind in PATCH_KINDS:
        if not any(each.kind == kind for each in scores):
            reason = next(reason for other, reason in skipped if other == kind)
            raise InputError(f"{folder}: no patch of {kind} can be read", hint=reason)
    notes = [f"repaired: {what} {count:,}" for what, count in sorted(repairs.items())]
    return ScoredPatches(
        PatchSummary(tuple(scores)), detector.weights_hash, hardware, tuple(sorted(synthetic)),
        tuple(reason for _, reason in skipped),
        (*notes, _NOTE),
    )  # fmt: skip


def _class_of_cars(detector: "StreamingDetector") -> int:
    from eventdet.errors import OptionError

    names = detector.config.class_names
    if _CAR not in names:
        raise OptionError(f"the detector must have a class {_CAR!r}, got {', '.join(names[:6])}")
    return names.index(_CAR)


class _Patch(NamedTuple):
    """A file of a patch, moved to the middle of a sensor."""

    recording: "Recording"
    place: tuple[int, int, int, int]
    """Where its events lie: left, top, right, bottom."""
    repairs: Mapping[str, int]


def _read_patch(path: Path, options: PatchOptions, *, seed: int) -> _Patch:
    from eventdet.errors import FormatError, InputError
    from eventdet.evaluation import centre_events, with_noise
    from eventdet.events import Events
    from eventdet.formats import open_recording, recording_of_batches

    size = options.size
    file = open_recording(path, sensor_size=size)
    batches = list[Events]()
    for batch in file.chunks():
        batches.append(batch)
        length_us = int(batch.t[-1] - batches[0].t[0])
        if length_us > _LONGEST_US:
            raise FormatError(f"{path}: a patch lasts at most {_LONGEST_US / 1e6:g} s, got {length_us / 1e6:.1f} s")
    try:
        events, place = centre_events(Events.concatenate(batches), size)
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from error
    if options.noise_hz:
        events = with_noise(events, place, size, rate_hz=options.noise_hz, seed=seed)
    fields = {"synthetic": "yes"} if file.synthetic else {}
    recording = recording_of_batches(path, lambda: [events], size, format=file.format, fields=fields)
    return _Patch(recording, place, file.report.repairs)


def _best_scores(
    patch: _Patch, detector: "StreamingDetector", options: PatchOptions, *, class_id: int
) -> tuple[tuple[float, float], str]:
    """Return the best scores of a car there over all windows, of any and of one framing it, and what computed it."""
    from eventdet.evaluation import best_scores_at
    from eventdet.streaming import Streamer

    # Its first window sets the membranes to rest.
    streamer = Streamer(patch.recording, detector, options.detection)
    windows = [best_scores_at(result.boxes, patch.place, class_id=class_id) for result in streamer]
    met, framed = zip((0.0, 0.0), *windows, strict=True)
    return (max(met), max(framed)), streamer.header.hardware


def _write_report(path: Path, folder: str, weights: str, scored: ScoredPatches, options: PatchOptions) -> None:
    """Write every score, and where it comes from, as JSON."""
    from importlib.metadata import version

    record = {
        "folder": folder,
        "synthetic": [str(each) for each in scored.synthetic],
        "weights": weights,
        "weights_sha256": scored.weights_hash,
        "hardware": scored.hardware,
        "versions": {name: version(name) for name in ("eventdet", "numpy", "torch")},
        "skipped": list(scored.skipped),
        "notes": list(scored.notes),
        "canvas_noise_hz": options.noise_hz,
    }
    write_json(path, record | scored.summary.to_dict(options.found_score))


def _format(folder: str, scored: ScoredPatches, options: PatchOptions) -> str:
    """Return the table of both kinds, the area, and what was left out."""
    import numpy as np

    from eventdet.evaluation import FRAMED_IOU, PATCH_KINDS

    summary = scored.summary
    data = ", ".join("synthetic" if each else "real" for each in scored.synthetic)
    rows = [
        (kind, f"{len(of):,}", f"{np.median(of):.4f}", f"{summary.share_framed(kind, options.found_score):.4f}")
        for kind in PATCH_KINDS
        for of in (summary.of(kind),)
    ]
    header = ("patches", "n", "median score", f"P(IoU > {FRAMED_IOU}, score >= {options.found_score:g})")
    return "\n".join(
        [
            f"{folder}: {len(summary.scores):,} patches ({data} data), weights {scored.weights_hash[:12]}",
            format_table(header, rows),
            f"AUC {summary.auc:.4f}",
            *(f"note: {note}" for note in scored.notes),
            *(f"skipped: {reason}" for reason in scored.skipped),
        ]
    )
