"""How a byte stream to a node comes about: the seam for TLS, proxies, and tests without sockets.

What a node must be told before it serves (SASL) is requests on an agreed `Connection`, and belongs
behind `Connection.negotiate`; what comes before the first byte (TCP, TLS) belongs here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from ottla.client.address import Address


class Connector(Protocol):
    """Opens streams."""

    async def __call__(
        self, address: Address, protocol: Callable[[], asyncio.BufferedProtocol]
    ) -> None:
        """Connect, and give the stream to `protocol()` by its `connection_made`.

        Raises OSError. Cancelled, it leaves no open stream behind.
        """
        ...


async def connect_tcp(address: Address, protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
    """A plain TCP stream, to the first of the name's addresses that takes it."""
    loop = asyncio.get_running_loop()
    await loop.create_connection(protocol, address.host, address.port)
