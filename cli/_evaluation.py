"""What ``eventdet evaluate`` scores, where it comes from, and how it is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.boxes import Boxes
    from eventdet.evaluation import Evaluation, RecordingResults, TrackScores
    from eventdet.formats.prophesee_boxes import LabelFile
    from eventdet.geometry import SensorSize
    from eventdet.sinks import StreamHeader
    from eventdet.sources import EventSource
    from eventdet.streaming import StreamOptions

__all__ = [
    "Evaluated",
    "detect_recordings",
    "format_evaluations",
    "read_recordings",
    "with_constant_latency",
    "write_report",
]

_SUFFIXES = ("_bbox", "_td", "_detections")
"""What may follow the name of a recording in the stem of a file."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Recordings with what is known of the detector."""

    recordings: list["RecordingResults"]
    """With results and labels."""

    class_names: tuple[str, ...]
    """By class id."""

    weights: tuple[str, ...]
    """Digests of the weights; empty when the detections do not tell."""

    skipped: tuple[str, ...]
    """What was left out, and why."""

    notes: tuple[str, ...] = ()
    """What else to know."""

    @property
    def data(self) -> str:
        """How many recordings, and whether their events are simulated."""
        synthetic = {each.synthetic for each in self.recordings}
        kinds = [
            name for known, name in ((True, "synthetic"), (False, "real"), (None, "unknown")) if known in synthetic
        ]
        return f"{len(self.recordings)} recordings ({', '.join(kinds)} data)"


def read_recordings(
    detections: Sequence[Path], labels: Sequence[Path], *, class_names: tuple[str, ...], size: "SensorSize | None"
) -> Evaluated:
    """Return saved detections with the labels of the same name; a single file of each needs no common name.

    Raises
    ------
    InputError
        When no detections have labels.
    """
    from eventdet.errors import InputError

    found, true = _by_name(detections, (".jsonl", ".npy")), _by_name(labels, (".npy", ".zarr"))
    if len(found) == len(true) == 1:
        true = dict(zip(found, true.values(), strict=True))
    skipped = [f"{found[name]}: no labels of that name" for name in sorted(found.keys() - true.keys())]
    skipped += [f"{true[name]}: no detections of that name" for name in sorted(true.keys() - found.keys())]
    recordings, hashes, notes = [], [], list[str]()
    for name in sorted(found.keys() & true.keys()):
        recording, header = _read_pair(name, found[name], true[name], size=size, notes=notes)
        recordings.append(recording)
        if header is not None:
            hashes.append(header.weights_hash)
            class_names = header.class_names
    if not recordings:
        raise InputError("no detections with labels of the same name", hint="name them drive.jsonl and drive_bbox.npy")
    return Evaluated(recordings, class_names, tuple(sorted(set(hashes))), tuple(skipped), tuple(notes))


def detect_recordings(
    sources: Sequence[str], weights: str, options: "StreamOptions", *, dtype: str, runtime: str = "torch", quiet: bool
) -> Evaluated:
    """Return labelled recordings with what the detector finds in them, as ``eventdet stream`` would.

    Raises
    ------
    InputError
        When no source has labels.
    """
    from eventdet.boxes import Boxes
    from eventdet.errors import InputError
    from eventdet.evaluation import RecordingResults, Results
    from eventdet.sources.target import open_finite
    from eventdet.streaming import Streamer

    recordings, skipped, hashes = [], [], set()
    class_names: tuple[str, ...] = ()
    notes: list[str] = []
    for target in _expand(sources):
        source = open_finite(target)
        labels = _labels_of(target, source, notes)
        if labels is None:
            skipped.append(f"{target}: no labels")
            continue
        streamer = Streamer.from_model(weights, source, options, dtype=dtype, runtime=runtime)
        stamps, latencies, parts = [], [], []
        with progress_bar(source.name, streamer.duration_s, quiet=quiet) as advance:
            for result in streamer:
                stamps.append(result.t_us)
                latencies.append(round(1e3 * result.latency_ms["total"]))
                parts.append(result.boxes)
                advance(streamer.recorded_s)
        results = Results(Boxes.concatenate(parts), np.array(stamps, np.int64), np.array(latencies, np.int64))
        recordings.append(RecordingResults(target, results, labels, source.sensor_size, source.synthetic))
        hashes.add(streamer.header.weights_hash)
        class_names = streamer.header.class_names
    if not recordings:
        raise InputError("no recording with labels", hint="labels of drive_td.dat are drive_bbox.npy beside it")
    return Evaluated(recordings, class_names, tuple(sorted(hashes)), tuple(skipped), tuple(notes))


