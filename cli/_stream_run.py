"""One stream from its first window to its last word: outputs, recording, metrics, and what is said at the end."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from math import isnan
from typing import TYPE_CHECKING

from ._link import format_link
from ._log import StreamLog
from ._progress import progress_bar
from ._service import monitored
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from pathlib import Path

    from eventdet.sinks import EventRecorder, Outputs
    from eventdet.sources import EventSource, LiveSource
    from eventdet.streaming import Streamer, StreamSummary, TraceLog
    from eventdet.streaming.delay import DelayWatch

__all__ = ["RunOptions", "format_summary", "run_stream"]


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Where a stream goes."""

    targets: tuple[str, ...] = ()
    """Outputs."""

    allow_remote: bool = False
    """Whether outputs may be reached by other machines."""

    record: str | None = None
    """File for the events of a live source."""

    resume: bool = False
    """Whether the outputs of an earlier run are continued."""

    metrics_port: int | None = None
    """Port of the metrics; None: none are served."""

    inputs: "tuple[Path, ...]" = ()
    """Files that are read beside the source."""

    trace: "TraceLog | None" = None
    """What each stage did when, to be written at the end; None: nobody asked."""


@dataclass(slots=True)
class _Run:
    """What takes part in a stream, as it comes."""

    streamer: "Streamer"
    source: "EventSource"
    wanted: RunOptions
    log: StreamLog
    live: "LiveSource | None" = None
    watch: "DelayWatch | None" = None
    outputs: "Outputs | None" = None
    recorder: "EventRecorder | None" = None


def run_stream(streamer: "Streamer", source: "EventSource", wanted: RunOptions, log: StreamLog) -> int:
    """Stream to the outputs until the source or the user ends it; return the exit code."""
    from eventdet.errors import EventdetError
    from eventdet.sources import LiveSource

    live = source if isinstance(source, LiveSource) else None
    run = _Run(streamer, source, wanted, log, live, _delay_watch(source, log))
    try:
        is_interrupted = _write_results(run)
    except EventdetError:
        if streamer.recorded_s:
            _say_outcome(run)
        raise
    if run.outputs is None or not run.outputs.is_done:
        _say_outcome(run)
    return log.end(EXIT_INTERRUPTED if is_interrupted else 0)


def _write_results(run: _Run) -> bool:
    """Write results until there are no more, or nobody reads them; return whether a signal ended that."""
    streamer = run.streamer
    with ExitStack() as stack:
        interrupted = stack.enter_context(stopped_by_signals(streamer.stop))
        # After an error too, of the windows until then; a signal does not cut it.
        stack.callback(_write_trace, run.wanted.trace)
        link = None if run.live is None else stack.enter_context(run.live).link_report
        # What can be wrong with a recording or a port is found before an earlier output is emptied.
        _check_recorder(run)
        count = stack.enter_context(monitored(streamer, lambda: run.outputs, run.log, run.wanted.metrics_port, link))
        run.outputs = outputs = stack.enter_context(_open_outputs(run))
        for sink in outputs.sinks:
            if sink.greeting:
                # Said in quiet runs too: nobody could guess the address.
                run.log.write({"level": "info", "event": "page", "message": sink.greeting, "output": sink.target})
        if run.live is not None and run.wanted.record is not None:
            run.recorder = stack.enter_context(_open_recorder(run.live, run.wanted.record))
        advance = stack.enter_context(progress_bar("stream", streamer.duration_s, quiet=run.log.quiet))
        for result in streamer:
            if run.watch is not None:
                run.watch.add(result)
            outputs.write(result)
            if outputs.is_done:
                return False
            count(result)
            advance(streamer.recorded_s)
        outputs.conclude(streamer.summary().totals)
    return interrupted()


def _write_trace(trace: "TraceLog | None") -> None:
    # Without a window there was nothing to trace, and an earlier file is of more use.
    if trace is not None and trace.num_windows:
        trace.write()


def _delay_watch(source: "EventSource", log: StreamLog) -> "DelayWatch | None":
    """Return what looks for the labelled objects of a source; None where there are no labels."""
    from eventdet.errors import EventdetError
    from eventdet.sources import known_labels
    from eventdet.streaming.delay import DelayWatch

    try:
        known = known_labels(source)
    except EventdetError as error:
        # Nobody asked for the labels: what is wrong with them is no reason not to stream.
        log.say("labels", f"note: labels are left out: {error.message}")
        return None
    return None if known is None else DelayWatch(known.boxes)


