"""ConsumerGroupHeartbeat finds or makes its group; and which records belong to such groups."""

from __future__ import annotations

from typing import Final

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.consumer_admission import check_request
from ottla.groups.consumer_config import ConsumerConfigs
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller, heartbeat, refused_heartbeat
from ottla.groups.consumer_leave import has_classic_alone
from ottla.groups.consumer_member import JOINING
from ottla.groups.consumer_migration import downgraded, upgrade
from ottla.groups.topics_view import KnownTopics
from ottla.groups.turn import Turn
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.payloads.consumer_groups import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMetadataKey,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMetadataKey,
)
from ottla.wire.schema import Payload

Request = ConsumerGroupHeartbeatRequest
AnyGroup = ClassicGroup | ConsumerGroup

_KEYS: Final = (
    ConsumerGroupMetadataKey
    | ConsumerGroupPartitionMetadataKey
    | ConsumerGroupMemberMetadataKey
    | ConsumerGroupTargetAssignmentMetadataKey
    | ConsumerGroupTargetAssignmentMemberKey
    | ConsumerGroupCurrentMemberAssignmentKey
    | ConsumerGroupRegularExpressionKey
)


def group_of_record(key: Payload) -> str | None:
    """The consumer group that a record is about; None for a record of something else."""
    return key.group_id if isinstance(key, _KEYS) else None


class ConsumerRequests:
    """What the consumer groups of one shard have in common."""

    def __init__(self, configs: ConsumerConfigs, topics: KnownTopics) -> None:
        self.configs = configs
        self.topics = topics

    def new_group(self, group_id: str) -> ConsumerGroup:
        """One that nothing is known of."""
        return ConsumerGroup(group_id, self.topics, self.configs)

    def heartbeat(
        self, known: AnyGroup | None, request: Request, caller: Caller, ticket: Ticket, turn: Turn
    ) -> AnyGroup | None:
        """Answer the request; the group that stands under its name from now on.

        A refusal leaves everything as it was.
        """
        try:
            config = self.configs.of(request.group_id)
            check_request(request, caller.version, config)
            group = self._group_for(known, request, turn)
            response = heartbeat(group, request, caller, turn, view=self.topics.view, config=config)
        except ProtocolError as error:
            turn.effects.records.clear()
            turn.reply(ticket, refused_heartbeat(error))
            return known
        if isinstance(known, ClassicGroup):
            turn.effects.replies += known.unloaded(ErrorCode.REBALANCE_IN_PROGRESS)
        turn.reply(ticket, response)
        return group

    def expire(self, group: ConsumerGroup, turn: Turn) -> AnyGroup:
        """Do one thing that is due; the group that stands under its name from now on."""
        may_downgrade = group.may_downgrade and not group.overdue(turn.monotonic_ms)
        size_max = turn.config.size_max
        if may_downgrade and has_classic_alone(group.members.values(), size_max=size_max):
            return downgraded(group, turn)
        group.expire(turn)
        return group

    def classic_for(self, group: ConsumerGroup, turn: Turn) -> ClassicGroup | None:
        """The classic group that takes the name over, if nobody is in this one."""
        if not group.is_empty:
            return None
        turn.effects.records += group.tombstones()
        return ClassicGroup(group.group_id)

    def _group_for(self, known: AnyGroup | None, request: Request, turn: Turn) -> ConsumerGroup:
        """Raises ProtocolError(GROUP_ID_NOT_FOUND)."""
        if isinstance(known, ConsumerGroup):
            return known
        if request.member_epoch == JOINING:
            if known is None:
                return self.new_group(request.group_id)
            turn.effects.records += known.tombstones()
            group = self.new_group(request.group_id)
            if not known.members:
                return group
            if self.configs.default.migration.may_upgrade:
                upgrade(known, group, turn)
                return group
        raise ProtocolError(
            ErrorCode.GROUP_ID_NOT_FOUND, f"there is no consumer group {request.group_id!r}"
        )
