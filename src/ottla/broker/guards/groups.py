"""Groups: their members, their offsets, what is told of them."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.errors import ErrorCode
from ottla.broker.apis.find_coordinator import SINGLE_KEY_FORM, KeyType, refused_coordinator
from ottla.broker.apis.join_group import NULL_PROTOCOL_SINCE
from ottla.broker.guard import Gate, apart, guards, narrowed
from ottla.groups.classic_state import refused_join
from ottla.security.acl import AclResourceType, Operation
from ottla.wire.messages import consumer_group_describe, describe_groups
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)
from ottla.wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import JoinGroupRequest, JoinGroupResponse
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

DENIED = ErrorCode.GROUP_AUTHORIZATION_FAILED
TOPICS_DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED

# -- members ---------------------------------------------------------------------------------------


@guards(JoinGroupRequest)
async def join_group(
    request: JoinGroupRequest, gate: Gate[JoinGroupRequest, JoinGroupResponse]
) -> JoinGroupResponse:
    if gate.access.to_group(Operation.READ, request.group_id):
        return await gate.serve(request)
    refusal = refused_join(DENIED, "")
    if gate.call.version < NULL_PROTOCOL_SINCE:
        refusal.protocol_name = ""
    return refusal


@guards(SyncGroupRequest)
async def sync_group(
    request: SyncGroupRequest, gate: Gate[SyncGroupRequest, SyncGroupResponse]
) -> SyncGroupResponse:
    if gate.access.to_group(Operation.READ, request.group_id):
        return await gate.serve(request)
    return SyncGroupResponse(error_code=DENIED)


@guards(HeartbeatRequest)
async def heartbeat(
    request: HeartbeatRequest, gate: Gate[HeartbeatRequest, HeartbeatResponse]
) -> HeartbeatResponse:
    if gate.access.to_group(Operation.READ, request.group_id):
        return await gate.serve(request)
    return HeartbeatResponse(error_code=DENIED)


@guards(LeaveGroupRequest)
async def leave_group(
    request: LeaveGroupRequest, gate: Gate[LeaveGroupRequest, LeaveGroupResponse]
) -> LeaveGroupResponse:
    if gate.access.to_group(Operation.READ, request.group_id):
        return await gate.serve(request)
    return LeaveGroupResponse(error_code=DENIED)


@guards(ConsumerGroupHeartbeatRequest)
async def consumer_group_heartbeat(
    request: ConsumerGroupHeartbeatRequest,
    gate: Gate[ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse],
) -> ConsumerGroupHeartbeatResponse:
    """What an expression stands for is narrowed where it is resolved: see `KnownTopics`."""
    if not gate.access.to_group(Operation.READ, request.group_id):
        return ConsumerGroupHeartbeatResponse(error_code=DENIED)
    names = request.subscribed_topic_names or ()
    if not all(gate.access.to_topic(Operation.DESCRIBE, name) for name in names):
        return ConsumerGroupHeartbeatResponse(error_code=TOPICS_DENIED)
    return await gate.serve(request)


# -- what is told of groups ------------------------------------------------------------------------


@guards(ListGroupsRequest)
async def list_groups(
    request: ListGroupsRequest, gate: Gate[ListGroupsRequest, ListGroupsResponse]
) -> ListGroupsResponse:
    """Who may look at the cluster sees all groups, others theirs."""
    response = await gate.serve(request)
    access = gate.access.quietly
    if not access.to_cluster(Operation.DESCRIBE):
        response.groups = [
            group
            for group in response.groups
            if access.to_group(Operation.DESCRIBE, group.group_id)
        ]
    return response


@guards(DescribeGroupsRequest)
async def describe_classic_groups(
    request: DescribeGroupsRequest, gate: Gate[DescribeGroupsRequest, DescribeGroupsResponse]
) -> DescribeGroupsResponse:
    access = gate.access
    request.groups, refused = apart(
        request.groups, lambda group_id: access.to_group(Operation.DESCRIBE, group_id)
    )
    response = await gate.serve(request)
    for group in response.groups:
        group.authorized_operations = narrowed(
            group.authorized_operations, access, AclResourceType.GROUP, group.group_id
        )
    response.groups += [
        describe_groups.DescribedGroup(group_id=group_id, error_code=DENIED) for group_id in refused
    ]
    return response


@guards(ConsumerGroupDescribeRequest)
async def consumer_group_describe_(
    request: ConsumerGroupDescribeRequest,
    gate: Gate[ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse],
) -> ConsumerGroupDescribeResponse:
    """A group that reads a hidden topic is refused as a whole: its members would tell of it."""
    access = gate.access
    request.group_ids, refused = apart(
        request.group_ids, lambda group_id: access.to_group(Operation.DESCRIBE, group_id)
    )
    response = await gate.serve(request)
    for place, group in enumerate(response.groups):
        if not all(access.to_topic(Operation.DESCRIBE, name) for name in _topics_of(group)):
            response.groups[place] = consumer_group_describe.DescribedGroup(
                group_id=group.group_id,
                error_code=TOPICS_DENIED,
                error_message="the group reads topics that the client may not know of",
            )
        else:
            group.authorized_operations = narrowed(
                group.authorized_operations, access, AclResourceType.GROUP, group.group_id
            )
    response.groups += [
        consumer_group_describe.DescribedGroup(group_id=group_id, error_code=DENIED)
        for group_id in refused
    ]
    return response


def _topics_of(group: consumer_group_describe.DescribedGroup) -> Iterable[str]:
    for member in group.members:
        for assignment in (member.assignment, member.target_assignment):
            for topic in assignment.topic_partitions:
                yield topic.topic_name


@guards(DeleteGroupsRequest)
async def delete_groups(
    request: DeleteGroupsRequest, gate: Gate[DeleteGroupsRequest, DeleteGroupsResponse]
) -> DeleteGroupsResponse:
    request.groups_names, refused = apart(
        request.groups_names, lambda group_id: gate.access.to_group(Operation.DELETE, group_id)
    )
    response = await gate.serve(request)
    response.results += [
        DeletableGroupResult(group_id=group_id, error_code=DENIED)
        for group_id in dict.fromkeys(refused)
    ]
    return response


# -- where they are served -------------------------------------------------------------------------

Finding = Gate[FindCoordinatorRequest, FindCoordinatorResponse]


@guards(FindCoordinatorRequest)
async def find_coordinator(
    request: FindCoordinatorRequest, gate: Finding
) -> FindCoordinatorResponse:
    if gate.call.version in SINGLE_KEY_FORM:
        error = _finding_error(request.key, request.key_type, gate)
        if not error:
            return await gate.serve(request)
        refusal = refused_coordinator(request.key, error, error.name)
        return FindCoordinatorResponse(
            error_code=error,
            error_message=refusal.error_message,
            node_id=refusal.node_id,
            host=refusal.host,
            port=refusal.port,
        )
    errors = {key: _finding_error(key, request.key_type, gate) for key in request.coordinator_keys}
    request.coordinator_keys, refused = apart(request.coordinator_keys, lambda key: not errors[key])
    response = await gate.serve(request)
    refusals: list[Coordinator] = [
        refused_coordinator(key, errors[key], errors[key].name) for key in refused
    ]
    response.coordinators += refusals
    return response


def _finding_error(key: str, key_type: int, gate: Finding) -> ErrorCode:
    access = gate.access
    if key_type == KeyType.GROUP and not access.to_group(Operation.DESCRIBE, key):
        return DENIED
    if key_type == KeyType.TRANSACTION and not access.to_transactional_id(Operation.DESCRIBE, key):
        return ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    if key_type == KeyType.SHARE and not access.to_cluster(Operation.CLUSTER_ACTION):
        return ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return ErrorCode.NONE
