"""One stream from its first window to its last word: outputs, recording, metrics, and what is said at the end."""

from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ._link import format_link
from ._log import StreamLog
from ._progress import progress_bar
from ._service import monitored
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from eventdet.sinks import EventRecorder, Outputs
    from eventdet.sources import EventSource
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

    trace: "TraceLog | None" = None
    """What each stage did when, to be written at the end; None: nobody asked."""


def run_stream(streamer: "Streamer", source: "EventSource", wanted: RunOptions, log: StreamLog) -> int:
    """Stream to the outputs until the source or the user ends it; return the exit code."""
    from eventdet.errors import EventdetError
    from eventdet.sources import LiveSource

    outputs, recorder = None, None
    watch = _delay_watch(source)
    try:
        with ExitStack() as stack:
            interrupted = stack.enter_context(stopped_by_signals(streamer.stop))
            if isinstance(source, LiveSource):
                stack.enter_context(source)
            outputs = stack.enter_context(_open_outputs(source, streamer, wanted))
            for sink in outputs.sinks:
                if sink.greeting:
                    # Said in quiet runs too: nobody could guess the address.
                    log.write({"level": "info", "event": "page", "message": sink.greeting, "output": sink.target})
            recorder = _open_recorder(source, wanted.record)
            link = source.link_report if isinstance(source, LiveSource) else None
            if recorder is not None:
                stack.enter_context(recorder)
            count = stack.enter_context(monitored(streamer, outputs, log, wanted.metrics_port, link))
            advance = stack.enter_context(progress_bar("stream", streamer.duration_s, quiet=log.quiet))
            for result in streamer:
                if watch is not None:
                    watch.add(result)
                outputs.write(result)
                if outputs.is_done:
                    return 0
                count(result)
                advance(streamer.recorded_s)
            outputs.conclude(streamer.summary().totals)
        if wanted.trace is not None:
            wanted.trace.write()
    except EventdetError:
        if streamer.recorded_s:
            _say_outcome(streamer.summary(), source, outputs, recorder, log)
        raise
    _say_outcome(streamer.summary(), source, outputs, recorder, log)
    if watch is not None:
        _say_delay(watch, log)
    return EXIT_INTERRUPTED if interrupted() else 0


def _delay_watch(source: "EventSource") -> "DelayWatch | None":
    """Return what looks for the labelled objects of a simulated source; None where there are no labels."""
    from eventdet.sources import SyntheticSource
    from eventdet.streaming.delay import DelayWatch

    return DelayWatch(source.labels) if isinstance(source, SyntheticSource) else None


def _say_delay(watch: "DelayWatch", log: StreamLog) -> None:
    delay = watch.summary()
    line = f"event to detection: {delay.num_found} of {delay.num_objects} labelled objects found"
    if delay.num_found:
        line += f", {delay.median_ms:.0f} ms after they appear at the median, at most {delay.max_ms:.0f}"
    counts = delay._asdict()
    # JSON has no word for what is not a number.
    log.say("delay", line, **counts if delay.num_found else counts | {"median_ms": None, "max_ms": None})


def _open_outputs(source: "EventSource", streamer: "Streamer", wanted: RunOptions) -> "Outputs":
    from eventdet.sinks import Outputs, plan_resume
    from eventdet.sources import LiveSource

    header, plan = streamer.header, None
    if wanted.resume:
        plan = plan_resume(wanted.targets, header=header, renumber=isinstance(source, LiveSource))
        streamer.hurry_until(plan.stop_us)
    return Outputs(wanted.targets, header=header, allow_remote=wanted.allow_remote, resume=plan)


def _open_recorder(source: "EventSource", target: str | None) -> "EventRecorder | None":
    from eventdet.errors import OptionError
    from eventdet.sinks import EventRecorder
    from eventdet.sources import LiveSource

    if target is None:
        return None
    if not isinstance(source, LiveSource):
        raise OptionError(
            f"--record is for live sources, got {source.name}", hint="use eventdet convert or eventdet simulate"
        )
    recorder = EventRecorder(target, source.camera)
    source.tap(recorder.write)
    return recorder


def _say_outcome(
    summary: "StreamSummary",
    source: "EventSource",
    outputs: "Outputs | None",
    recorder: "EventRecorder | None",
    log: StreamLog,
) -> None:
    from eventdet.sources import LiveSource

    # The notes of the source's report are in the lines; a record has the counts by name.
    counts = {name: value for name, value in asdict(summary).items() if name not in ("report", "notes")}
    log.say("summary", format_summary(summary), **counts, repairs=summary.report.repairs, notes=list(summary.notes))
    if isinstance(source, LiveSource):
        log.say("link", format_link(source), **asdict(source.link_report))
    for sink in outputs.sinks if outputs is not None else ():
        note = f" ({sink.note})" if sink.note else ""
        report = outputs.deliveries.get(sink.target) if outputs is not None else None
        log.say(
            "output", f"wrote {sink.target}{note}", output=sink.target, **({} if report is None else asdict(report))
        )
    if recorder is not None and recorder.summary is not None:
        num_events = recorder.summary.num_events
        log.say(
            "record", f"wrote {recorder.target} ({num_events:,} events)", output=recorder.target, recorded=num_events
        )


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
