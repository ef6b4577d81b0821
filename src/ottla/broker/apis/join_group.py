"""JoinGroup: become a member; the answer comes when the next generation begins."""

from __future__ import annotations

from uuid import UUID

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import MEMBER_ID_PREFIX_LENGTH_MAX
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.classic_join import Joining
from ottla.groups.classic_state import refused_join
from ottla.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse

ID_FIRST_SINCE = 4
"""From this version a member without an id is told one, and asks again with it (KIP-394)."""
NULL_PROTOCOL_SINCE = 7
SKIPS_ASSIGNMENT_SINCE = 9


@handles(JoinGroupRequest, versions="0-9")
async def join_group(request: JoinGroupRequest, call: Call, broker: Broker) -> JoinGroupResponse:
    """Refuse what is no group; let the group's shard do the rest."""
    if not request.group_id:
        response = refused_join(ErrorCode.INVALID_GROUP_ID, request.member_id)
    else:
        response = await _join(request, call, broker)
    if response.protocol_name is None and call.version < NULL_PROTOCOL_SINCE:
        response.protocol_name = ""
    return response


async def _join(request: JoinGroupRequest, call: Call, broker: Broker) -> JoinGroupResponse:
    try:
        return await broker.groups.join(request.group_id, _joining(request, call, broker))
    except ProtocolError as refused:
        return refused_join(refused.code, request.member_id)


def _joining(request: JoinGroupRequest, call: Call, broker: Broker) -> Joining:
    client_id = call.client_id or ""
    instance_id = request.group_instance_id
    prefix = client_id if instance_id is None else instance_id
    timeout_ms = request.rebalance_timeout_ms
    return Joining(
        member_id=request.member_id,
        fresh_id=f"{prefix[:MEMBER_ID_PREFIX_LENGTH_MAX]}-{_uuid(broker)}",
        group_instance_id=instance_id,
        client_id=client_id,
        client_host=f"/{call.connection.peer_address[0]}",
        session_timeout_ms=request.session_timeout_ms,
        rebalance_timeout_ms=request.session_timeout_ms if timeout_ms < 0 else timeout_ms,
        protocol_type=request.protocol_type,
        protocols=[(protocol.name, protocol.metadata) for protocol in request.protocols],
        reason=request.reason,
        id_first=call.version >= ID_FIRST_SINCE,
        may_skip_assignment=call.version >= SKIPS_ASSIGNMENT_SINCE,
    )


def _uuid(broker: Broker) -> str:
    """In hex, as members of classic groups have it; those of newer groups have base64."""
    return str(UUID(bytes=broker.rng.uuid()))
