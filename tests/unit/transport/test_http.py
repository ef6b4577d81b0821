"""The small HTTP server: what it answers, whom it refuses, and when it lets go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, cast

import pytest

from ottla.base.limits import (
    HTTP_BODY_BYTES_MAX,
    HTTP_CONNECTIONS_MAX,
    HTTP_HEAD_BYTES_MAX,
    HTTP_IDLE_SECONDS_MAX,
)
from ottla.transport.http import HttpAnswer, HttpConnection, HttpListener
from tests.support.stepped_loop import SteppedClock, SteppedLoop

IDLE_MS = int(HTTP_IDLE_SECONDS_MAX * 1000)


class Transport:
    """The other end of a connection, in memory."""

    def __init__(self) -> None:
        self.sent = b""
        self.closed = False
        self.aborted = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Server:
    """A listener whose connections a test makes."""

    def __init__(self) -> None:
        self.loop = SteppedLoop(SteppedClock())
        self.asked: list[str] = []
        self.held: asyncio.Future[HttpAnswer] | None = None
        self.listener = HttpListener(self._respond)

    async def _respond(self, path: str) -> HttpAnswer:
        self.asked.append(path)
        if path == "/fails":
            raise ValueError("a mistake of ours")
        if path == "/slow":
            self.held = asyncio.get_running_loop().create_future()
            return await self.held
        return HttpAnswer(HTTPStatus.OK, b"found " + path.encode() + b"\n")

    def connect(self) -> Peer:
        return Peer(self)

    def call(self, function: Callable[[], Any]) -> Any:
        result = self.loop.call(function)
        self.loop.settle()
        return result


class Peer:
    """A client."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.transport = Transport()
        self.connection = HttpConnection(server.listener, server._respond)
        made = cast(asyncio.Transport, self.transport)
        server.call(lambda: self.connection.connection_made(made))

    def send(self, data: bytes) -> bytes:
        """The bytes that come in return."""
        before = len(self.transport.sent)
        self._server.call(lambda: self.connection.data_received(data))
        return self.transport.sent[before:]

    def ends(self) -> bool:
        """It sends no more; whether the connection stays for what it is owed."""
        return bool(self._server.call(self.connection.eof_received))

    def leaves(self) -> None:
        self._server.call(lambda: self.connection.connection_lost(None))


def request(path: str, method: str = "GET", extra: str = "", body: bytes = b"") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{extra}\r\n".encode() + body


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.loop.settle()
    server.loop.close()


def test_a_path_is_answered_without_its_query_and_the_connection_goes_on(server: Server) -> None:
    peer = server.connect()
    for path in ("/metrics?name=a", "/health/live"):
        answer = peer.send(request(path))
        assert status_of(answer) == 200
    assert server.asked == ["/metrics", "/health/live"]
    head, _, body = answer.partition(b"\r\n\r\n")
    assert body == b"found /health/live\n"
    assert f"Content-Length: {len(body)}".encode() in head
    assert not peer.transport.closed


def test_a_request_may_come_in_pieces(server: Server) -> None:
    peer = server.connect()
    whole = request("/a")
    assert peer.send(whole[:10]) == b""
    assert status_of(peer.send(whole[10:])) == 200


def test_requests_that_come_together_are_answered_in_their_order(server: Server) -> None:
    answer = server.connect().send(request("/a") + request("/b") + request("/c"))
    assert answer.count(b"HTTP/1.1 200") == 3
    assert server.asked == ["/a", "/b", "/c"]


def test_head_brings_the_length_and_no_body(server: Server) -> None:
    answer = server.connect().send(request("/a", "HEAD"))
    assert b"Content-Length: 9" in answer
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS"])
def test_whoever_wants_to_change_something_is_refused(server: Server, method: str) -> None:
    peer = server.connect()
    answer = peer.send(request("/a", method, "Content-Length: 3\r\n", b"abc"))
    assert status_of(answer) == 405
    assert b"Allow: GET, HEAD" in answer
    assert server.asked == []
    assert status_of(peer.send(request("/a"))) == 200


def test_an_old_client_gets_its_answer_and_the_end(server: Server) -> None:
    peer = server.connect()
    assert status_of(peer.send(b"GET /a HTTP/1.0\r\n\r\n")) == 200
    assert peer.transport.closed


def test_who_wants_to_close_is_closed(server: Server) -> None:
    peer = server.connect()
    assert status_of(peer.send(request("/a", extra="Connection: close\r\n"))) == 200
    assert peer.transport.closed


def test_what_is_no_http_is_refused(server: Server) -> None:
    peer = server.connect()
    assert status_of(peer.send(b"\x00\x00\x00\x0a what is this\r\n\r\n")) == 400
    assert peer.transport.closed


