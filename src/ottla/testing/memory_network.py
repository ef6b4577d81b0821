"""Streams between clients and servers in memory: no socket, no time but the loop's own.

    network = MemoryNetwork(loop)
    network.listen(Address("a", 9092), server)
    Cluster("a:9092", connector=network.connect)

What leaves one end reaches the other in a later callback of its loop, never at once. Servers live
on the network's loop; clients may be on any other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from ottla.client.address import Address

READ_AT_ONCE_MAX = 1 << 30


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
    `piece_bytes` how much comes at once. Where it `is_strict`, no client may write to a stream that
    has ended, as real ones may not know that it has.
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
        self.is_strict = False
        self.piece_bytes = READ_AT_ONCE_MAX
        self._servers: dict[Address, Server] = {}
        self._ending = threading.Lock()

    def listen(self, address: Address, server: Server) -> None:
        """Serve an address, from now on by this server."""
        self._servers[address] = server

    def refuse(self, address: Address) -> None:
        """Refuse connects; streams go on."""
        self._servers.pop(address, None)

    def stop(self, address: Address) -> None:
        """As when the process there is killed: refuse connects, end all streams."""
        self.refuse(address)
        self.cut(address)

    def cut(self, address: Address) -> None:
        """End the streams to an address."""
        for stream in list(self.streams):
            if stream.address == address:
                stream.end()

    def resume(self, address: Address) -> None:
        """Let a stalled address go on, with what it owes."""
        self.stalled.discard(address)
        for stream in list(self.streams):
            if stream.address == address:
                stream.deliver()

    async def connect(self, address: Address, protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """The client's `Connector`."""
        await self.open(address, protocol)

    async def open(
        self, address: Address, protocol: Callable[[], asyncio.BaseProtocol]
    ) -> MemoryStream:
        """Connect. Raises ConnectionRefusedError."""
        self.connects.append(address)
        await asyncio.sleep(0)
        if address in self.silent:
            await asyncio.get_running_loop().create_future()
        server = self._servers.get(address)
        if server is None or self.event_cuts():
            raise ConnectionRefusedError(f"nobody listens on {address}")
        return MemoryStream(self, address, protocol(), server)

    def event_cuts(self) -> bool:
        """Count an event; whether the network fails at it."""
        self.events += 1
        return self.events == self.cut_at

    def begun(self, stream: MemoryStream) -> None:
        """For streams."""
        self.streams.append(stream)

    def ended(self, stream: MemoryStream) -> bool:
        """For streams: whether this is the first to say so, of the two sides."""
        with self._ending:
            if stream not in self.streams:
                return False
            self.streams.remove(stream)
            return True


class MemoryStream(asyncio.Transport):
    """One stream; to the client it is its transport, to the server end its way back.

    Made on the client's loop, which `loop` is.
    """

    def __init__(
        self,
        network: MemoryNetwork,
        address: Address,
        protocol: asyncio.BaseProtocol,
        server: Server,
    ) -> None:
        super().__init__()
        self.address = address
        self.loop = asyncio.get_running_loop() if _is_running() else network.loop
        self._network = network
        self._protocol = protocol
        self.on_the_way = b""
        """What has come so far, and the client has not got."""
        self._sent: deque[tuple[float, bytes | None]] = deque()
        self._ended = False
        self._is_near = self.loop is network.loop
        self._server: ServerEnd | None = None
        network.begun(self)
        if self._is_near:
            self._accept(server)
        else:
            self._there(self._accept, server)
        protocol.connection_made(self)

    # -- two loops -------------------------------------------------------------------------------

    def _there(self, call: Callable[..., object], *args: Any) -> bool:
        """Call on the server's loop, in a later turn; False after the loop's end."""
        return self._hop(self._network.loop, call, *args)

    def _here(self, call: Callable[..., object], *args: Any) -> bool:
        """Call on the client's loop, in a later turn; False after the loop's end."""
        return self._hop(self.loop, call, *args)

    def _hop(
        self, loop: asyncio.AbstractEventLoop, call: Callable[..., object], *args: Any
    ) -> bool:
        try:
            if self._is_near:
                loop.call_soon(call, *args)
            else:
                loop.call_soon_threadsafe(call, *args)
        except RuntimeError:  # the loop is closed: nobody is there any more
            return False
        return True

    def _accept(self, server: Server) -> None:
        self._server = server(self)

    # -- the client's side -----------------------------------------------------------------------

    def write(self, data: Any) -> None:
        if self._ended:
            assert not self._network.is_strict, "the client writes to a stream that has ended"
            return
        if self._network.event_cuts():
            self.end()
            return
        self._there(self._to_server, bytes(data))

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
        cast(asyncio.BufferedProtocol, self._protocol).pause_writing()

    def drain(self) -> None:
        """Have room again."""
        cast(asyncio.BufferedProtocol, self._protocol).resume_writing()

    # -- the server's side -----------------------------------------------------------------------

    def send(self, data: bytes) -> None:
        """Send to the client."""
        if self._ended or not data:
            return
        if self._is_near:
            self._take(data)
        else:
            self._here(self._take, data)

    def finish(self) -> None:
        """End the stream once all that was sent has arrived."""
        if self._is_near:
            self._take(None)
        elif not self._here(self._take, None):
            self.end()

    def _take(self, data: bytes | None) -> None:
        last_due_s = self._sent[-1][0] if self._sent else 0.0
        # Rounded, or 6 ms + 3 ms would be a little later than 9 ms, and never arrive.
        due_s = round(self.loop.time() + self._network.delay_ms() / 1000, 6)
        due_s = max(last_due_s, due_s)
        self._sent.append((due_s, data))
        self.loop.call_at(due_s, self._arrive, due_s)

    def _arrive(self, due_s: float) -> None:
        # By the number of the timer, not by the clock: a loop runs a timer a little early.
        while self._sent and self._sent[0][0] <= due_s:
            _, data = self._sent.popleft()
            if data is None:
                self.deliver()
                self.end()
                return
            self.on_the_way += data
        self.deliver()

    def end(self) -> None:
        """End the stream for both sides."""
        if not self._network.ended(self):
            return
        self._ended = True
        self._here(self._protocol.connection_lost, None)
        self._there(self._server_closed)

    def _server_closed(self) -> None:
        if self._server is not None:
            self._server.closed()

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
        if not isinstance(self._protocol, asyncio.BufferedProtocol):
            count = min(len(self.on_the_way), self._network.piece_bytes)
            piece, self.on_the_way = self.on_the_way[:count], self.on_the_way[count:]
            cast(asyncio.Protocol, self._protocol).data_received(piece)
            return
        buffer = cast(memoryview, self._protocol.get_buffer(-1))
        count = min(len(buffer), len(self.on_the_way), self._network.piece_bytes)
        buffer[:count] = self.on_the_way[:count]
        self.on_the_way = self.on_the_way[count:]
        self._protocol.buffer_updated(count)

    def _to_server(self, data: bytes) -> None:
        if not self._ended and self._server is not None:
            self._server.received(data)


def _is_running() -> bool:
    return asyncio._get_running_loop() is not None
