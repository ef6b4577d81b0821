"""FindCoordinator: the broker that leads the partition which keeps a group or a transactional id.

The API must be there whatever is coordinated: without it librdkafka silently gives up lz4.
"""

from __future__ import annotations

from enum import IntEnum

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)

SINGLE_KEY_FORM = range(4)
"""Versions that ask for one key (KIP-699)."""
NOBODY = -1


class KeyType(IntEnum):
    """What is coordinated."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


@handles(FindCoordinatorRequest, versions="0-6")
async def find_coordinator(
    request: FindCoordinatorRequest, call: Call, broker: Broker
) -> FindCoordinatorResponse:
    """Name the coordinator of each key; the topic that keeps it is made if it is missing."""
    if call.version not in SINGLE_KEY_FORM:
        return FindCoordinatorResponse(
            coordinators=[
                await _find(key, request.key_type, call, broker) for key in request.coordinator_keys
            ]
        )
    found = await _find(request.key, request.key_type, call, broker)
    return FindCoordinatorResponse(
        error_code=found.error_code,
        error_message=found.error_message,
        node_id=found.node_id,
        host=found.host,
        port=found.port,
    )


async def _find(key: str, key_type: int, call: Call, broker: Broker) -> Coordinator:
    try:
        node_id = await _coordinating_node(key, key_type, broker)
    except ProtocolError as refused:
        return refused_coordinator(key, refused.code, refused.message)
    node = broker.metadata.image.brokers.get(node_id)
    address = None if node is None else broker.addresses.of(node, call.connection)
    if address is None:
        reason = f"node {node_id} has no listener {call.connection.listener_name}"
        return refused_coordinator(key, ErrorCode.COORDINATOR_NOT_AVAILABLE, reason)
    return Coordinator(key=key, node_id=node_id, host=address.host, port=address.port)


def refused_coordinator(key: str, error: ErrorCode, reason: str) -> Coordinator:
    """Nobody, and why."""
    return Coordinator(
        key=key, node_id=NOBODY, host="", port=NOBODY, error_code=error, error_message=reason
    )


async def _coordinating_node(key: str, key_type: int, broker: Broker) -> int:
    match key_type:
        case KeyType.GROUP:
            return await broker.groups.coordinator_of(key)
        case KeyType.TRANSACTION:
            return await broker.transactions.coordinator_of(key)
        case KeyType.SHARE:
            raise ProtocolError(
                ErrorCode.COORDINATOR_NOT_AVAILABLE,
                "share groups are not supported by this version of Ottla",
            )
        case unknown:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, f"nothing has the key type {unknown}")
