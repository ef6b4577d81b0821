"""A cluster as a client finds it: any of its nodes first, then the one that a request is for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from ottla.base.errors import UserError
from ottla.client.connection import Connection, connect
from ottla.client.errors import NodeUnreachableError
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse, MetadataResponseBroker

DEFAULT_PORT: Final = 9092

_ADDRESS: Final = re.compile(
    r"(?:[A-Za-z0-9_]+://)?(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+))?"
)


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int


def parse_addresses(text: str) -> list[Address]:
    """Read `host:port,host:port`; the port may be left out. Raises UserError."""
    addresses = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        found = _ADDRESS.fullmatch(part)
        port = int(found["port"] or DEFAULT_PORT) if found else 0
        if found is None or not 0 < port < 1 << 16:
            raise UserError(f"{part!r} is no address: write HOST:PORT, as localhost:9092")
        addresses.append(Address(found["host"].strip("[]"), port))
    if not addresses:
        raise UserError("no address of a broker was given: write HOST:PORT, as localhost:9092")
    return addresses


class Cluster:
    """Connections to a cluster's nodes, made when they are needed.

    async with Cluster(parse_addresses("localhost:9092")) as cluster:
        response = await (await cluster.any_node()).call(request, SomeResponse)
    """

    def __init__(
        self, bootstrap: Sequence[Address], *, client_id: str = "ottla", timeout_s: float = 30.0
    ) -> None:
        self._bootstrap = list(bootstrap)
        self._client_id = client_id
        self._timeout_s = timeout_s
        self._connections: dict[Address, Connection] = {}

    async def any_node(self) -> Connection:
        """The first node of the bootstrap addresses that can be reached. Raises NodeError."""
        failures = []
        for address in self._bootstrap:
            try:
                return await self._connection(address)
            except NodeUnreachableError as error:
                failures.append(str(error))
        raise NodeUnreachableError("; ".join(failures))

    async def controller(self) -> Connection:
        """The node that takes changes of the cluster. Raises NodeError."""
        node = await self.any_node()
        metadata = await node.call(MetadataRequest(topics=[]), MetadataResponse)
        for broker in metadata.brokers:
            if broker.node_id == metadata.controller_id:
                return await self._connection(_address_of(broker))
        return node

    async def _connection(self, address: Address) -> Connection:
        connection = self._connections.get(address)
        if connection is None or connection.is_lost:
            connection = await connect(
                *address, client_id=self._client_id, timeout_s=self._timeout_s
            )
            self._connections[address] = connection
        return connection

    async def close(self) -> None:
        """Close every connection."""
        connections, self._connections = self._connections, {}
        for connection in connections.values():
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


def _address_of(broker: MetadataResponseBroker) -> Address:
    return Address(broker.host, broker.port)
