"""UnregisterBroker: a broker that will not come back is forgotten (KIP-631)."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.brokers import decide_unregister_broker
from ottla.wire.messages.unregister_broker import (
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
)

_REASONS: Final = {
    ErrorCode.BROKER_ID_NOT_REGISTERED: "this cluster has no broker {}",
    ErrorCode.INVALID_REQUEST: "broker {} runs: stop it before it is forgotten",
}


@handles(UnregisterBrokerRequest, versions="0")
async def unregister_broker(
    request: UnregisterBrokerRequest, call: Call, broker: Broker
) -> UnregisterBrokerResponse:
    """Its partitions are led by others; it keeps its replicas of them until they are moved."""
    node_id = request.broker_id
    is_alive = node_id in await broker.metadata.live_nodes()
    try:
        error: ErrorCode = await broker.metadata.decided(
            lambda image: decide_unregister_broker(
                image, node_id, settings=broker.settings, is_alive=is_alive
            )
        )
    except ProtocolError as refused:
        return UnregisterBrokerResponse(error_code=refused.code, error_message=refused.message)
    reason = _REASONS[error].format(node_id) if error else None
    return UnregisterBrokerResponse(error_code=error, error_message=reason)
