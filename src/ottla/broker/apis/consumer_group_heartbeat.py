"""ConsumerGroupHeartbeat: all that members of the consumer protocol do (KIP-848)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import format_uuid
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.consumer_admission import CLIENTS_MAKE_MEMBER_IDS
from ottla.groups.consumer_heartbeat import Caller, refused_heartbeat
from ottla.groups.consumer_member import JOINING
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)

CONSUMER_PROTOCOL = "group.version"


@handles(ConsumerGroupHeartbeatRequest, versions="0-1")
async def consumer_group_heartbeat(
    request: ConsumerGroupHeartbeatRequest, call: Call, broker: Broker
) -> ConsumerGroupHeartbeatResponse:
    """Make the member's id where its client does not, and let the group's shard do the rest."""
    if broker.metadata.image.features.get(CONSUMER_PROTOCOL, 0) < 1:
        return ConsumerGroupHeartbeatResponse(
            error_code=ErrorCode.UNSUPPORTED_VERSION,
            error_message=f"the feature {CONSUMER_PROTOCOL} is off in this cluster",
        )
    is_new = request.member_epoch == JOINING and not request.member_id
    if is_new and call.version < CLIENTS_MAKE_MEMBER_IDS:
        request.member_id = format_uuid(broker.rng.uuid())
    host = f"/{call.connection.peer_address[0]}"
    try:
        return await broker.groups.consumer_heartbeat(
            request, Caller(call.client_id or "", host, call.version)
        )
    except ProtocolError as refused:
        return refused_heartbeat(refused)
