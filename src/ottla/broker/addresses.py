"""Which address a client is told: the one that a person advertised, or the one it has just reached.

A client that connected to an address can connect to it again, so a broker on one machine, in a test
or behind a forwarded port of the same number needs no setting. Where the outside knows the broker
by another name or port than the inside, each side gets a listener of its own with its own address.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ottla.metadata.image import BrokerImage
from ottla.settings.endpoints import Endpoint
from ottla.transport.connection import Connection


class Address(NamedTuple):
    """What a client connects to."""

    host: str
    port: int


class AdvertisedAddresses:
    """The addresses that this node tells its clients."""

    def __init__(self, node_id: int, advertised: Iterable[Endpoint]) -> None:
        self._node_id = node_id
        self._advertised: Mapping[str, Address] = {
            endpoint.listener: Address(endpoint.host, endpoint.port) for endpoint in advertised
        }

    def of_this_node(self, connection: Connection) -> Address:
        """Where the client behind `connection` finds this node."""
        advertised = self._advertised.get(connection.listener_name)
        return advertised or Address(*connection.local_address)

    def of(self, broker: BrokerImage, connection: Connection) -> Address | None:
        """Where the client behind `connection` finds a node; None where it cannot reach it."""
        if broker.node_id == self._node_id:
            return self.of_this_node(connection)
        endpoint = broker.endpoints.get(connection.listener_name)
        return None if endpoint is None else Address(endpoint.host, endpoint.port)
