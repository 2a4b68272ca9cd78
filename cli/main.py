"""Entry point: one typer application, one module a command, and the one place where errors become exit codes."""

import sys
from collections.abc import Sequence
from contextlib import suppress
from traceback import extract_tb

import typer

from eventdet import __version__

from . import (
    ablation,
    benchmark,
    convert,
    cut,
    doctor,
    evaluate,
    export,
    export_model,
    formats,
    import_,
    import_weights,
    info,
    isometry,
    labels,
    profile,
    record,
    serve,
    simulate,
    store,
    stream,
    train,
    verify,
    visualize,
)
from ._signals import EXIT_INTERRUPTED, ToldCode

__all__ = ["app", "main", "run"]

EXIT_OK = 0
EXIT_RUNTIME = 1
EXIT_USAGE = 2

_PRINTERS = ("echo", "_write_buffer")
"""Functions of typer and of rich, which writes the help."""

# typer carries its own copy of click under a private name; the base of its public BadParameter is the class of every
# usage error in that copy and in a real click alike.
_UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="eventdet", pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)

for module in (
    info,
    convert,
    cut,
    verify,
    export,
    import_,
    formats,
    stream,
    train,
    evaluate,
    serve,
    record,
    visualize,
    simulate,
    doctor,
    benchmark,
    profile,
    isometry,
    import_weights,
    export_model,
    ablation,
):
    app.command(name=module.__name__.rpartition(".")[2].rstrip("_").replace("_", "-"))(module.command)
app.add_typer(labels.app, name="labels")
app.add_typer(store.app, name="store")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eventdet {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
    ),
) -> None:
    """From raw event-camera recordings to boxes: convert, detect, stream, visualize."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _complain(message: str, hint: str = "") -> None:
    # The exit code still tells of it where stderr is on a full disk.
    with suppress(OSError):
        typer.echo(f"error: {message}", err=True)
        if hint:
            typer.echo(f"hint: {hint}", err=True)


def _is_of_printing(error: OSError) -> bool:
    """Return whether an error came from printing, as on a full disk."""
    return extract_tb(error.__traceback__)[-1].name in _PRINTERS


def run(arguments: Sequence[str]) -> int:
    """Run one command line.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``eventdet``.

    Returns
    -------
    int
        Exit code: 0 ok, 1 runtime, 2 usage, 3 bad or missing input, 4 missing extra, 5 partial, 130 interrupted.
    """
    from eventdet.errors import EventdetError
    from eventdet.standard_output import forget_standard_output

    try:
        code = app(list(arguments), prog_name="eventdet", standalone_mode=False)
    except _UsageError as error:
        context = getattr(error, "ctx", None)
        describe = getattr(error, "format_message", error.__str__)
        _complain(describe().rstrip("."), f"{context.command_path if context else 'eventdet'} --help")
        return EXIT_USAGE
    except EventdetError as error:
        _complain(error.message, error.hint)
        return error.exit_code
    except OSError as error:
        if not _is_of_printing(error):
            raise
        forget_standard_output()
        _complain(f"standard output cannot be written: {error.strerror or error}")
        return EXIT_RUNTIME
    # Typer answers Ctrl-C with 130 by itself, and a reader of standard output that has gone with a quiet exit code 1.
    if code == EXIT_INTERRUPTED and not isinstance(code, ToldCode):
        typer.echo("interrupted", err=True)
    return int(code or EXIT_OK)


def main() -> None:
    """Run the command line of this process and exit with its code."""
    sys.exit(run(sys.argv[1:]))