def test_a_head_without_end_is_refused(server: Server) -> None:
    peer = server.connect()
    answer = peer.send(b"GET /a HTTP/1.1\r\n" + b"A: b\r\n" * (HTTP_HEAD_BYTES_MAX // 6))
    assert status_of(answer) == 431
    assert peer.transport.closed


def test_a_body_without_end_is_refused(server: Server) -> None:
    peer = server.connect()
    body = b"x" * (HTTP_BODY_BYTES_MAX + 1)
    answer = peer.send(request("/a", "POST", f"Content-Length: {len(body) + 1}\r\n", body))
    assert status_of(answer) == 413
    assert peer.transport.closed


def test_a_bug_of_ours_is_an_answer_too(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    peer = server.connect()
    assert status_of(peer.send(request("/fails"))) == 500
    assert "a mistake of ours" in caplog.text
    assert status_of(peer.send(request("/a"))) == 200


def test_while_an_answer_is_made_nothing_more_is_read(server: Server) -> None:
    peer = server.connect()
    assert peer.send(request("/slow") + request("/a")) == b""
    assert not peer.transport.reading
    assert server.held is not None
    server.held.set_result(HttpAnswer(HTTPStatus.OK, b"at last\n"))
    server.loop.settle()
    assert peer.transport.sent.count(b"HTTP/1.1 200") == 2
    assert peer.transport.reading


def test_who_takes_no_answers_gets_no_more_until_it_does(server: Server) -> None:
    peer = server.connect()
    server.call(peer.connection.pause_writing)
    peer.transport.sent = b""
    assert peer.send(request("/a") + request("/b")) == b""
    assert (server.asked, peer.transport.reading) == ([], False)
    server.call(peer.connection.resume_writing)
    assert peer.transport.sent.count(b"HTTP/1.1 200") == 2
    assert peer.transport.reading


def test_who_is_refused_and_takes_its_answer_late_is_not_heard_again(server: Server) -> None:
    peer = server.connect()
    length = HTTP_BODY_BYTES_MAX + 1
    head = request("/a", "POST", f"Content-Length: {length}\r\n")
    assert status_of(peer.send(head + b"x" * length)) == 413
    answer = peer.transport.sent
    server.call(peer.connection.pause_writing)
    server.call(peer.connection.resume_writing)
    assert peer.connection._answering is None
    assert peer.transport.sent == answer


def test_what_waits_is_answered_before_more_is_read(server: Server) -> None:
    peer = server.connect()
    peer.send(request("/slow") + request("/slow"))
    assert server.held is not None
    server.held.set_result(HttpAnswer(HTTPStatus.OK, b"first\n"))
    server.loop.settle()
    assert not peer.transport.reading  # otherwise a read for each answer piles up in memory
    server.held.set_result(HttpAnswer(HTTPStatus.OK, b"second\n"))
    server.loop.settle()
    assert peer.transport.reading


def test_who_sends_no_more_still_gets_what_it_is_owed(server: Server) -> None:
    peer = server.connect()
    peer.send(request("/slow"))
    assert peer.ends()
    assert server.held is not None
    server.held.set_result(HttpAnswer(HTTPStatus.OK, b"at last\n"))
    server.loop.settle()
    assert peer.transport.sent.endswith(b"at last\n")
    assert peer.transport.closed


def test_who_is_owed_nothing_and_sends_no_more_is_closed(server: Server) -> None:
    peer = server.connect()
    peer.send(request("/a"))
    assert not peer.ends()
    assert peer.transport.closed


def test_who_leaves_ends_the_work_for_its_answer(server: Server) -> None:
    peer = server.connect()
    peer.send(request("/slow"))
    peer.leaves()
    assert server.held is not None
    assert server.held.cancelled()


def test_who_sends_nothing_for_long_is_let_go(server: Server) -> None:
    silent, half, busy = (server.connect() for _ in range(3))
    half.send(b"GET /a HTT")
    server.loop.advance(IDLE_MS - 1000)
    busy.send(request("/a"))
    server.loop.advance(1000)
    assert (silent.transport.aborted, half.transport.aborted) == (True, True)
    assert not busy.transport.aborted
    server.loop.advance(IDLE_MS)
    assert busy.transport.aborted


def test_an_answer_has_its_own_time_however_late_it_was_asked_for(server: Server) -> None:
    peer = server.connect()
    server.loop.advance(IDLE_MS - 1000)
    peer.send(request("/slow"))
    server.loop.advance(2000)
    assert not peer.transport.aborted
    server.loop.advance(IDLE_MS)
    assert peer.transport.aborted


def test_where_there_are_too_many_the_one_unused_for_longest_goes(server: Server) -> None:
    peers = [server.connect() for _ in range(HTTP_CONNECTIONS_MAX)]
    peers[0].send(request("/a"))
    server.connect()
    assert [peer for peer in peers if peer.transport.aborted] == [peers[1]]
    peers[1].leaves()
    server.connect()
    assert [peer.transport.aborted for peer in peers[:4]] == [False, True, True, False]


def test_where_many_enter_at_once_as_many_go(server: Server) -> None:
    peers = [server.connect() for _ in range(HTTP_CONNECTIONS_MAX + 5)]  # nobody has left yet
    assert [peer.transport.aborted for peer in peers[:6]] == [True] * 5 + [False]


def test_a_stop_closes_everybody(server: Server) -> None:
    peers = [server.connect() for _ in range(2)]
    server.call(server.listener.stop)
    assert all(peer.transport.aborted for peer in peers)
