"""The faults of `fault_proxy`, between clients and a broker on a network in memory."""

from __future__ import annotations

import asyncio

from ottla.client.address import Address
from ottla.testing.fault_proxy import READ_AHEAD_BYTES, FaultProxy
from ottla.testing.faults import Faults
from ottla.testing.memory_network import MemoryNetwork, MemoryStream


class MemoryFaultProxy(FaultProxy):
    """Listens on an address of the network; it is made, opened and closed on the network's loop."""

    def __init__(self, faults: Faults, network: MemoryNetwork, address: Address) -> None:
        super().__init__(faults)
        self.host, self.port = address.host, address.port
        self._network = network
        self._address = address

    async def open(self) -> None:
        """See `FaultProxy`."""
        self._network.listen(self._address, lambda stream: _ClientEnd(self, stream))

    async def close(self) -> None:
        """See `FaultProxy`."""
        self._network.refuse(self._address)
        await super().close()

    async def dial(
        self, target: tuple[str, int]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """See `FaultProxy`."""
        protocol, reader = _reading()
        stream = await self._network.open(Address(*target), lambda: protocol)
        return reader, _writing(stream, protocol, reader)


class _ClientEnd:
    """A client's stream, as asyncio's streams."""

    def __init__(self, proxy: MemoryFaultProxy, stream: MemoryStream) -> None:
        self._protocol, reader = _reading()
        back = _WayBack(stream)
        self._protocol.connection_made(back)
        proxy.accept(reader, _writing(back, self._protocol, reader))

    def received(self, data: bytes) -> None:
        self._protocol.data_received(data)

    def closed(self) -> None:
        self._protocol.connection_lost(None)


class _WayBack(asyncio.Transport):
    """From the proxy to the client."""

    def __init__(self, stream: MemoryStream) -> None:
        super().__init__()
        self._stream = stream
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._stream.send(bytes(data))

    def is_closing(self) -> bool:
        return self._is_closing or self._stream.is_closing()

    def abort(self) -> None:
        self._is_closing = True
        self._stream.end()

    def close(self) -> None:
        self._is_closing = True
        self._stream.finish()


def _reading() -> tuple[asyncio.StreamReaderProtocol, asyncio.StreamReader]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(READ_AHEAD_BYTES, loop)
    return asyncio.StreamReaderProtocol(reader, loop=loop), reader


def _writing(
    transport: asyncio.Transport,
    protocol: asyncio.StreamReaderProtocol,
    reader: asyncio.StreamReader,
) -> asyncio.StreamWriter:
    return asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
