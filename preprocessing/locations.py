"""Places of stores: folders of this machine, and URLs of others that read like them."""

import sys
from functools import lru_cache
from pathlib import Path
from typing import cast

from eventdet.errors import InputError, MissingExtraError, OptionError, OutputError

__all__ = ["as_location", "client_errors", "is_local", "is_url", "upload"]

_ROOT_METADATA = "zarr.json"

_CLIENT_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("aiohttp", "ClientError"),
    ("google.auth.exceptions", "GoogleAuthError"),
    ("azure.core.exceptions", "AzureError"),
)
"""What the packages behind URLs raise beside OSError: of a service that is not there, or does not know the user."""


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
    InputError
        When the service of a URL cannot be reached, or takes no request without credentials.
    """
    if not is_url(place):
        return Path(place)
    try:
        from upath import UPath

        location = UPath(str(place))
        # The package for the scheme comes in here.
        _ = location.fs
        _reach(str(place))
    except ImportError as error:
        raise MissingExtraError(f"{place}", extra="remote") from error
    except ValueError as error:
        raise OptionError(f"{place}: {error}", hint="give a folder, or a URL like s3://bucket/out.zarr") from error
    # It is no Path by its type, and has all of it that is used here.
    return cast("Path", location)


@lru_cache(maxsize=64)
def _reach(url: str) -> None:
    """Ask once whether something is there: yes and no are both an answer; raises as `as_location`."""
    from upath import UPath

    try:
        try:
            # Of a bucket itself s3fs says no, whatever the reason; of what is in it, the reason.
            UPath(url).exists()
        except PermissionError:
            # Who may read but not list is told so of a folder, and not of a file in it.
            UPath(url, "zarr.json").exists()
    except client_errors() as error:
        raise InputError(
            f"{url}: cannot be reached ({error})", hint="look at the address and the credentials of the service"
        ) from error


def client_errors() -> tuple[type[Exception], ...]:
    """Return OSError and those of `_CLIENT_ERRORS` whose package is in use."""
    found = (getattr(sys.modules[module], name) for module, name in _CLIENT_ERRORS if module in sys.modules)
    return (OSError, *found)


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
    except client_errors() as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{target}: cannot be written ({reason})") from error
