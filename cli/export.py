"""``eventdet export``: stored recordings to the layouts that other tools train from."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ._interchange import print_summary
from ._options import Json, Quiet
from ._progress import progress_bar

if TYPE_CHECKING:
    from eventdet.preprocessing.representations import Representation

__all__ = ["command"]

_LAYOUTS = ("rvt", "npz", "webdataset")


def _choice(name: str, text: str) -> Any:
    return typer.Option(name, help=text, show_default=False)


def command(
    store: Annotated[str, typer.Argument(help="Store of eventdet convert: a folder or a URL.", show_default=False)],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder to write.")],
    to: Annotated[str, typer.Option("--to", help="rvt, npz, or webdataset.")],
    representation: Annotated[
        str | None, _choice("--representation", "Tensor of a window; default: rvt_histogram for rvt, else histogram.")
    ] = None,
    bins: Annotated[int | None, _choice("--bins", "Time bins a window; default: 10 for rvt, else 5.")] = None,
    window: Annotated[str | None, _choice("--window", "Length of a window; default: 50ms for rvt, else 250ms.")] = None,
    stride: Annotated[
        str | None, _choice("--stride", "Not rvt: from one window's start to the next; default: the window.")
    ] = None,
    labels: Annotated[
        str | None, _choice("--labels", "Which labels stay: rvt, rvt-1mpx; not rvt: also prophesee, side20, none.")
    ] = None,
    samples: Annotated[
        str | None, _choice("--samples", "Not rvt: one for each of the labels (default) or windows.")
    ] = None,
    samples_per_shard: Annotated[int | None, _choice("--samples-per-shard", "Not rvt: default 256.")] = None,
    label_period: Annotated[
        str | None, _choice("--label-period", "rvt: distance of the label times that stay; default: 250ms.")
    ] = None,
    downsample: Annotated[bool, _choice("--downsample", "rvt: every second row and column, for 1 Mpx.")] = False,
    split: Annotated[
        str | None, _choice("--split", "rvt: where recordings outside train, val and test go; default: train.")
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> int:
    """Write stored recordings in RVT's layout, or as npz or webdataset shards; resumes where it stopped."""
    from eventdet.errors import check_option
    from eventdet.preprocessing.interchange import RvtOptions, ShardOptions, export_rvt, export_shards
    from eventdet.units import parse_duration_us

    check_option("--to", to, _LAYOUTS)
    values: dict[str, Any] = {
        "window_us": None if window is None else parse_duration_us(window, name="--window"),
        "stride_us": None if stride is None else parse_duration_us(stride, name="--stride"),
        "labels": labels,
        "samples": samples,
        "samples_per_shard": samples_per_shard,
        "label_period_us": None if label_period is None else parse_duration_us(label_period, name="--label-period"),
        "downsample": downsample or None,
        "split": split,
    }
    given = {name: value for name, value in values.items() if value is not None}
    with progress_bar("export", 1.0, unit="of the windows", quiet=quiet) as advance:
        if to == "rvt":
            _refuse(given, to, ("stride_us", "samples", "samples_per_shard"))
            rvt = RvtOptions(representation=_representation(representation, bins, RvtOptions().representation), **given)
            summary = export_rvt(store, output, rvt, on_progress=advance)
        else:
            _refuse(given, to, ("label_period_us", "downsample", "split"))
            chosen = _representation(representation, bins, ShardOptions().representation)
            shards = ShardOptions(layout=to, representation=chosen, **given)
            summary = export_shards(store, output, shards, on_progress=advance)
    return print_summary(summary, quiet=quiet, json=json)


def _representation(name: str | None, bins: int | None, default: "Representation") -> "Representation":
    from eventdet.preprocessing import Representation

    return Representation.parse(name or default.name, bins=default.bins if bins is None else bins)


def _refuse(given: Mapping[str, object], to: str, names: tuple[str, ...]) -> None:
    from eventdet.errors import OptionError

    for name in names:
        if name in given:
            option = name.removesuffix("_us").replace("_", "-")
            raise OptionError(f"--{option} does not apply to --to {to}", hint="leave it out")
