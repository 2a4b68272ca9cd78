"""``eventdet cut``: a part of a recording as an event file of any written format."""

from pathlib import Path
from typing import Annotated

import typer

from ._options import (
    Duplicates,
    End,
    Json,
    Policy,
    Quiet,
    Reader,
    RecordingPath,
    Roi,
    SensorSizeText,
    Start,
    parse_policy,
    parse_sensor_size,
)
from ._transcode import Encoding, FromZero, counted_events, parse_limits_us, print_transcoded

__all__ = ["command"]


def command(
    file: RecordingPath,
    output: Annotated[Path, typer.Option("--output", "-o", help="Event file to write; its ending names the format.")],
    start: Start = None,
    end: End = None,
    roi: Roi = None,
    encoding: Encoding = None,
    from_zero: FromZero = False,
    sensor_size: SensorSizeText = None,
    policy: Policy = "repair",
    duplicates: Duplicates = "ignore",
    reader: Reader = "eventdet",
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a part of a recording, in time, in space or both, as an event file."""
    from eventdet.formats import Region, output_format, transcode
    from eventdet.sources.stored import open_file_or_store

    output_format(output, encoding=encoding)
    region = None if roi is None else Region.parse(roi)
    rules = parse_policy(policy, duplicates)
    recording = open_file_or_store(file, sensor_size=parse_sensor_size(sensor_size), policy=rules, reader=reader)
    start_us, stop_us = parse_limits_us(recording, start, end)
    with counted_events("cut", quiet=quiet) as count:
        summary = transcode(
            recording,
            output,
            encoding=encoding,
            start_us=start_us,
            stop_us=stop_us,
            region=region,
            from_zero=from_zero,
            on_progress=count,
        )
    print_transcoded(summary, quiet=quiet, json=json)
