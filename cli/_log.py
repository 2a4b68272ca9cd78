"""What a stream says on stderr: lines for people, or JSON records for whoever collects them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Annotated

import typer

from ._signals import EXIT_INTERRUPTED, ToldCode

__all__ = ["LOG_FORMATS", "LogFormat", "StreamLog", "errors_logged"]

LOG_FORMATS = ("text", "json")

LogFormat = Annotated[str, typer.Option("--log-format", help="Lines on stderr: text, or json (one record a line).")]


class StreamLog:
    """Writes log lines to stderr.

    Parameters
    ----------
    form : str
        One of `LOG_FORMATS`.
    quiet : bool
        Say nothing but errors.

    Raises
    ------
    OptionError
        When the form is unknown.
    """

    def __init__(self, form: str, *, quiet: bool = False) -> None:
        from eventdet.errors import check_option

        self.is_json = check_option("log-format", form, LOG_FORMATS) == "json"
        """Whether lines are records."""
        self.quiet = quiet
        """Whether nothing but errors is said."""

    def say(self, event: str, message: str, **fields: object) -> None:
        """Tell of an event: the message in text, and the fields too in JSON."""
        if not self.quiet:
            self.write({"level": "info", "event": event, "message": message, **fields})

    def end(self, code: int) -> int:
        """Return the exit code of the command, once a log of records has told of an interruption too."""
        if code == EXIT_INTERRUPTED and self.is_json:
            self.write({"level": "info", "event": "interrupted", "message": "interrupted"})
            return ToldCode(code)
        return code

    def write(self, record: dict[str, object], *, prefix: str = "") -> None:
        """Write a record, which has a message; `prefix` stands before the message in text."""
        if self.is_json:
            stamp = datetime.now(UTC).isoformat(timespec="milliseconds")
            # What follows the first line is in the fields.
            line = str(record["message"]).partition("\n")[0]
            text = json.dumps({"time": stamp, **record, "message": line}, default=str)
        else:
            text = f"{prefix}{record['message']}"
        # A log that nobody keeps, on a full disk, is no reason to end a stream.
        with suppress(OSError):
            typer.echo(text, err=True)


@contextmanager
def errors_logged(log: StreamLog) -> Iterator[None]:
    """Turn an error into a record and the exit code of the command, where lines are records.

    Raises
    ------
    typer.Exit
        Instead of an EventdetError.
    """
    from eventdet.errors import EventdetError

    try:
        yield
    except EventdetError as error:
        if not log.is_json:
            raise
        log.write({"level": "error", "event": "error", "message": error.message, "hint": error.hint})
        raise typer.Exit(error.exit_code) from error
