"""Addresses as a user types them: ``tcp://127.0.0.1:7770``, ``unix:///run/events.sock``, ``udp://127.0.0.1:3333``."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from eventdet.errors import OptionError

__all__ = ["Address", "parse_address", "require_local"]


_LOCAL_SCHEMES = ("camera", "unix")
"""What follows these is no machine."""

_EXAMPLES = {"unix": "unix:///run/events.sock", "mqtt": "mqtt://127.0.0.1:1883/topic", "web": "web://127.0.0.1:8765"}
"""Of addresses that look otherwise than most."""


class Address(NamedTuple):
    """One end of a connection."""

    text: str
    """What the user typed."""

    scheme: str
    """``tcp``, ``unix``, ``udp``, ``zmq``, ..."""

    host: str
    """Name or number of the machine; empty for ``unix`` and ``camera``."""

    port: int
    """Port; 0, also when none is given, lets the system choose one."""

    path: str
    """Path of the socket for ``unix``, serial number for ``camera``, else what follows the port."""

    parameters: Mapping[str, str]
    """What follows the question mark."""

    @property
    def endpoint(self) -> str:
        """The address without its parameters."""
        return self.text.partition("?")[0]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can be at the other end."""
        if self.scheme in _LOCAL_SCHEMES or self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def parse_address(text: str, *, known: Collection[str] = ()) -> Address:
    """Return the parts of an address.

    Parameters
    ----------
    text : str
        ``scheme://host:port?name=value&...``, ``unix://path``, or ``camera://`` with or without a serial number.
    known : collection of str
        Parameters that are allowed.

    Raises
    ------
    OptionError
        When the port is no number, the path of a ``unix`` address is missing, or a parameter is unknown or repeated.

    Examples
    --------
    >>> parse_address("tcp://127.0.0.1:7770").port
    7770
    >>> parse_address("unix:///run/events.sock").path
    '/run/events.sock'
    """
    try:
        parts = urlsplit(text)
        port = parts.port or 0
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise OptionError(f"address {text!r}: {error}", hint=_hint(text)) from error
    for name, _ in pairs:
        if name not in known:
            raise OptionError(
                f"address {text!r}: unknown parameter {name!r}", hint=f"known are {', '.join(known) or 'none'}"
            )
    if len(dict(pairs)) != len(pairs):
        raise OptionError(f"address {text!r}: a parameter is given twice")
    is_local = parts.scheme in _LOCAL_SCHEMES
    host = "" if is_local else parts.hostname or ""
    path = parts.netloc + parts.path if is_local else parts.path
    if not (path if is_local else host) and parts.scheme != "camera":
        raise OptionError(f"address {text!r}: names no place", hint=_hint(text))
    return Address(text, parts.scheme, host, port, path, dict(pairs))


def _hint(text: str) -> str:
    scheme = text.partition("://")[0]
    return f"write it like {_EXAMPLES.get(scheme, f'{scheme}://127.0.0.1:7770')}"


def require_local(address: Address, *, allow_remote: bool) -> None:
    """Check that a socket which others may connect or send to is bound to this machine alone.

    Events are neither encrypted nor authenticated on any of these wires.

    Raises
    ------
    OptionError
        When the address is not a loopback address and `allow_remote` is false.
    """
    if not (allow_remote or address.is_loopback):
        raise OptionError(
            f"address {address.endpoint} can be reached from other machines",
            hint="use 127.0.0.1, or give --allow-remote",
        )
