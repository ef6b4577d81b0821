"""A small HTTP server for what a node tells of itself: GET and HEAD, answers made at once.

h11 reads and writes the protocol; the limits are here. Imported only where somebody wants it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, NamedTuple, cast

import h11

from ottla.base.limits import (
    HTTP_BODY_BYTES_MAX,
    HTTP_CONNECTIONS_MAX,
    HTTP_HEAD_BYTES_MAX,
    HTTP_IDLE_SECONDS_MAX,
)
from ottla.transport.listener import bind

log = logging.getLogger(__name__)

BACKLOG: Final = 64
PLAIN: Final = "text/plain; charset=utf-8"
READING_METHODS: Final = ("GET", "HEAD")


class HttpAnswer(NamedTuple):
    """What one request gets."""

    status: HTTPStatus
    body: bytes
    content_type: str = PLAIN


Respond = Callable[[str], Awaitable[HttpAnswer]]
"""The answer for a path, without its query."""


class HttpListener:
    """One address; `address` is what was bound."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        # The one that was used last is the last.
        self._connections: dict[HttpConnection, None] = {}
        self.address: tuple[str, int] = ("", 0)

    def bind(self, host: str, port: int) -> None:
        """Take the address. Raises UserError where it is taken, foreign or not allowed."""
        self._sockets = bind(host, port, backlog=BACKLOG, option="--http")
        self.address = self._sockets[0].getsockname()[:2]

    async def accept(self) -> None:
        """Begin to serve."""
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            server = await loop.create_server(
                lambda: HttpConnection(self, self._respond), sock=sock, backlog=BACKLOG
            )
            self._servers.append(server)

    def stop(self) -> None:
        """Give the address back, and close every connection."""
        for server in self._servers:
            server.close()
        for sock in self._sockets[len(self._servers) :]:
            sock.close()
        for connection in list(self._connections):
            connection.abort()

    # -- what connections tell -------------------------------------------------------------------

    def entered(self, connection: HttpConnection) -> None:
        """A new one. Where there are too many, the one that was not used for longest goes."""
        self._connections[connection] = None
        if len(self._connections) > HTTP_CONNECTIONS_MAX:
            oldest = next(iter(self._connections))
            # Its end comes in a later turn, and until then others may enter: each ends another.
            self.left(oldest)
            oldest.abort()

    def used(self, connection: HttpConnection) -> None:
        if self._connections.pop(connection, self) is None:
            self._connections[connection] = None

    def left(self, connection: HttpConnection) -> None:
        self._connections.pop(connection, None)


class HttpConnection(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, listener: HttpListener, respond: Respond) -> None:
        self._listener = listener
        self._respond = respond
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HTTP_HEAD_BYTES_MAX)
        self._transport: asyncio.Transport | None = None
        self._request: h11.Request | None = None
        self._body_bytes = 0
        self._is_full = False
        self._answering: asyncio.Task[None] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    # -- life ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._listener.entered(self)
        self._begin_idling()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._listener.left(self)
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        if self._answering is not None:
            self._answering.cancel()

    def eof_received(self) -> bool:
        """Who sends no more may still wait for an answer."""
        self._http.receive_data(b"")
        self._advance()
        return self._answering is not None

    def pause_writing(self) -> None:
        """It does not take its answers: no more are made until it does."""
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False
        self._go_on()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _begin_idling(self) -> None:
        """From now on it has so much time to send a request, or to read its answer."""
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._idle_timer = asyncio.get_running_loop().call_later(HTTP_IDLE_SECONDS_MAX, self.abort)

    # -- reading ---------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._advance()
        if self._is_busy and self._transport is not None:
            self._transport.pause_reading()  # whatever comes meanwhile can wait

    @property
    def _is_busy(self) -> bool:
        """An answer is being made, or is not taken."""
        return self._answering is not None or self._is_full

    def _advance(self) -> None:
        """Take what has arrived, as far as one whole request."""
        try:
            while not self._is_busy and self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError as error:
            self._refuse(HTTPStatus(error.error_status_hint), str(error))

    def _take(self, event: object) -> bool:
        """Whether there may be more."""
        match event:
            case h11.Request():
                self._request, self._body_bytes = event, 0
            case h11.Data():
                self._body_bytes += len(event.data)
                if self._body_bytes > HTTP_BODY_BYTES_MAX:
                    self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
                    return False
            case h11.EndOfMessage():
                assert self._request is not None
                self._begin_idling()  # what it was silent before is not the answer's time
                self._answering = asyncio.ensure_future(self._answer(self._request))
                self._answering.add_done_callback(self._answered)
                return False
            case h11.ConnectionClosed():
                self._close()
                return False
            case _:
                return False
        return True

    # -- answering -------------------------------------------------------------------------------

    async def _answer(self, request: h11.Request) -> None:
        method = request.method.decode("ascii")
        path = request.target.decode("ascii", "replace").partition("?")[0]
        if method in READING_METHODS:
            try:
                answer = await self._respond(path)
            except Exception:
                log.exception("an HTTP request failed: please report", extra={"path": path})
                answer = HttpAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, b"see the log\n")
        else:
            answer = HttpAnswer(HTTPStatus.METHOD_NOT_ALLOWED, b"only GET and HEAD\n")
        self._send(answer, with_body=method != "HEAD")

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._answering = None
        if self._transport is None or task.cancelled():
            return
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            self._close()
            return
        self._http.start_next_cycle()
        self._listener.used(self)
        self._begin_idling()
        self._go_on()

    def _go_on(self) -> None:
        """The next request may have arrived with the last; more is read once all are answered."""
        if self._transport is None or self._transport.is_closing() or self._is_busy:
            return
        self._advance()
        if not self._is_busy:
            self._transport.resume_reading()

    def _refuse(self, status: HTTPStatus, reason: str) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send(HttpAnswer(status, f"{reason}\n".encode()), with_body=True, last=True)
        self._close()

    def _send(self, answer: HttpAnswer, *, with_body: bool, last: bool = False) -> None:
        if self._transport is None:
            return
        headers = [
            ("Content-Type", answer.content_type),
            ("Content-Length", str(len(answer.body))),
            ("Cache-Control", "no-store"),
        ]
        if answer.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", ", ".join(READING_METHODS)))
        if last:
            headers.append(("Connection", "close"))
        events: list[h11.Event] = [
            h11.Response(
                status_code=answer.status, headers=headers, reason=answer.status.phrase.encode()
            )
        ]
        if with_body:
            events.append(h11.Data(data=answer.body))
        events.append(h11.EndOfMessage())
        sent = (self._http.send(event) for event in events)
        self._transport.write(b"".join(piece for piece in sent if piece))

    def _close(self) -> None:
        """Once everything is sent, and at the latest when its time is over."""
        if self._transport is not None:
            self._transport.close()
