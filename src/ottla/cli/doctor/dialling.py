"""Dialling an address as clients do: name, port, protocol, and which cluster answers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final

from msgspec import Struct

from ottla.base.errors import ProtocolError
from ottla.client.address import Address
from ottla.client.connection import Connection, connect
from ottla.client.connector import Connector
from ottla.client.errors import NodeError, NodeUnreachableError
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse

PATIENCE_S: Final = 5.0
_VERSIONS_MAX: Final = 4
"""Later ones of ApiVersions ask whether the right node was reached, which is not known here."""


class Failure(Enum):
    """Why nobody answers."""

    NAME = "the name does not resolve here"
    REFUSED = "nothing listens there"
    TIMEOUT = "nothing comes back: a firewall, or no such machine"
    NO_BROKER = "what listens there is no broker without encryption"
    OTHER = "it cannot be reached"


class Dialled(Struct, frozen=True, kw_only=True):
    """What became of it; with a failure the rest is empty."""

    address: Address
    failure: Failure | None = None
    reason: str = ""
    cluster_id: str | None = None
    apis: Mapping[int, tuple[int, int]] = {}
    """First and last version by key."""


Dial = Callable[[Address], Awaitable[Dialled]]


def dialler(connector: Connector, *, client_id: str) -> Dial:
    """One for addresses of plain listeners."""

    async def dial(address: Address) -> Dialled:
        try:
            node = await connect(
                address, client_id=client_id, timeout_s=PATIENCE_S, connector=connector
            )
        except NodeUnreachableError as error:
            return Dialled(address=address, failure=_failure(error.__cause__), reason=str(error))
        except (NodeError, ProtocolError) as error:
            return Dialled(address=address, failure=Failure.NO_BROKER, reason=str(error))
        try:
            return await _who(node)
        except (NodeError, ProtocolError) as error:
            return Dialled(address=address, failure=Failure.NO_BROKER, reason=str(error))
        finally:
            await node.close()

    return dial


async def _who(node: Connection) -> Dialled:
    told = await node.call(MetadataRequest(topics=[]), MetadataResponse)
    versions = await node.call(
        ApiVersionsRequest(client_software_name="ottla", client_software_version="doctor"),
        ApiVersionsResponse,
        at_most=_VERSIONS_MAX,
    )
    return Dialled(
        address=node.address,
        cluster_id=told.cluster_id,
        apis={api.api_key: (api.min_version, api.max_version) for api in versions.api_keys},
    )


def _failure(cause: BaseException | None) -> Failure:
    if isinstance(cause, socket.gaierror):
        return Failure.NAME
    if isinstance(cause, ConnectionRefusedError) or "Connect call failed" in str(cause):
        return Failure.REFUSED
    if isinstance(cause, TimeoutError) or getattr(cause, "errno", None) in (
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
    ):
        return Failure.TIMEOUT
    return Failure.OTHER
