"""The groups and offsets of one partition of `__consumer_offsets`: each request finds its group.

Made for `broker.coordination`: a command decides, `replay` changes what is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ottla.base.effects import Effects, Moment, Ticket
from ottla.base.errors import ErrorCode
from ottla.base.limits import GROUP_ID_LENGTH_SHOWN
from ottla.groups import (
    classic_in_consumer,
    classic_join,
    classic_leave,
    classic_rebalance,
    classic_sync,
    offset_commits,
)
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_join import Joining
from ottla.groups.classic_state import refused_join
from ottla.groups.config import GroupConfig
from ottla.groups.consumer_config import ConsumerConfig, ConsumerConfigs
from ottla.groups.consumer_describe import described, no_consumer_group
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.group import Group
from ottla.groups.offset_sweep import OffsetSweep
from ottla.groups.shard_offsets import OffsetCommands
from ottla.groups.topics_view import KnownTopics
from ottla.groups.turn import Decided, Turn
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.messages.describe_groups import DescribedGroup
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.leave_group import MemberIdentity
from ottla.wire.messages.list_groups import ListedGroup
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

_DEAD: Final = "Dead"


class GroupShard(OffsetCommands):
    """See `broker.coordination.shard.Shard`."""

    def __init__(
        self,
        config: GroupConfig,
        consumer: ConsumerConfigs | None = None,
        topics: KnownTopics | None = None,
    ) -> None:
        """Without `topics` none is known to be gone."""
        consumer = consumer or ConsumerConfigs(ConsumerConfig())
        super().__init__(config, consumer, topics or KnownTopics())
        self._sweep = OffsetSweep(self, topics)

    # -- classic groups ----------------------------------------------------------------------------

    def join(self, group_id: str, joining: Joining, ticket: Ticket, moment: Moment) -> Decided:
        """JoinGroup; the answer may come much later. JoinGroupResponse."""
        turn = Turn(moment, self.config)
        config = self.config
        timeout_ms = joining.session_timeout_ms
        if not config.session_timeout_ms_min <= timeout_ms <= config.session_timeout_ms_max:
            error = ErrorCode.INVALID_SESSION_TIMEOUT
            turn.reply(ticket, refused_join(error, joining.member_id))
            return turn.effects
        group = self.groups.get(group_id)
        if group is None:
            if joining.member_id:
                error = ErrorCode.UNKNOWN_MEMBER_ID
                turn.reply(ticket, refused_join(error, joining.member_id))
                return turn.effects
            group = ClassicGroup(group_id)
        if isinstance(group, ConsumerGroup):
            heir = self.consumer.classic_for(group, turn)
            if heir is None:
                classic_in_consumer.join(group, joining, ticket, turn)
                self.hold(group)
                return turn.effects
            group = heir
        classic_join.join(group, joining, ticket, turn)
        self.settle(group)
        return turn.effects

    def sync(self, request: SyncGroupRequest, ticket: Ticket, moment: Moment) -> Decided:
        """SyncGroup; the answer may come later. SyncGroupResponse."""
        turn = Turn(moment, self.config)
        group = self.groups.get(request.group_id)
        if group is None:
            turn.reply(ticket, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
            return turn.effects
        if isinstance(group, ConsumerGroup):
            classic_in_consumer.sync(group, request, ticket, turn)
        else:
            classic_sync.sync(group, request, ticket, turn)
        self.settle(group)
        return turn.effects

    def heartbeat(self, request: HeartbeatRequest, ticket: Ticket, moment: Moment) -> Decided:
        """Heartbeat. HeartbeatResponse."""
        turn = Turn(moment, self.config)
        group = self.groups.get(request.group_id)
        if group is None:
            turn.reply(ticket, HeartbeatResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
            return turn.effects
        if isinstance(group, ConsumerGroup):
            classic_in_consumer.heartbeat(group, request, ticket, turn)
        else:
            classic_sync.heartbeat(group, request, ticket, turn)
        self.settle(group)
        return turn.effects

    def leave(
        self, group_id: str, members: list[MemberIdentity], ticket: Ticket, moment: Moment
    ) -> Decided:
        """LeaveGroup. LeaveGroupResponse."""
        turn = Turn(moment, self.config)
        group = self.groups.get(group_id)
        if group is None:
            turn.reply(ticket, classic_leave.nobody_left(members))
            return turn.effects
        if isinstance(group, ConsumerGroup):
            classic_in_consumer.leave(group, members, ticket, turn)
        else:
            classic_leave.leave(group, members, ticket, turn)
        self.settle(group)
        return turn.effects

    # -- groups of the consumer protocol -----------------------------------------------------------

    def consumer_heartbeat(
        self,
        request: ConsumerGroupHeartbeatRequest,
        caller: Caller,
        ticket: Ticket,
        moment: Moment,
    ) -> Decided:
        """ConsumerGroupHeartbeat. ConsumerGroupHeartbeatResponse."""
        turn = Turn(moment, self.config)
        known = self.groups.get(request.group_id)
        group = self.consumer.heartbeat(known, request, caller, ticket, turn)
        if group is not None:
            self.hold(group)
        return turn.effects

    def consumer_describe(self, group_id: str, ticket: Ticket, moment: Moment) -> Decided:
        """ConsumerGroupDescribe. consumer_group_describe.DescribedGroup."""
        group = self.find(group_id)
        if isinstance(group, ConsumerGroup):
            answer = described(group)
        else:
            answer = no_consumer_group(group_id, is_other_type=group is not None)
        return Effects(replies=[(ticket, answer)])

    # -- all groups --------------------------------------------------------------------------------

    def describe(self, group_id: str, ticket: Ticket, moment: Moment) -> Decided:
        """DescribeGroups: one group, "Dead" where it is not there. DescribedGroup."""
        group = self.find(group_id)
        if isinstance(group, ClassicGroup):
            described = group.described()
        else:
            described = DescribedGroup(
                error_code=ErrorCode.GROUP_ID_NOT_FOUND,
                error_message=f"Group {group_id[:GROUP_ID_LENGTH_SHOWN]} not found.",
                group_id=group_id,
                group_state=_DEAD,
            )
        return Effects(replies=[(ticket, described)])

    def listed(self, wanted: Callable[[Group], bool], ticket: Ticket, moment: Moment) -> Decided:
        """ListGroups: those that are wanted. list[ListedGroup]."""
        listed = [
            ListedGroup(
                group_id=group.group_id,
                protocol_type=group.protocol_type or "",
                group_state=group.state_name,
                group_type=group.type_name,
            )
            for group in self
            if wanted(group)
        ]
        return Effects(replies=[(ticket, listed)])

    def delete(self, group_id: str, ticket: Ticket, moment: Moment) -> Decided:
        """DeleteGroups: remove a group without members, and all its offsets. ErrorCode."""
        turn = Turn(moment, self.config)
        group = self.find(group_id)
        error = ErrorCode.NONE
        if group is None:
            error = ErrorCode.GROUP_ID_NOT_FOUND
        elif not group.is_empty:
            error = ErrorCode.NON_EMPTY_GROUP
        else:
            offset_commits.forget(group_id, self.offsets.of(group_id).places(), turn)
            turn.effects.records += group.tombstones()
        turn.reply(ticket, error)
        return turn.effects

    # -- life and time -----------------------------------------------------------------------------

    def topics_deleted(self, topics: frozenset[str], ticket: Ticket, moment: Moment) -> Decided:
        """Offsets of topics that are no more mean nothing: a new topic starts at 0. None.

        Where there are too many for one turn, the next ones take back the rest.
        """
        turn = Turn(moment, self.config)
        self._sweep.topics_deleted(topics, turn)
        turn.reply(ticket, None)
        return turn.effects

    def loaded(self, moment: Moment) -> Decided:
        turn = Turn(moment, self.config)
        for group in list(self.groups.values()):
            group.loaded(turn)
            self.settle(group)
        self._sweep.begin(turn)
        return turn.effects

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        return [told for group in self.groups.values() for told in group.unloaded(error)]

    @property
    def next_deadline_ms(self) -> int:
        return min(self.deadlines.next_ms, self._sweep.due_ms)

    def expire(self, moment: Moment) -> Decided:
        """One thing of each group that is due, and a look for old offsets when it is time."""
        turn = Turn(moment, self.config)
        if self._sweep.due_ms <= turn.monotonic_ms:
            self._sweep.go_on(turn)
            return turn.effects
        for group_id in self.deadlines.take_due(turn.monotonic_ms):
            group = self.groups[group_id]
            if isinstance(group, ConsumerGroup):
                group = self.consumer.expire(group, turn)
            else:
                classic_rebalance.expire(group, turn)
            self.settle(group)
        return turn.effects
