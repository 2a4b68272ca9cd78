"""The page's server as clients of all kinds meet it, over real sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from eventdet.errors import OutputError
from eventdet.viewer import LivePage, encode_frame


@pytest.fixture
def page() -> Iterator[LivePage]:
    running = LivePage({"source": "drive.dat"})
    yield running
    running.close()


def _stream(page: LivePage, *, origin: str | None = None, token: str | None = None) -> ClientConnection:
    url = urlsplit(page.url)
    query = url.query if token is None else f"token={token}"
    return connect(
        f"ws://{url.netloc}/stream?{query}",
        origin=Origin(origin or f"http://{url.netloc}"),
        proxy=None,
        compression=None,
    )


def _seq(message: bytes | str) -> int:
    assert isinstance(message, bytes)
    return int(json.loads(message[4:])["seq"])


def test_the_page_needs_its_token(page: LivePage) -> None:
    assert httpx.get(page.url).status_code == 200
    bare = page.url.partition("?")[0]
    assert httpx.get(bare).status_code == 403
    assert httpx.get(f"{bare}?token=guess").status_code == 403


def test_the_page_answers_to_its_own_names_only(page: LivePage) -> None:
    assert httpx.get(page.url, headers={"Host": "evil.example"}).status_code == 400
    port = urlsplit(page.url).port
    assert httpx.get(page.url, headers={"Host": f"localhost:{port}"}).status_code == 200


def test_nothing_but_its_own_files_is_served_and_scripts_come_from_there_alone(page: LivePage) -> None:
    bare = page.url.partition("/?")[0]
    assert httpx.get(f"{bare}/assets/page.js").status_code == 200
    for name in ("server.py", "page.html", "..%2fserver.py", "%2e%2e/server.py"):
        assert httpx.get(f"{bare}/assets/{name}").status_code == 404
    policy = httpx.get(page.url).headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "wrong", [{"token": "guess"}, {"token": "é"}, {"origin": "http://evil.example"}], ids=["token", "letters", "origin"]
)
def test_a_stream_for_strangers_is_refused(page: LivePage, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        _stream(page, **wrong)


def test_a_page_gets_the_header_and_then_the_newest_window_each_time_it_asks(page: LivePage) -> None:
    page.show(encode_frame({"seq": 0}))
    with _stream(page) as client:
        assert json.loads(client.recv()) == {"source": "drive.dat"}
        assert _seq(client.recv()) == 0
        for number in range(1, 1000):
            page.show(encode_frame({"seq": number}))
        client.send("next")
        # The event loop may still be waking up for an earlier one; the last is always the newest.
        seen = _seq(client.recv())
        while seen < 999:
            client.send("next")
            seen = _seq(client.recv())


def test_a_page_that_never_asks_holds_nothing_up(page: LivePage) -> None:
    with _stream(page) as idle, _stream(page) as busy:
        for client in (idle, busy):
            client.recv()
        for number in range(50):
            page.show(encode_frame({"seq": number}, bytes(100_000)))
            if number == 0:
                idle.recv()
            while _seq_of_large(busy.recv()) < number:
                busy.send("next")
            busy.send("next")
        page.close()


def test_a_window_counts_as_taken_once_however_many_pages_take_it(page: LivePage) -> None:
    page.show(encode_frame({"seq": 0}))
    assert page.audience == (0, 0, 1, True)
    page.show(encode_frame({"seq": 1}))
    for number in (1, 2):
        with _stream(page) as client:
            client.recv()
            assert _seq(client.recv()) == 1
        assert page.audience == (number, 1, 2, False)


def test_a_page_that_has_not_asked_gets_the_last_window_and_the_last_word_all_the_same(page: LivePage) -> None:
    with _stream(page) as client:
        client.recv()
        for number in range(2):
            page.show(encode_frame({"seq": number}))
        page.conclude(encode_frame({"seq": -1}))
        page.close()
        seqs = [_seq(message) for message in client]
    assert seqs in ([0, 1, -1], [1, -1])
    assert page.audience[1:] == (len(seqs) - 1, 2, False)


def _seq_of_large(message: bytes | str) -> int:
    assert isinstance(message, bytes)
    return int(json.loads(message[4 : 4 + int.from_bytes(message[:4], "little")])["seq"])


def test_bytes_from_a_page_end_its_stream_alone(page: LivePage) -> None:
    with _stream(page) as rude, _stream(page) as polite:
        rude.recv()
        polite.recv()
        rude.send(b"\x00")
        with pytest.raises(ConnectionClosed):
            rude.recv()
        page.show(encode_frame({"seq": 3}))
        assert _seq(polite.recv()) == 3


def test_closing_ends_open_streams_and_the_thread() -> None:
    page = LivePage({})
    with _stream(page) as client:
        client.recv()
        page.show(encode_frame({"seq": 1}))
        assert _seq(client.recv()) == 1
        page.close()
        with pytest.raises(ConnectionClosed):
            client.recv()
    page.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "eventdet page"]


def test_a_taken_port_is_an_error_with_a_hint() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OutputError, match="cannot be bound"):
        LivePage({}, port=taken.getsockname()[1])
