"""What ``eventdet stream`` needs to run as a service: a configuration file, metrics, and many sources."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ._log import StreamLog, errors_logged
from ._signals import EXIT_INTERRUPTED, stopped_by_signals

if TYPE_CHECKING:
    from eventdet.service import WorkerStatus
    from eventdet.sinks import Outputs, WindowResult
    from eventdet.sinks.delivery import DeliveryReport
    from eventdet.streaming import Streamer
    from eventdet.wire import LinkReport

__all__ = [
    "Cluster",
    "Config",
    "MaxRestarts",
    "MetricsPort",
    "PrintConfig",
    "Record",
    "Resume",
    "Sources",
    "monitored",
    "resolved_config",
    "run_otherwise",
    "run_sources",
]

_NOT_IN_FILES = frozenset({"config", "print_config", "sources", "cluster", "max_restarts", "help"})
"""Options that say what to do with a file or with many sources, and so are in none."""

_NOT_PASSED_ON = _NOT_IN_FILES | {"metrics_port", "log_format", "quiet"}
"""Options of the supervisor itself."""

_PROGRESS_S = 2.0
"""A JSON log tells this often how far the stream is."""

_EXIT_RUNTIME, _EXIT_PARTIAL = 1, 5


def _load(context: typer.Context, path: Path | None) -> Path | None:
    """Make a file's values the defaults of all options that are not on the command line."""
    if path is not None:
        from eventdet.service import read_config

        parameters = {key: name for name, key in _keys(context).items()}
        context.default_map = {parameters[key]: value for key, value in read_config(path, _lists(context)).items()}
    return path


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file of options, e.g. max-det = 50; the command line goes before it.",
        callback=_load,
        is_eager=True,
        show_default=False,
    ),
]
PrintConfig = Annotated[
    bool, typer.Option("--print-config", help="Print the options in force as TOML, and do nothing else.")
]
Record = Annotated[
    str | None,
    typer.Option("--record", metavar="FILE", help="Also write the events of a live source.", show_default=False),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue the .jsonl, .csv and .txt outputs of a run that stopped.")
]
Sources = Annotated[
    Path | None,
    typer.Option("--sources", help="TOML file of many sources, one process each.", show_default=False),
]
Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster", metavar="ADDRESS", help="With --sources: run on this Dask scheduler's workers.", show_default=False
    ),
]
MaxRestarts = Annotated[
    int, typer.Option("--max-restarts", help="With --sources: crashes in a row until one is given up.", min=0)
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        help="Serve /metrics (Prometheus) and /healthz on this port of 127.0.0.1; 0: any.",
        min=0,
        max=65_535,
        show_default=False,
    ),
]


def _keys(context: typer.Context) -> dict[str, str]:
    """Return, for each parameter that a file may set, its key there: the long option with _ for -."""
    return {
        str(parameter.name): parameter.opts[0].lstrip("-").replace("-", "_")
        for parameter in context.command.params
        if parameter.name not in _NOT_IN_FILES
    }


def _lists(context: typer.Context) -> dict[str, bool]:
    """Return whether each key takes a list."""
    keys = _keys(context)
    return {
        keys[parameter.name]: bool(getattr(parameter, "multiple", False))
        for parameter in context.command.params
        if parameter.name in keys
    }


def resolved_config(context: typer.Context) -> str:
    """Return the options in force, wherever they come from, as TOML."""
    from eventdet.service import format_config

    return format_config({key: context.params[name] for name, key in _keys(context).items()})


@contextmanager
def monitored(
    streamer: "Streamer",
    outputs: Callable[[], "Outputs | None"],
    log: StreamLog,
    port: int | None,
    link: "LinkReport | None" = None,
) -> Iterator[Callable[["WindowResult"], None]]:
    """Count what is handed out, say what outputs lose their connections, and serve metrics when a port is given.

    `outputs` returns them once they are open: a port that is taken is found before.

    Yields
    ------
    callable
        Takes each result.
    """
    from eventdet.service import MetricsServer, Sample, StreamHealth
    from eventdet.service.state import counts_of, delivery_samples, link_samples, stream_samples

    beats = StreamHealth()

    def deliveries() -> "dict[str, DeliveryReport]":
        opened = outputs()
        return {} if opened is None else opened.deliveries

    def samples() -> Iterator[Sample]:
        yield from stream_samples(streamer.summary())
        yield Sample("seconds_since_window", beats.silent_s, "Time since the latest window.", "gauge")
        yield from delivery_samples(deliveries())
        if link is not None:
            yield from link_samples(link)

    due_s = time.monotonic() + _PROGRESS_S
    were_connected: dict[str, bool] = {}

    def add(result: "WindowResult") -> None:
        nonlocal due_s
        beats.beat()
        if time.monotonic() < due_s:
            return
        due_s = time.monotonic() + _PROGRESS_S
        if log.is_json:
            log.say("progress", f"at {result.t_us / 1e6:.3f} s", **counts_of(streamer.summary()), t_us=result.t_us)
        for target, report in deliveries().items():
            if were_connected.get(target, True) != report.is_connected:
                now = "connected" if report.is_connected else f"not connected: {report.error or 'no answer yet'}"
                log.say("connection", f"output {target}: {now}", output=target, is_connected=report.is_connected)
            were_connected[target] = report.is_connected

    with ExitStack() as stack:
        if port is not None:
            server = stack.enter_context(MetricsServer(port, samples, lambda: beats.health(streamer.summary())))
            _say_address(log, server.address)
        yield add


