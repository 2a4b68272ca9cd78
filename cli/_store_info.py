"""What ``info`` prints about a store."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eventdet.preprocessing.inspect import FramesInfo, StoredRecordingInfo, StoreInfo

__all__ = ["store_table"]


def store_table(info: "StoreInfo") -> str:
    """Return the lines that show a store: its totals, and one line a recording when there are several."""
    repairs, labels = info.counts("repairs"), info.counts("labels")
    events, event_bytes = info.total("num_events"), info.total("event_bytes")
    stored = (
        f"{event_bytes / 1e6:,.1f} MB, {8 * events / event_bytes:.2f} times smaller than DAT" if event_bytes else ""
    )
    first = info.recordings[0]
    rows = [
        ("store", info.path),
        ("recordings", f"{len(info.recordings):,}"),
        ("data", _data(info.recordings)),
        ("sensor", ", ".join(sorted({f"{one.width}x{one.height}" for one in info.recordings}))),
        ("events", f"{events:,}, {stored}"),
        ("duration", f"{info.total('duration_us') / 1e6:,.3f} s"),
        *(("tensors", line) for line in _frames(info.recordings)),
        ("triggers", f"{info.total('num_triggers'):,}"),
        ("labels", _classes(labels)),
        ("left out", _counts(info.counts("labels_dropped")) or "no label"),
        ("repaired", _counts(repairs) or "nothing"),
        ("size", f"{info.total('stored_bytes') / 1e6:,.1f} MB from {_source_bytes(info) / 1e6:,.1f} MB"),
        ("converted by", "; ".join(sorted({_versions(one) for one in info.recordings}))),
        ("options", _options(first) if len({str(one.params) for one in info.recordings}) == 1 else "not all the same"),
    ]
    if len(info.recordings) > 1:
        rows += (("", _line(one)) for one in info.recordings)
    return "\n".join(f"{name:<13} {value}" for name, value in rows)


def _data(recordings: "list[StoredRecordingInfo]") -> str:
    names = {True: "synthetic", False: "recorded", None: "unknown"}
    return ", ".join(sorted({names[one.synthetic] for one in recordings}))


def _frames(recordings: "list[StoredRecordingInfo]") -> list[str]:
    """Return a line for each kind of tensors."""
    kinds: dict[str, list[FramesInfo]] = {}
    for frames in (frames for one in recordings for frames in one.frames):
        extent = f"{frames.window_us} us" if frames.window_us else "as many events"
        grid = f"every {frames.stride_us} us" if frames.stride_us else "at labels" if frames.window_us else "in a row"
        kind = f"{_named(frames.representation)} of {extent} {grid}"
        kinds.setdefault(kind, []).append(frames)
    lines = []
    for kind, parts in kinds.items():
        stored, raw = sum(part.stored_bytes for part in parts), sum(part.raw_bytes for part in parts)
        count = sum(part.num_windows for part in parts)
        lines.append(f"{count:,} windows, {stored / 1e6:,.1f} MB, {raw / max(1, stored):.1f} times smaller: {kind}")
    return lines or ["left out"]


def _named(representation: Mapping[str, Any]) -> str:
    own: Mapping[str, Any] = representation.get("parameters", {})
    arguments = {"bins": representation["bins"], **own}
    return f"{representation['name']} ({', '.join(f'{name} {value}' for name, value in arguments.items())})"


def _classes(labels: Mapping[int, int]) -> str:
    from eventdet.boxes import GEN1_CLASSES

    names = dict(enumerate(GEN1_CLASSES))
    return ", ".join(f"{names.get(key, f'class {key}')} {count:,}" for key, count in labels.items()) or "none"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.items())


def _source_bytes(info: "StoreInfo") -> int:
    return sum(int(one.source.get("size", 0)) for one in info.recordings)


def _options(recording: "StoredRecordingInfo") -> str:
    shown = {name: value for name, value in recording.params.items() if name in ("align", "filters", "labels")}
    shown |= {name: value for name in ("start_us", "end_us", "classes") if (value := recording.params.get(name))}
    return ", ".join(f"{name} {value}" for name, value in shown.items() if value) or "unknown"


def _versions(recording: "StoredRecordingInfo") -> str:
    return ", ".join(f"{name} {version}" for name, version in recording.versions.items())


def _line(one: "StoredRecordingInfo") -> str:
    windows = sum(frames.num_windows for frames in one.frames)
    return (
        f"{one.path}: {one.num_events:,} events, {one.duration_us / 1e6:,.3f} s, {windows:,} windows, "
        f"{sum(one.labels.values()):,} labels, {one.stored_bytes / 1e6:,.1f} MB"
    )
