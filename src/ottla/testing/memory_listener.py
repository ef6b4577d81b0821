"""A broker's listener on a `MemoryNetwork`: real connections, whose bytes come without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from ottla.base.world import Clock
from ottla.client.address import Address
from ottla.testing.memory_network import MemoryNetwork, MemoryStream, ServerEnd
from ottla.transport.connection import Connection, FrameHandler
from ottla.transport.listener import Listener, ListenerLimits, ReadMemory
from ottla.transport.outbox import FileRegion, Outbox, Segment

CLIENT_ADDRESS = ("127.0.0.1", 0)
"""Whoever connects is of this very process."""


class _InOrder(set[Connection]):
    """Connections in the order of their making: a run with a seed is the same every time."""

    def __init__(self) -> None:
        super().__init__()
        self._order: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        super().add(connection)
        self._order[connection] = None

    def discard(self, connection: object) -> None:
        if connection in self:
            assert isinstance(connection, Connection)
            super().discard(connection)
            del self._order[connection]

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._order))


class MemoryListener(Listener):
    """Listens on a network in memory instead of a port."""

    def __init__(
        self,
        network: MemoryNetwork,
        name: str,
        handler: FrameHandler,
        memory: ReadMemory,
        limits: ListenerLimits,
        clock: Clock,
    ) -> None:
        super().__init__(name, handler, memory, limits, clock)
        self.connections = _InOrder()
        self._network = network
        self._place: Address | None = None

    def bind(self, host: str, port: int) -> None:
        """See `Listener`; every address is free."""
        self._place = Address(host, port)
        self.address = (host, port)

    async def accept(self) -> None:
        """See `Listener`."""
        await super().accept()
        assert self._place is not None
        self._network.listen(self._place, lambda stream: serve(self, stream))

    def stop_accepting(self) -> None:
        """See `Listener`."""
        super().stop_accepting()
        if self._place is not None:
            self._network.refuse(self._place)

    def _tune(self, connection: Connection) -> None:
        """There is no socket whose buffers have a size."""


def serve(listener: MemoryListener, stream: MemoryStream) -> ServerEnd:
    """Take a stream as one more connection of a listener."""
    return _ServedEnd(listener, stream)


class _ServedEnd:
    """One connection, as the broker sees it."""

    def __init__(self, listener: MemoryListener, stream: MemoryStream) -> None:
        self._transport = _ServedTransport(stream, listener.address, on_reading=self._read)
        self._connection = _ServedConnection(listener)
        self._connection.connection_made(cast(asyncio.Transport, self._transport))
        self._unread = b""

    def received(self, data: bytes) -> None:
        self._unread += data
        self._read()

    def _read(self) -> None:
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


class _ServedConnection(Connection):
    """Sends by the stream instead of a descriptor."""

    __slots__ = ()

    def open_outbox(self, stream: asyncio.Transport) -> Outbox:
        transport = cast(_ServedTransport, stream)
        return MemoryOutbox(transport.stream, self._owner.loop)


class _ServedTransport:
    """What the broker's connection needs of its transport."""

    def __init__(
        self,
        stream: MemoryStream,
        address: tuple[str, int],
        *,
        on_reading: Callable[[], None],
    ) -> None:
        self.stream = stream
        self.reading = True
        self.closing = False
        self._address = address
        self._on_reading = on_reading

    def get_extra_info(self, name: str) -> Any:
        return {"sockname": self._address, "peername": CLIENT_ADDRESS}.get(name)

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True
        self.stream.end()

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True
        asyncio.get_running_loop().call_soon(self._on_reading)


class MemoryOutbox(Outbox):
    """The broker's way out, which always has room."""

    __slots__ = ("_stream",)

    def __init__(self, stream: MemoryStream, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(-1, loop, on_room=_nothing, on_broken=_nothing)
        self._stream = stream

    def send(self, segments: Sequence[Segment]) -> None:
        """See `Outbox`."""
        if not self.broken:
            self._stream.send(b"".join(map(_bytes_of, segments)))


def _nothing(*_: object) -> None:
    """There is always room, and the stream itself tells its end."""


def _bytes_of(segment: Segment) -> bytes:
    if isinstance(segment, FileRegion):
        return bytes(segment.file.read_at(segment.position, segment.length))
    return bytes(segment)