def _say_address(log: StreamLog, address: str) -> None:
    # Also when quiet: with port 0 nobody could know it otherwise.
    message = f"metrics on {address}/metrics"
    log.write({"level": "info", "event": "metrics", "message": message, "address": address})


def run_otherwise(context: typer.Context, log: StreamLog) -> int | None:
    """Do what is asked for in place of one stream, and return the exit code; None: there is a source to stream.

    To be called before torch is loaded: whoever watches over many sources has no use for it.

    Raises
    ------
    OptionError
        When options do not go together, or no source is given.
    """
    from eventdet.errors import OptionError

    if context.params["print_config"]:
        typer.echo(resolved_config(context))
        return 0
    if context.params["sources"] is not None:
        with errors_logged(log):
            return run_sources(context, context.params["sources"], log)
    if (cluster := context.params["cluster"]) is not None:
        raise OptionError(f"--cluster {cluster} needs --sources", hint="name the sources in a TOML file")
    if context.params["source"] is None:
        raise OptionError("stream needs a source", hint="give a file or an address, or --sources FILE")
    return None


def run_sources(context: typer.Context, path: Path, log: StreamLog) -> int:
    """Run all sources of a file until they are over; return the exit code."""
    from eventdet.errors import OptionError
    from eventdet.service import MetricsServer, Supervisor, read_sources, worker_health, worker_samples
    from eventdet.service.actors import ClusterSupervisor, connected

    given = {
        name: value
        for name, value in context.params.items()
        if (origin := context.get_parameter_source(name)) is not None and origin.name == "COMMANDLINE"
    }
    for name in ("source", "config"):
        if name in given:
            raise OptionError(f"--sources and {name} exclude each other", hint="put it into the file of sources")
    keys = _keys(context)
    overrides = {keys[name]: value for name, value in given.items() if name not in _NOT_PASSED_ON}
    specs = read_sources(path, _lists(context), overrides)

    def pass_on(name: str, record: dict[str, object]) -> None:
        # Where a source is to be looked at or asked nobody could guess.
        if log.quiet:
            is_wanted = record.get("level") == "error" or record["event"] in ("page", "metrics")
        else:
            is_wanted = log.is_json or record["event"] != "progress"
        if is_wanted:
            log.write({**record, "source": name}, prefix=f"[{name}] ")

    with ExitStack() as stack:
        make: Callable[..., Supervisor | ClusterSupervisor] = Supervisor
        if given.get("cluster") is not None:
            make = partial(ClusterSupervisor, client=stack.enter_context(connected(str(given["cluster"]))))
        supervisor = make(specs, max_restarts=context.params["max_restarts"], log=pass_on)
        interrupted = stack.enter_context(stopped_by_signals(supervisor.stop))
        if (port := context.params["metrics_port"]) is not None:
            server = MetricsServer(
                port, lambda: worker_samples(supervisor.statuses), lambda: worker_health(supervisor.statuses)
            )
            _say_address(log, stack.enter_context(server).address)
        statuses = supervisor.run()
    return _exit_code(statuses, log, was_interrupted=interrupted())


def _exit_code(statuses: "list[WorkerStatus]", log: StreamLog, *, was_interrupted: bool) -> int:
    for status in statuses:
        line = f"{status.name}: {status.state}, {status.num_windows} windows, {status.num_events:,} events, "
        line += f"{status.num_boxes} boxes, restarts {status.restarts}"
        problem = f"; {status.message}" if status.state == "failed" and status.message else ""
        log.say("source", line + problem, source=status.name, state=status.state, restarts=status.restarts)
    num_failed = sum(status.state == "failed" for status in statuses)
    if num_failed:
        return _EXIT_RUNTIME if num_failed == len(statuses) else _EXIT_PARTIAL
    return log.end(EXIT_INTERRUPTED if was_interrupted else 0)
