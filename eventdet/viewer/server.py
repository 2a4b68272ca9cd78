"""The server of the live page: a thread with an event loop of its own, which the stream never waits for.

A page gets the newest window when it has drawn the one before, so that a slow browser skips windows and nothing queues.
Whoever wants to look needs the address with its token; the names under which the server may be called and the origins
that may open a socket are checked too, so that no other page in the same browser can watch.
"""

import asyncio
import json
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from eventdet.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.websockets import WebSocket

__all__ = ["Audience", "LivePage"]

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_ASSETS = {
    "page.js": "text/javascript; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_MOST_CLIENTS = 16
_POLICY_VIOLATION = 1008
_TRY_LATER = 1013
_START_S = 10.0
_GRACE_S = 1
"""How long the end waits for pages that do not take their last window."""


class Audience(NamedTuple):
    """Who has looked on."""

    num_pages: int
    """Pages that were opened."""

    num_taken: int
    """Windows that a page took."""

    num_shown: int
    """Windows in all."""

    is_waiting: bool
    """Whether the newest of them may still be taken."""


class LivePage:
    """Serves the page until closed.

    Parameters
    ----------
    about : mapping
        Values for JSON that hold for the whole stream; every page gets them first.
    host, port : str, int
        Where to listen; port 0: the system chooses one.

    Raises
    ------
    MissingExtraError
        When the extra ``web`` is not installed.
    OutputError
        When the port cannot be bound.
    """

    def __init__(self, about: Mapping[str, object], *, host: str = "127.0.0.1", port: int = 0) -> None:
        try:
            import uvicorn
        except ImportError as error:
            raise MissingExtraError("the live page", extra="web") from error
        self._about = dict(about)
        self._token = secrets.token_urlsafe(24)
        self._socket = _bind(host, port)
        self._host, self._port = host, int(self._socket.getsockname()[1])
        self._clients: set[_Client] = set()
        self._num_pages = 0
        # Of windows: how many were taken, and the number of the newest of them.
        self._taken = (0, 0)
        # One value, since two threads look: the number of the newest window, from 1 on, and its message.
        self._newest = (0, b"")
        self._farewell = b""
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            self._application(), log_level="critical", access_log=False, lifespan="off", ws="websockets-sansio",
            ws_per_message_deflate=False, ws_max_size=1024, timeout_graceful_shutdown=_GRACE_S,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="eventdet page", daemon=True)
        self._thread.start()
        self._started.wait(_START_S)

    @property
    def url(self) -> str:
        """Address of the page with its token."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}/?token={self._token}"

    @property
    def audience(self) -> Audience:
        """Who has looked on so far; any thread may ask."""
        # In this order, and a window that was taken has been shown: so none that is taken meanwhile counts as lost.
        shown, (taken, newest_taken) = self._newest[0], self._taken
        return Audience(self._num_pages, taken, max(shown, newest_taken), newest_taken < shown)

    def show(self, message: bytes) -> None:
        """Let every page draw a window, a message of `encode_frame`, as soon as it can; never waits."""
        self._newest = (self._newest[0] + 1, message)
        self._call(self._wake)

    def conclude(self, message: bytes) -> None:
        """Let every page have a message of `encode_frame` after the last window."""
        self._farewell = message
        self._call(self._wake)

    def close(self) -> None:
        """Let pages take the last window, and stop; a second call does nothing."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        loop.call_soon_threadsafe(self._end)
        self._thread.join()

    def _call(self, action: Callable[[], None]) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(action)

    def _serve(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        # The socket listens already: who comes before the server is up waits.
        self._started.set()
        await self._server.serve(sockets=[self._socket])

    def _wake(self) -> None:
        for client in self._clients:
            client.news.set()

    def _end(self) -> None:
        for client in self._clients:
            client.is_ending = True
            client.news.set()
        self._server.should_exit = True

    def _application(self) -> "Starlette":
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.routing import Route, WebSocketRoute

        # Bound to every address, the server cannot know its names; the token and the origin still hold.
        names = ["*"] if self._host in ("0.0.0.0", "::") else [self._host, *_LOCAL_NAMES]
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/assets/{name}", _asset),
                WebSocketRoute("/stream", self._stream),
            ],
            middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=names, www_redirect=False)],
        )

    async def _page(self, request: "Request") -> "Response":
        from starlette.responses import PlainTextResponse, Response

        if not self._knows(request.query_params.get("token")):
            return PlainTextResponse("open the address with the token that eventdet printed\n", 403, headers=_HEADERS)
        return Response(_read("page.html"), media_type="text/html; charset=utf-8", headers=_HEADERS)

    async def _stream(self, socket_: "WebSocket") -> None:
        origin = socket_.headers.get("origin", "")
        own = f"http://{socket_.headers.get('host', '')}"
        if not self._knows(socket_.query_params.get("token")) or origin != own:
            await socket_.close(_POLICY_VIOLATION)
            return
        if len(self._clients) >= _MOST_CLIENTS:
            await socket_.close(_TRY_LATER)
            return
        await socket_.accept()
        await socket_.send_text(json.dumps(self._about))
        client = _Client()
        self._clients.add(client)
        self._num_pages += 1
        reader = asyncio.create_task(client.read(socket_))
        try:
            await self._send_news(socket_, client)
        finally:
            self._clients.discard(client)
            reader.cancel()

    async def _send_news(self, socket_: "WebSocket", client: "_Client") -> None:
        from starlette.websockets import WebSocketDisconnect

        seen, is_told = 0, False
        try:
            while not client.is_gone:
                # At the end the page gets what is left without being asked: it draws in order.
                may_send = client.is_ready or client.is_ending
                number, message = self._newest
                if may_send and number > seen:
                    client.is_ready, seen = False, number
                    self._take(number)
                    await socket_.send_bytes(message)
                elif may_send and self._farewell and not is_told:
                    client.is_ready, is_told = False, True
                    await socket_.send_bytes(self._farewell)
                elif client.is_ending:
                    await socket_.close()
                    return
                else:
                    client.news.clear()
                    await client.news.wait()
        except WebSocketDisconnect:
            return

    def _take(self, number: int) -> None:
        if number > self._taken[1]:
            self._taken = (self._taken[0] + 1, number)

    def _knows(self, token: str | None) -> bool:
        return token is not None and secrets.compare_digest(token.encode(), self._token.encode())


class _Client:
    """A page that looks on."""

    def __init__(self) -> None:
        self.news = asyncio.Event()
        self.is_ready = True
        self.is_gone = False
        self.is_ending = False

    async def read(self, socket_: "WebSocket") -> None:
        """Note that the page has drawn, or has gone: who only sends would never learn the latter."""
        from starlette.websockets import WebSocketDisconnect

        try:
            while True:
                await socket_.receive_text()
                self.is_ready = True
                self.news.set()
        except (WebSocketDisconnect, KeyError):
            # A message of bytes, which no page of ours sends, has no text.
            self.is_gone = True
            self.news.set()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise OutputError(f"page {host}:{port}: {error.strerror or error}") from error
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        raise OutputError(
            f"page {host}:{port} cannot be bound: {error.strerror}", hint="port 0 takes a free one"
        ) from error
    return bound


async def _asset(request: "Request") -> "Response":
    from starlette.responses import PlainTextResponse, Response

    kind = _ASSETS.get(request.path_params["name"])
    if kind is None:
        return PlainTextResponse("there is no such file\n", 404, headers=_HEADERS)
    return Response(_read(request.path_params["name"]), media_type=kind, headers=_HEADERS)


def _read(name: str) -> bytes:
    return (resources.files(__package__) / "page" / name).read_bytes()