def _by_name(paths: Sequence[Path], suffixes: tuple[str, ...]) -> dict[str, Path]:
    """Return files and stores, those in folders too, by the name of their recording."""
    from eventdet.errors import InputError

    named: dict[str, Path] = {}
    for path in paths:
        is_single = path.is_file() or path.suffix in suffixes
        for file in [path] if is_single else sorted(each for each in path.rglob("*") if each.suffix in suffixes):
            name = file.name.removesuffix(".h5").rpartition(".")[0] or file.name
            for ending in _SUFFIXES:
                name = name.removesuffix(ending)
            if named.setdefault(name, file) != file:
                raise InputError(f"{file}: {named[name]} has the same name {name!r}", hint="give one of them")
    if not named:
        raise InputError(f"{', '.join(map(str, paths))}: no {' or '.join(suffixes)} there")
    return named


def _read_pair(
    name: str, found: Path, true: Path, *, size: "SensorSize | None", notes: list[str]
) -> tuple["RecordingResults", "StreamHeader | None"]:
    from eventdet.evaluation import RecordingResults, Results
    from eventdet.geometry import GEN1
    from eventdet.sinks.detections import read_windows

    labels = _read_labels(true, notes)
    if found.suffix == ".jsonl":
        windows = read_windows(found)
        header = windows.header
        results = Results(windows.boxes, windows.t_us, windows.latency_us)
        return RecordingResults(name, results, labels, size or header.sensor_size, header.synthetic), header
    results = Results.of_boxes(_read_detections(found, notes))
    return RecordingResults(name, results, labels, size or GEN1), None


def _read_detections(path: Path, notes: list[str]) -> "Boxes":
    from eventdet.errors import FormatError
    from eventdet.formats.prophesee_boxes import read_label_file

    file = read_label_file(path)
    unknown = np.flatnonzero(~np.isfinite(file.boxes.score))
    if unknown.size:
        row = unknown[0]
        raise FormatError(f"{path}: the score of a detection must be finite, got {file.boxes.score[row]} in row {row}")
    return _sound(file, path, notes)


def _read_labels(path: Path, notes: list[str]) -> "Boxes":
    from eventdet.formats.prophesee_boxes import read_label_file
    from eventdet.preprocessing import open_stored_recording

    if path.is_dir():
        return open_stored_recording(path).labels()
    return _sound(read_label_file(path), path, notes)


def _sound(file: "LabelFile", path: Path, notes: list[str]) -> "Boxes":
    """Return the rows that are boxes, with a note of those that are none."""
    if dropped := int(np.sum(~file.is_sound)):
        notes.append(_unsound(path, dropped))
    return file.sound


def _unsound(path: str | Path, count: int) -> str:
    return f"{path}: {count} rows that are no box left out"


def _expand(sources: Sequence[str]) -> list[str]:
    """Return the recordings that sources name: folders are looked through for stores, else for event files."""
    from eventdet.formats import find_boxes
    from eventdet.preprocessing import find_stored_recordings

    targets: list[str] = []
    for source in sources:
        path = Path(source)
        if "://" in source or not path.is_dir():
            targets.append(source)
            continue
        stored = find_stored_recordings(path)
        labelled = sorted(file for file in path.rglob("*_td.*") if file.is_file() and find_boxes(file))
        targets += map(str, stored or labelled)
    return targets


def _labels_of(target: str, source: "EventSource", notes: list[str]) -> "Boxes | None":
    from eventdet.sources import known_labels

    known = known_labels(source, target)
    if known is None:
        return None
    if known.num_unsound:
        notes.append(_unsound(known.origin, known.num_unsound))
    return known.boxes


def with_constant_latency(recordings: list["RecordingResults"], latency_us: int) -> list["RecordingResults"]:
    """Return the recordings as if every result took so long."""
    from eventdet.evaluation import Results

    return [
        replace(
            each,
            results=Results(each.results.boxes, each.results.t_us, np.full(len(each.results.t_us), latency_us)),
        )
        for each in recordings
    ]


