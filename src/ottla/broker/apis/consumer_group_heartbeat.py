"""ConsumerGroupHeartbeat: all that members of the consumer protocol do (KIP-848)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import format_uuid
from ottla.broker.broker import Broker
from ottla.broker.consumer_protocol import CONSUMER_PROTOCOL_OFF, knows_consumer_protocol
from ottla.broker.handlers import Call, handles
from ottla.groups.consumer_admission import CLIENTS_MAKE_MEMBER_IDS
from ottla.groups.consumer_heartbeat import Caller, refused_heartbeat
from ottla.groups.consumer_member import JOINING
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)


@handles(ConsumerGroupHeartbeatRequest, versions="0-1")
async def consumer_group_heartbeat(
    request: ConsumerGroupHeartbeatRequest, call: Call, broker: Broker
) -> ConsumerGroupHeartbeatResponse:
    """Make the member's id where its client does not, and let the group's shard do the rest."""
    if not knows_consumer_protocol(broker):
        return ConsumerGroupHeartbeatResponse(
            error_code=ErrorCode.UNSUPPORTED_VERSION, error_message=CONSUMER_PROTOCOL_OFF
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