def _say_delay(watch: "DelayWatch", log: StreamLog) -> None:
    delay = watch.summary()
    if not delay.num_objects:
        return
    line = f"event to detection: {delay.num_found} of {delay.num_objects} labelled objects found"
    if delay.num_found:
        line += f", {delay.median_ms:.0f} ms after their first label at the median, at most {delay.max_ms:.0f}"
    if not isnan(delay.label_every_ms):
        line += f"; labels every {delay.label_every_ms:g} ms"
    # JSON has no word for what is not a number.
    counts = {
        name: None if isinstance(value, float) and isnan(value) else value for name, value in delay._asdict().items()
    }
    log.say("delay", line, **counts)


def _open_outputs(run: _Run) -> "Outputs":
    from eventdet.sinks import Outputs, plan_resume

    wanted, header, plan = run.wanted, run.streamer.header, None
    if wanted.resume:
        plan = plan_resume(wanted.targets, header=header, renumber=run.live is not None)
        run.streamer.hurry_until(plan.stop_us)
    others = [] if wanted.record is None else [wanted.record]
    if wanted.trace is not None:
        others.append(str(wanted.trace.path))
    return Outputs(
        wanted.targets,
        header=header,
        allow_remote=wanted.allow_remote,
        resume=plan,
        inputs=[*wanted.inputs, *_files_of(run.source)],
        other_files=others,
    )


def _files_of(source: "EventSource") -> "list[Path]":
    """Return the file of events of a recording, and that of its labels; none of other sources."""
    from eventdet.formats import Recording, find_boxes

    if not isinstance(source, Recording):
        return []
    labels = find_boxes(source.path)
    return [source.path] if labels is None else [source.path, labels]


def _check_recorder(run: _Run) -> None:
    from eventdet.errors import OptionError
    from eventdet.sinks import EventRecorder

    if run.wanted.record is None:
        return
    if run.live is None:
        raise OptionError(
            f"--record is for live sources, got {run.source.name}", hint="use eventdet convert or eventdet simulate"
        )
    EventRecorder.check(run.wanted.record)


def _open_recorder(live: "LiveSource", target: str) -> "EventRecorder":
    from eventdet.sinks import EventRecorder

    recorder = EventRecorder(target, live.camera)
    live.tap(recorder.write)
    return recorder


def _say_outcome(run: _Run) -> None:
    summary, log = run.streamer.summary(), run.log
    # The notes of the source's report are in the lines; a record has the counts by name.
    counts = {name: value for name, value in asdict(summary).items() if name not in ("report", "notes")}
    log.say("summary", format_summary(summary), **counts, repairs=summary.report.repairs, notes=list(summary.notes))
    if run.live is not None:
        log.say("link", format_link(run.live), **asdict(run.live.link_report))
    deliveries = {} if run.outputs is None else run.outputs.deliveries
    for sink in () if run.outputs is None else run.outputs.sinks:
        note = f" ({sink.note})" if sink.note else ""
        report = deliveries.get(sink.target)
        log.say(
            "output", f"wrote {sink.target}{note}", output=sink.target, **({} if report is None else asdict(report))
        )
    if run.recorder is not None and run.recorder.summary is not None:
        target, num_events = run.recorder.target, run.recorder.summary.num_events
        log.say("record", f"wrote {target} ({num_events:,} events)", output=target, recorded=num_events)
    if run.wanted.trace is not None and run.wanted.trace.is_written:
        log.say("profile", f"wrote {run.wanted.trace.path}", output=str(run.wanted.trace.path))
    if run.watch is not None:
        _say_delay(run.watch, log)


def format_summary(summary: "StreamSummary") -> str:
    """Return the lines printed at the end of a run."""
    lines = [
        f"{summary.num_windows} windows, {summary.num_events:,} events, {summary.num_boxes} boxes; "
        f"{summary.recorded_s:.2f} s recorded in {summary.wall_s:.2f} s ({summary.speed:.1f}x)",
    ]
    if summary.events_cut:
        lines.append(f"{summary.events_cut:,} events fell outside the network's input")
    if summary.windows_skipped or summary.events_dropped:
        lines.append(f"late: {summary.windows_skipped:,} windows skipped, {summary.events_dropped:,} events dropped")
    later = {reason: count for reason, count in summary.resets.items() if reason != "start"}
    if later:
        lines.append("state reset: " + ", ".join(f"{reason} {count:,}" for reason, count in later.items()))
    lines.extend(f"repaired: {name} {count:,}" for name, count in summary.report.repairs.items())
    lines.extend(f"note: {note}" for note in summary.notes)
    if summary.latency_ms:
        lines.append(f"{'latency ms':<12} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8}")
    lines.extend(
        f"{stage:<12} {row.p50:8.2f} {row.p95:8.2f} {row.p99:8.2f} {row.max:8.2f}"
        for stage, row in summary.latency_ms.items()
    )
    return "\n".join(lines)