def write_report(path: Path, evaluated: Evaluated, evaluations: Sequence["Evaluation"]) -> None:
    """Write every score, and where it comes from, as JSON.

    Raises
    ------
    OutputError
        When the file cannot be written.
    """
    from eventdet.errors import OutputError

    record = {
        "synthetic": sorted({str(each.synthetic) for each in evaluated.recordings}),
        "weights_sha256": list(evaluated.weights),
        "class_names": list(evaluated.class_names),
        "skipped": list(evaluated.skipped),
        "notes": list(evaluated.notes),
        "evaluations": [evaluation.to_dict(evaluated.class_names) for evaluation in evaluations],
    }
    try:
        path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


def format_evaluations(evaluated: Evaluated, evaluations: Sequence["Evaluation"]) -> str:
    """Return the table of protocols, that of recordings, and what was left out."""
    first = evaluations[0]
    lines = [
        f"{evaluated.data}, weights {', '.join(digest[:12] for digest in evaluated.weights) or 'unknown'}",
        "",
        f"{'protocol':<14} {'matching':<22} {'mAP':>6} {'mAP50':>6} {'small':>6} {'medium':>6} {'large':>6} "
        + " ".join(f"{name[:10]:>10}" for name in evaluated.class_names)
        + f" {'times':>6} {'labels':>6} {'silent':>6}",
        *(_protocol_row(evaluation) for evaluation in evaluations),
        "",
        f"{f'recording ({first.protocol.name})':<40} {'mAP':>6} {'mAP50':>6} {'times':>6} {'labels':>6} {'found':>6}",
        *(
            f"{row.name[-40:]:<40} {_percent(row.map50_95)} {_percent(row.map50)} {row.num_images:>6} "
            f"{row.num_labels:>6} {row.num_detections:>6}"
            for row in first.recordings
        ),
        "",
        _alarm_line(first),
        *(
            _track_line(evaluation.protocol.name, evaluation.tracks)
            for evaluation in evaluations
            if evaluation.tracks is not None
        ),
        *(
            f"{evaluation.protocol.name}: dropped {what} "
            + ", ".join(f"{rule} {count:,}" for rule, count in dropped.items())
            for evaluation in evaluations
            for what, dropped in (("labels", evaluation.dropped_labels), ("detections", evaluation.dropped_detections))
            if dropped
        ),
        *(f"note: {note}" for note in evaluated.notes),
        *(f"skipped: {skipped}" for skipped in evaluated.skipped),
    ]
    return "\n".join(lines)


def _protocol_row(evaluation: "Evaluation") -> str:
    from eventdet.units import format_duration

    protocol, scores = evaluation.protocol, evaluation.scores
    matching = protocol.matching
    if protocol.tolerance_us is not None:
        matching += f" {format_duration(protocol.tolerance_us)}"
    if evaluation.with_latency:
        matching += ", finished"
    values = [scores.map50_95, scores.map50, *(scores.size_map(size.name) for size in scores.metric.sizes[1:])]
    by_class = [f"{_percent(float(column.mean())):>10}" for column in scores.per_class.T]
    return " ".join(
        [
            f"{protocol.name:<14} {matching:<22}",
            *map(_percent, values),
            *by_class,
            f"{scores.num_images:>6} {scores.num_labels.sum():>6} {evaluation.times_without_result:>6}",
        ]
    )


def _alarm_line(evaluation: "Evaluation") -> str:
    alarms = evaluation.false_alarms
    if not alarms.free_us:
        return "false positives per minute: no span is free of labels"
    return (
        f"false positives per minute: {alarms.per_minute:.1f} "
        f"({alarms.num_boxes:,} boxes in {alarms.free_us / 1e6:.1f} s without labels)"
    )


def _track_line(name: str, tracks: "TrackScores") -> str:
    scores = {
        "HOTA": tracks.hota,
        "DetA": tracks.detection_accuracy,
        "AssA": tracks.association_accuracy,
        "IDF1": tracks.idf1,
        "MOTA": tracks.mota,
    }
    listed = "  ".join(f"{what} {_percent(value).strip()}" for what, value in scores.items())
    return (
        f"tracks ({name}): {listed}  "
        f"({tracks.num_switches:,} switches, {tracks.num_labels:,} labels, {tracks.num_found:,} boxes)"
    )


def _percent(value: float) -> str:
    return f"{'-' if np.isnan(value) else format(100 * value, '.1f'):>6}"
