"""Groups: list, describe, delete, their offsets and members."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.group_descriptions import (
    GroupDescription,
    GroupListing,
    GroupState,
    GroupType,
    describe_classic,
    describe_consumer,
    listing_of,
)
from ottla.client.admin.group_offsets import GroupOffsets
from ottla.client.admin.offset_resets import OffsetReset, ResetTo
from ottla.client.admin.offsets import Offsets
from ottla.client.admin.outcomes import Answers, Outcomes, check, verdict
from ottla.client.admin.rebalances import RebalanceDescription, describe_rebalances
from ottla.client.admin.routes import ToCoordinators
from ottla.client.connection import Connection
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import RefusedError
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.wire.messages.consumer_group_describe import ConsumerGroupDescribeRequest
from ottla.wire.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.messages.leave_group import (
    LeaveGroupRequest,
    LeaveGroupResponse,
    MemberIdentity,
)
from ottla.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse

_TYPES_SINCE: Final = 5
"""The first version of ListGroups that knows types."""
_MANY_LEAVE_SINCE: Final = 3
"""The first version of LeaveGroup that takes several members (KIP-345)."""


class MemberToRemove(NamedTuple):
    """A member by its id, or a static one by its `group_instance_id`."""

    member_id: str = ""
    group_instance_id: str | None = None


class Groups:
    """`admin.groups`."""

    def __init__(self, asking: Asking, offsets: Offsets) -> None:
        self._asking = asking
        self._committed = GroupOffsets(asking, offsets)

    def _route(self) -> ToCoordinators[str]:
        return ToCoordinators(self._asking.cluster, CoordinatorKind.GROUP)

    # -- which there are -------------------------------------------------------------------------

    async def list(
        self,
        *,
        states: Collection[GroupState] = (),
        types: Collection[GroupType] = (),
        timeout_s: float | None = None,
    ) -> tuple[GroupListing, ...]:
        """All groups by id, of these states (Kafka 2.6) and types (3.7); empty lets all pass.

        Raises the error of the first broker that could not be asked; `list_by_broker` tells what
        the others have said.
        """
        told = await self.list_by_broker(states=states, types=types, timeout_s=timeout_s)
        found = {group.group_id: group for groups in told.all().values() for group in groups}
        return tuple(found[group_id] for group_id in sorted(found))

    async def list_by_broker(
        self,
        *,
        states: Collection[GroupState] = (),
        types: Collection[GroupType] = (),
        timeout_s: float | None = None,
    ) -> Outcomes[int, tuple[GroupListing, ...]]:
        """The groups that each broker coordinates, by the broker's id."""

        async def ask(node: Connection) -> tuple[GroupListing, ...]:
            wanted_types = [type_.value for type_ in types]
            if set(types) == {GroupType.CLASSIC}:
                # Before there were types all groups were classic ones.
                version = node.version_of(ListGroupsRequest)
                wanted_types = wanted_types if version >= _TYPES_SINCE else []
            request = ListGroupsRequest(
                states_filter=[state.value for state in states], types_filter=wanted_types
            )
            response = await node.call(request, ListGroupsResponse)
            check(response.error_code, None, f"the groups of {node.address}")
            return tuple(map(listing_of, response.groups))

        return await self._asking.at_brokers(None, ask, timeout_s=timeout_s)

    async def describe(
        self,
        *group_ids: str,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, GroupDescription]:
        """Groups of either protocol with their members, by id.

        One that is not there is refused with GROUP_ID_NOT_FOUND, whatever the broker's version.
        """
        cluster = self._asking.cluster

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, GroupDescription]:
            at = await cluster.coordinators_of(CoordinatorKind.GROUP, items)
            found: dict[str, GroupDescription | RefusedError] = {}
            if node.speaks(ConsumerGroupDescribeRequest):
                found = await describe_consumer(
                    node, items, at, authorized_operations=authorized_operations
                )
            others = [item for item in items if _is_of_other_type(found.get(item))]
            if others:
                found |= await describe_classic(
                    node, others, at, authorized_operations=authorized_operations
                )
            return found

        return await self._asking.each(group_ids, self._route(), ask, timeout_s=timeout_s)

    async def delete(self, *group_ids: str, timeout_s: float | None = None) -> Outcomes[str, None]:
        """Delete groups and their offsets, by id; NON_EMPTY_GROUP while a group has members."""

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, None]:
            request = DeleteGroupsRequest(groups_names=[*items])
            response = await node.call(request, DeleteGroupsResponse)
            return {
                told.group_id: verdict(told.error_code, None, f"group {told.group_id!r}", None)
                for told in response.results
            }

        return await self._asking.each(group_ids, self._route(), ask, timeout_s=timeout_s)

    async def rebalances(
        self, group_id: str, *, timeout_s: float | None = None
    ) -> tuple[RebalanceDescription, ...]:
        """The last rebalances of a group and their causes, the newest last. Only Ottla knows them.

        Raises UnsupportedByBrokerError elsewhere, GROUP_ID_NOT_FOUND for a group that is not there.
        """
        route = ToCoordinators[str](self._asking.cluster, CoordinatorKind.GROUP, lambda _: group_id)
        return await self._asking.one(
            route,
            lambda node: describe_rebalances(node, group_id),
            about=f"the rebalances of {group_id!r}",
            timeout_s=timeout_s,
        )

    # -- offsets ---------------------------------------------------------------------------------

    async def offsets(
        self,
        group_id: str,
        partitions: Iterable[TopicPartition] | None = None,
        *,
        require_stable: bool = False,
        timeout_s: float | None = None,
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """Committed offsets of a group: all there are, or those of `partitions`, None for none.

        With `require_stable` (Kafka 2.5), offsets of open transactions are waited for.
        """
        many = await self._committed.fetch(
            {group_id: partitions}, require_stable=require_stable, timeout_s=timeout_s
        )
        return many[group_id]

    async def offsets_of_many(
        self,
        groups: Mapping[str, Iterable[TopicPartition] | None],
        *,
        require_stable: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, dict[TopicPartition, OffsetAndMetadata | None]]:
        """The same of many groups, by id."""
        return await self._committed.fetch(
            groups, require_stable=require_stable, timeout_s=timeout_s
        )

    async def alter_offsets(
        self,
        group_id: str,
        offsets: Mapping[TopicPartition, int | OffsetAndMetadata],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Commit offsets for a group without members, which is made where there is none."""
        return await self._committed.commit(group_id, offsets, timeout_s=timeout_s)

    async def delete_offsets(
        self,
        group_id: str,
        partitions: Iterable[TopicPartition],
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Forget offsets of topics that no member reads: GROUP_SUBSCRIBED_TO_TOPIC otherwise."""
        return await self._committed.delete(group_id, partitions, timeout_s=timeout_s)

    async def plan_reset(
        self,
        group_id: str,
        to: ResetTo,
        partitions: Iterable[TopicPartition] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, OffsetReset]:
        """Where a reset would lead, for `partitions` or all that have an offset. Changes nothing.

        `timeout_s` bounds each of its questions, one after the other.

        plan = (await admin.groups.plan_reset("billing", ToTime(ms))).all()
        await admin.groups.alter_offsets(
            "billing", {partition: reset.offset for partition, reset in plan.items()}
        )
        """
        return await self._committed.plan_reset(group_id, to, partitions, timeout_s=timeout_s)

    # -- members ---------------------------------------------------------------------------------

    async def remove_members(
        self,
        group_id: str,
        members: Iterable[MemberToRemove] | None = None,
        *,
        reason: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[MemberToRemove, None]:
        """Remove members of a classic group, or all where None. `reason` is for the broker's log.

        A static member is named by its `group_instance_id` (Kafka 2.4), any by its member id.
        """
        if members is None:
            members = await self._everybody(group_id, timeout_s)
        wanted = list(members)

        async def ask(
            node: Connection, items: Sequence[MemberToRemove]
        ) -> Answers[MemberToRemove, None]:
            if node.version_of(LeaveGroupRequest) < _MANY_LEAVE_SINCE:
                return {item: await _leave_alone(node, group_id, item) for item in items}
            return await _leave(node, group_id, items, reason)

        route = ToCoordinators[MemberToRemove](
            self._asking.cluster, CoordinatorKind.GROUP, lambda _: group_id
        )
        return await self._asking.each(wanted, route, ask, timeout_s=timeout_s)

    async def _everybody(self, group_id: str, timeout_s: float | None) -> Iterable[MemberToRemove]:
        described = (await self.describe(group_id, timeout_s=timeout_s))[group_id]
        return [
            MemberToRemove(group_instance_id=member.group_instance_id)
            if member.group_instance_id is not None
            else MemberToRemove(member.member_id)
            for member in described.members
        ]


def _is_of_other_type(found: GroupDescription | RefusedError | None) -> bool:
    """Whether another API may know the group.

    A broker that speaks an API refuses it as unsupported while its cluster's `group.version` is 0.
    """
    if found is None:
        return True
    other = (ErrorCode.GROUP_ID_NOT_FOUND, ErrorCode.UNSUPPORTED_VERSION)
    return isinstance(found, RefusedError) and found.code in other


async def _leave(
    node: Connection, group_id: str, items: Sequence[MemberToRemove], reason: str | None
) -> Answers[MemberToRemove, None]:
    request = LeaveGroupRequest(
        group_id=group_id,
        members=[
            MemberIdentity(
                member_id=item.member_id,
                group_instance_id=item.group_instance_id,
                reason=reason,
            )
            for item in items
        ],
    )
    response = await node.call(request, LeaveGroupResponse)
    check(response.error_code, None, f"group {group_id!r}")
    by_name = {item.group_instance_id or item.member_id: item for item in items}
    return {
        by_name[name]: verdict(told.error_code, None, f"member {name!r}", None)
        for told in response.members
        if (name := told.group_instance_id or told.member_id) in by_name
    }


async def _leave_alone(
    node: Connection, group_id: str, item: MemberToRemove
) -> RefusedError | UnsupportedByBrokerError | None:
    if item.group_instance_id is not None:
        return UnsupportedByBrokerError(f"{node.address} has no static members")
    request = LeaveGroupRequest(group_id=group_id, member_id=item.member_id)
    response = await node.call(request, LeaveGroupResponse)
    return verdict(response.error_code, None, f"member {item.member_id!r}", None)
