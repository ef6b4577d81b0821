"""Streams between our client and brokers in memory: no socket, no time but the test's own.

    network = MemoryNetwork(loop)
    network.listen(Address("a", 9092), scripted(ScriptedBroker({...})))
    network.listen(Address("b", 9092), whole_broker(memory_broker))
    Cluster("a:9092", connector=network.connect)

What leaves one end reaches the other in a later callback of the loop, never at once.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from ottla.base.limits import READ_BUDGET_BYTES, READ_SCRATCH_BYTES
from ottla.base.world import Clock
from ottla.client.address import Address
from ottla.transport.connection import Connection as ServedConnection
from ottla.transport.connection import FrameHandler
from ottla.transport.outbox import FileRegion, Segment
from ottla.transport.read_budget import ReadBudget
from tests.support.memory_broker import MemoryBroker
from tests.support.scripted_broker import ScriptedBroker

REQUEST_BYTES_MAX = 100 << 20


class ServerEnd(Protocol):
    """What a server makes of one stream."""

    def received(self, data: bytes) -> None:
        """The client has sent this."""

    def closed(self) -> None:
        """The stream has ended, by whichever side."""


Server = Callable[["MemoryStream"], ServerEnd]


class MemoryNetwork:
    """Who listens where, and what is wrong with the network.

    `events` counts connects, and writes and deliveries of each side; the stream of the event that
    has the number `cut_at` is cut before it. `delay_ms` says how long a delivery takes;
    `piece_bytes` how much comes at once.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.streams: list[MemoryStream] = []
        self.connects: list[Address] = []
        self.silent: set[Address] = set()
        """Here nobody answers a connect."""
        self.stalled: set[Address] = set()
        """From here nothing is delivered, until `resume`."""
        self.events = 0
        self.cut_at: int | None = None
        self.delay_ms: Callable[[], int] = lambda: 0
        self.piece_bytes = 1 << 30
        self._servers: dict[Address, Server] = {}

    def listen(self, address: Address, server: Server) -> None:
        """Serve an address, from now on by this server."""
        self._servers[address] = server

    def stop(self, address: Address) -> None:
        """As when the process there is killed: refuse connects, end all streams."""
        self._servers.pop(address, None)
        self.cut(address)

    def cut(self, address: Address) -> None:
        """End the streams to an address."""
        for stream in list(self.streams):
            if stream.address == address:
                stream.end()

    def resume(self, address: Address) -> None:
        """Let a stalled address go on, with what it owes."""
        self.stalled.discard(address)
        for stream in self.streams:
            if stream.address == address:
                stream.deliver()

    async def connect(
        self, address: Address, protocol: Callable[[], asyncio.BufferedProtocol]
    ) -> None:
        """The client's `Connector`."""
        self.connects.append(address)
        await asyncio.sleep(0)
        if address in self.silent:
            await self.loop.create_future()
        server = self._servers.get(address)
        if server is None or self.event_cuts():
            raise ConnectionRefusedError(f"nobody listens on {address}")
        MemoryStream(self, address, protocol(), server)

    def event_cuts(self) -> bool:
        """Count an event; whether the network fails at it."""
        self.events += 1
        return self.events == self.cut_at


class MemoryStream(asyncio.Transport):
    """One stream; to the client it is its transport, to the server end its way back."""

    def __init__(
        self,
        network: MemoryNetwork,
        address: Address,
        protocol: asyncio.BufferedProtocol,
        server: Server,
    ) -> None:
        super().__init__()
        self.address = address
        self.loop = network.loop
        self._network = network
        self._protocol = protocol
        self.on_the_way = b""
        """What has come so far, and the client has not got."""
        self._sent: deque[tuple[float, bytes]] = deque()
        self._ended = False
        network.streams.append(self)
        self._server = server(self)
        protocol.connection_made(self)

    # -- the client's side -----------------------------------------------------------------------

    def write(self, data: Any) -> None:
        assert not self._ended, "the client writes to a stream that has ended"
        if self._network.event_cuts():
            self.end()
            return
        self.loop.call_soon(self._to_server, bytes(data))

    def abort(self) -> None:
        self.end()

    def close(self) -> None:
        self.end()

    def is_closing(self) -> bool:
        return self._ended

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def fill(self) -> None:
        """Take nothing more, as a socket whose buffer is full."""
        self._protocol.pause_writing()

    def drain(self) -> None:
        """Have room again."""
        self._protocol.resume_writing()

    # -- the server's side -----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send to the client."""
        if self._ended or not data:
            return
        last_due_s = self._sent[-1][0] if self._sent else 0.0
        # Rounded, or 6 ms + 3 ms would be a little later than 9 ms, and never arrive.
        due_s = round(self.loop.time() + self._network.delay_ms() / 1000, 6)
        due_s = max(last_due_s, due_s)
        self._sent.append((due_s, data))
        self.loop.call_at(due_s, self._arrive)

    def _arrive(self) -> None:
        while self._sent and self._sent[0][0] <= self.loop.time():
            self.on_the_way += self._sent.popleft()[1]
        self.deliver()

    def end(self) -> None:
        """End the stream for both sides."""
        if self._ended:
            return
        self._ended = True
        self._network.streams.remove(self)
        self.loop.call_soon(self._protocol.connection_lost, None)
        self.loop.call_soon(self._server.closed)

    def deliver(self) -> None:
        """Give the client what has come."""
        while self.on_the_way and not self._ended:
            if self.address in self._network.stalled:
                return
            if self._network.event_cuts():
                self.end()
                return
            self.deliver_piece()

    def deliver_piece(self) -> None:
        """Give the client one piece of it, stalled or not."""
        buffer = cast(memoryview, self._protocol.get_buffer(-1))
        count = min(len(buffer), len(self.on_the_way), self._network.piece_bytes)
        buffer[:count] = self.on_the_way[:count]
        self.on_the_way = self.on_the_way[count:]
        self._protocol.buffer_updated(count)

    def _to_server(self, data: bytes) -> None:
        if not self._ended:
            self._server.received(data)


