"""Places of stores: folders of this machine, and URLs of others that read like them."""

from pathlib import Path
from typing import cast

from eventdet.errors import MissingExtraError, OptionError, OutputError

__all__ = ["as_location", "is_local", "is_url", "upload"]

_ROOT_METADATA = "zarr.json"


def is_url(place: str | Path) -> bool:
    """Return whether a place is a URL: ``s3://bucket/out.zarr``."""
    return "://" in str(place)


def is_local(location: Path) -> bool:
    """Return whether a location has files that this machine can map, lock and rename."""
    return isinstance(location, Path)


def as_location(place: str | Path) -> Path:
    """Return the path that a user gave, or of a URL what reads and writes like one.

    Raises
    ------
    MissingExtraError
        When it is a URL and a package for it is missing.
    OptionError
        When nothing is known of the scheme of a URL.
    """
    if not is_url(place):
        return Path(place)
    try:
        from upath import UPath

        location = UPath(str(place))
        # The package for the scheme comes in here.
        _ = location.fs
    except ImportError as error:
        raise MissingExtraError(f"{place}", extra="remote") from error
    except ValueError as error:
        raise OptionError(f"{place}: {error}", hint="give a folder, or a URL like s3://bucket/out.zarr") from error
    # It is no Path by its type, and has all of it that is used here.
    return cast("Path", location)


def upload(group: Path, target: Path) -> None:
    """Copy a stored recording to a URL, its root metadata last: until they are there, nothing is.

    Raises
    ------
    OutputError
        When the other side refuses.
    """
    files = {path.relative_to(group).as_posix(): path for path in sorted(group.rglob("*")) if path.is_file()}
    root = files.pop(_ROOT_METADATA)
    try:
        (target / _ROOT_METADATA).unlink(missing_ok=True)
        for path in target.rglob("*") if target.exists() else ():
            if path.is_file() and path.relative_to(target).as_posix() not in files:
                path.unlink()
        for name, path in [*files.items(), (_ROOT_METADATA, root)]:
            (target / name).write_bytes(path.read_bytes())
    except OSError as error:
        raise OutputError(f"{target}: cannot be written ({error.strerror or error})") from error
