"""A client of a `MemoryBroker`: a real connection whose bytes a test carries both ways."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import Any, TypeVar, cast

from ottla.base.limits import READ_BUDGET_BYTES, READ_SCRATCH_BYTES
from ottla.base.world import Clock
from ottla.broker.handlers import handlers
from ottla.transport.connection import Connection, FrameHandler
from ottla.transport.read_budget import ReadBudget
from ottla.wire.compiler import codec
from ottla.wire.frames import request_frame
from ottla.wire.headers import decode_response_header
from ottla.wire.schema import Message, responses
from tests.support.memory_broker import MemoryBroker

A = TypeVar("A", bound=Message)

REQUEST_BYTES_MAX = 100 << 20
POISON = b"\xee"


class FakeTransport:
    """What a connection needs of its transport; it is written to a file that is never full."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 # closed with the client
        self.reading = True
        self.closing = False

    def fileno(self) -> int:
        return self.file.fileno()

    def get_extra_info(self, name: str) -> Any:
        match name:
            case "socket":
                return self
            case "sockname":
                return self._client.local_address
            case _:
                return ("192.0.2.7", 50_000)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        if not self.closing:
            self.closing = True
            self._client.loop.call_soon(self._client.connection.connection_lost, None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._client.loop.call_soon(self._client.deliver)


class Client:
    """One connection; what a listener is to a connection, this is too.

    After each read event the shared read buffer is overwritten: nobody may still depend on it.
    """

    def __init__(
        self,
        broker: MemoryBroker,
        *,
        listener: str = "PLAINTEXT",
        local_address: tuple[str, int] = ("127.0.0.1", 9092),
    ) -> None:
        self.name = listener
        self.handler: FrameHandler = broker.dispatcher
        self.scratch = memoryview(bytearray(READ_SCRATCH_BYTES))
        self.budget = ReadBudget(READ_BUDGET_BYTES)
        self.request_bytes_max = REQUEST_BYTES_MAX
        self.clock: Clock = broker.clock
        self.loop: asyncio.AbstractEventLoop = broker.loop
        self._steps = broker.loop
        self.local_address = local_address
        self._unread = b""
        self._asked: dict[int, tuple[int, int]] = {}
        self._next_correlation_id = 0
        self._taken = 0
        self._transport = FakeTransport(self)
        self.connection = Connection(self)
        self.connection.connection_made(cast(asyncio.Transport, self._transport))

    # -- what a connection asks of its listener --------------------------------------------------

    def admit(self, connection: Connection) -> bool:
        return True

    def left(self, connection: Connection) -> None:
        self.handler.closed(connection)

    def memory_is_short(self) -> None:
        raise AssertionError("one client cannot use up the read budget")

    # -- the client's end ------------------------------------------------------------------------

    def ask(self, request: Message, answer: type[A], *, version: int | None = None) -> A:
        """Send one request and take its answer, which must come at once."""
        self.send(request, version=version)
        (response,) = self.answers()
        assert isinstance(response, answer), response
        return response

    def send(self, *asked: Message, version: int | None = None) -> None:
        """Send requests in one read event, by default in their newest version."""
        self.send_bytes(b"".join(self.frame_of(request, version) for request in asked))

    def send_each(self, *asked: tuple[Message, int]) -> None:
        """Send requests in one read event, each in a version of its own."""
        self.send_bytes(b"".join(self.frame_of(request, version) for request, version in asked))

    def send_bytes(self, data: bytes) -> None:
        """Send these bytes in one read event, as far as the read buffer holds them."""
        self._unread += data
        self.loop.call_soon(self.deliver)
        self._steps.settle()

    def answers(self) -> list[Message]:
        """All answers since the last call, in the order in which they came."""
        found = []
        while frame := self._next_frame():
            correlation_id = int.from_bytes(frame[:4], "big")
            key, version = self._asked.pop(correlation_id)
            found.append(decode_answer(frame, key, version))
        return found

    def raw_answer(self) -> bytes:
        """The next answer as it is, without its size."""
        frame = self._next_frame()
        assert frame, "no answer has come"
        return frame

    @property
    def is_closed(self) -> bool:
        return self._transport.closing

    def disconnect(self) -> None:
        """Go away."""
        self._transport.abort()
        self._steps.settle()

    def close(self) -> None:
        """End the test."""
        self._transport.file.close()

    def deliver(self) -> None:
        """One read event after the other, as long as the connection wants to read."""
        while self._unread and self._transport.reading and not self._transport.closing:
            buffer = self.connection.get_buffer(-1)
            taken = min(len(buffer), len(self._unread))
            buffer[:taken] = self._unread[:taken]
            self._unread = self._unread[taken:]
            self.connection.buffer_updated(taken)
            spoilt = min(taken, len(self.scratch))
            self.scratch[:spoilt] = POISON * spoilt

    def frame_of(self, request: Message, version: int | None = None) -> bytes:
        """The bytes of a request, by default in its newest version."""
        key = request.API_KEY
        asked_in = handlers[key].versions.max if version is None else version
        self._next_correlation_id += 1
        self._asked[self._next_correlation_id] = (key, asked_in)
        return bytes(
            request_frame(
                request,
                version=asked_in,
                correlation_id=self._next_correlation_id,
                client_id="memory-client",
            )
        )

    def _next_frame(self) -> bytes:
        fd = self._transport.fileno()
        prefix = os.pread(fd, 4, self._taken)
        if not prefix:
            return b""
        size = int.from_bytes(prefix, "big")
        frame = os.pread(fd, size, self._taken + 4)
        assert len(frame) == size, "an answer is cut short"
        self._taken += 4 + size
        return frame


def decode_answer(frame: bytes, key: int, version: int) -> Message:
    """The message of a frame, which must be exactly that."""
    view = memoryview(frame)
    _, position = decode_response_header(view, 0, len(view), api_key=key, version=version)
    message, end = codec(responses[key], version).decode(view, position, len(view))
    assert end == len(view), "bytes follow the answer"
    assert isinstance(message, Message)
    return message
