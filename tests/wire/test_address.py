import pytest

from eventdet.errors import OptionError
from eventdet.wire import parse_address, require_local


def test_an_address_has_its_parts() -> None:
    address = parse_address("udp://127.0.0.1:3333?format=spif&size=304x240", known=("format", "size"))
    assert (address.scheme, address.host, address.port) == ("udp", "127.0.0.1", 3333)
    assert address.parameters == {"format": "spif", "size": "304x240"}
    assert address.endpoint == "udp://127.0.0.1:3333"


@pytest.mark.parametrize(
    ("text", "path"), [("unix:///run/e.sock", "/run/e.sock"), ("unix://e.sock", "e.sock"), ("unix://A/e", "A/e")]
)
def test_a_unix_address_is_a_path(text: str, path: str) -> None:
    assert parse_address(text).path == path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tcp://host:port", "address 'tcp://host:port': "),
        ("tcp://host:70000", "Port out of range"),
        ("tcp://:80", "names no place"),
        ("unix://", "names no place"),
        ("tcp://h:1?what=1", "unknown parameter 'what'"),
        ("tcp://h:1?size=1&size=2", "given twice"),
        ("tcp://h:1?size", "address 'tcp://h:1"),
    ],
)
def test_an_address_outside_its_rule_is_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message.replace("?", r"\?")):
        parse_address(text, known=("size",))


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("tcp://host:port", "tcp://127.0.0.1:7770"),
        ("web://127.0.0.1:port", "web://127.0.0.1:8765"),
        ("mqtt://:1883/topic", "mqtt://127.0.0.1:1883/topic"),
        ("unix://", "unix:///run/events.sock"),
    ],
)
def test_the_hint_for_a_wrong_address_is_one_of_its_kind(text: str, example: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse_address(text)
    assert caught.value.hint == f"write it like {example}"


@pytest.mark.parametrize(
    ("text", "is_local"),
    [
        ("tcp://127.0.0.1:1", True),
        ("tcp://127.1.2.3:1", True),
        ("tcp://localhost:1", True),
        ("tcp://[::1]:1", True),
        ("unix:///e", True),
        ("tcp://0.0.0.0:1", False),
        ("tcp://[::]:1", False),
        ("tcp://192.168.1.2:1", False),
        ("tcp://localhost.example.org:1", False),
    ],
)
def test_only_loopback_addresses_are_local(text: str, is_local: bool) -> None:
    address = parse_address(text)
    require_local(address, allow_remote=True)
    if is_local:
        require_local(address, allow_remote=False)
    else:
        with pytest.raises(OptionError, match="other machines"):
            require_local(address, allow_remote=False)