# -- servers -------------------------------------------------------------------------------------


def scripted(broker: ScriptedBroker) -> Server:
    """Serves what a scripted broker says."""
    return lambda stream: _ScriptedEnd(broker, stream)


class _ScriptedEnd:
    def __init__(self, broker: ScriptedBroker, stream: MemoryStream) -> None:
        self._broker = broker
        self._stream = stream
        self._unread = b""

    def received(self, data: bytes) -> None:
        self._unread += data
        while len(self._unread) >= 4:
            end = 4 + int(struct.unpack_from(">i", self._unread)[0])
            if len(self._unread) < end:
                return
            frame, self._unread = self._unread[4:end], self._unread[end:]
            answer = self._broker.answer(memoryview(frame))
            if answer is None:
                self._stream.end()
                return
            self._stream.send(answer)

    def closed(self) -> None:
        self._unread = b""


def raw(answer: bytes) -> Server:
    """Answers the first bytes with these, whatever they were, and hangs up."""
    return lambda stream: _RawEnd(answer, stream)


class _RawEnd:
    def __init__(self, answer: bytes, stream: MemoryStream) -> None:
        self._answer = answer
        self._stream = stream

    def received(self, data: bytes) -> None:
        self._stream.send(self._answer)
        self._stream.loop.call_soon(self._stream.end)

    def closed(self) -> None:
        self._answer = b""


def whole_broker(broker: MemoryBroker) -> Server:
    """Serves all that a broker does; the network must run on its loop."""
    return lambda stream: _BrokerEnd(broker, stream)


class _BrokerEnd:
    """A listener with one connection, as the broker sees it."""

    def __init__(self, broker: MemoryBroker, stream: MemoryStream) -> None:
        self.name = "PLAINTEXT"
        self.handler: FrameHandler = broker.dispatcher
        self.scratch = memoryview(bytearray(READ_SCRATCH_BYTES))
        self.budget = ReadBudget(READ_BUDGET_BYTES)
        self.request_bytes_max = REQUEST_BYTES_MAX
        self.clock: Clock = broker.clock
        self.loop: asyncio.AbstractEventLoop = broker.loop
        self._transport = _BrokerTransport(self, stream)
        self._connection = ServedConnection(self)
        self._connection.connection_made(cast(asyncio.Transport, self._transport))
        self._connection._outbox = _MemoryOutbox(stream)  # type: ignore[assignment]  # what a connection uses of it
        self._unread = b""

    def admit(self, connection: ServedConnection) -> bool:
        return True

    def left(self, connection: ServedConnection) -> None:
        self.handler.closed(connection)

    def memory_is_short(self) -> None:
        raise AssertionError("one client cannot use up the read budget")

    def received(self, data: bytes) -> None:
        self._unread += data
        self.read()

    def read(self) -> None:
        """One read event after the other, as long as the connection wants to read."""
        while self._unread and self._transport.reading and not self._transport.closing:
            buffer = self._connection.get_buffer(-1)
            count = min(len(buffer), len(self._unread))
            buffer[:count] = self._unread[:count]
            self._unread = self._unread[count:]
            self._connection.buffer_updated(count)

    def closed(self) -> None:
        self._transport.closing = True
        self._connection.connection_lost(None)


class _BrokerTransport:
    """What the broker's connection needs of its transport."""

    def __init__(self, end: _BrokerEnd, stream: MemoryStream) -> None:
        self._end = end
        self._stream = stream
        self.reading = True
        self.closing = False

    def fileno(self) -> int:
        return -1

    def get_extra_info(self, name: str) -> Any:
        match name:
            case "socket":
                return self
            case "sockname":
                return self._stream.address
            case _:
                return ("192.0.2.7", 50_000)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True
        self._stream.end()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        self._stream.loop.call_soon(self._end.read)


class _MemoryOutbox:
    """The broker's way out, which always has room."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self.queued_bytes = 0
        self.waiting = False
        self.broken = False

    def send(self, segments: Sequence[Segment]) -> None:
        self._stream.send(b"".join(map(_bytes_of, segments)))

    def close(self) -> None:
        self.broken = True


def _bytes_of(segment: Segment) -> bytes:
    if isinstance(segment, FileRegion):
        return bytes(segment.file.read_at(segment.position, segment.length))
    return bytes(segment)
