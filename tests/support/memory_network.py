"""Servers for the streams of `ottla.testing.memory_network`: scripted ones, and a whole broker.

    network = MemoryNetwork(loop)
    network.listen(Address("a", 9092), scripted(ScriptedBroker({...})))
    network.listen(Address("b", 9092), whole_broker(memory_broker))
    Cluster("a:9092", connector=network.connect)

What leaves one end reaches the other in a later callback of the loop, never at once.
"""

from __future__ import annotations

import asyncio
import struct

from ottla.base.limits import READ_BUDGET_BYTES
from ottla.testing.memory_listener import MemoryListener, serve
from ottla.testing.memory_network import MemoryNetwork as Network
from ottla.testing.memory_network import MemoryStream as MemoryStream
from ottla.testing.memory_network import Server, ServerEnd
from ottla.transport.listener import ListenerLimits, ReadMemory
from tests.support.memory_broker import MemoryBroker
from tests.support.scripted_broker import ScriptedBroker

LIMITS = ListenerLimits(
    request_bytes_max=100 << 20,
    connections_max=1 << 30,
    connections_per_ip_max=1 << 30,
    idle_ms_max=-1,
    backlog=1,
    send_buffer_bytes=-1,
    receive_buffer_bytes=-1,
)


class MemoryNetwork(Network):
    """On which our client must not write to streams that have ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.is_strict = True


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

    def server(stream: MemoryStream) -> ServerEnd:
        listener = MemoryListener(
            Network(broker.loop),
            "PLAINTEXT",
            broker.dispatcher,
            ReadMemory(READ_BUDGET_BYTES),
            LIMITS,
            broker.clock,
        )
        listener.address = stream.address
        return serve(listener, stream)

    return server
