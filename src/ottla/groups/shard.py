"""The groups and offsets of one partition of `__consumer_offsets`: each request finds its group.

Made for `broker.coordination`: a command decides, `replay` changes what is kept. A group that only
keeps offsets, a simple one, has no object of its own as long as nobody joins it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import cast

from ottla.base.effects import NEVER, Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode
from ottla.base.limits import OFFSETS_EXPIRED_PER_TURN_MAX
from ottla.groups import (
    classic_in_consumer,
    classic_join,
    classic_leave,
    classic_rebalance,
    classic_sync,
    offset_commits,
    offset_fetches,
)
from ottla.groups.classic_group import TELLS_UNKNOWN_GROUPS, ClassicGroup
from ottla.groups.classic_join import Joining
from ottla.groups.classic_state import refused_join
from ottla.groups.config import GroupConfig
from ottla.groups.consumer_config import ConsumerConfig
from ottla.groups.consumer_describe import described, no_consumer_group
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.consumer_requests import ConsumerRequests, group_of_record
from ottla.groups.deadlines import Deadlines
from ottla.groups.group import Committer, Group
from ottla.groups.offset_commits import OffsetToCommit, OffsetToDelete
from ottla.groups.offset_expiry import expired
from ottla.groups.offsets import CommittedOffset, GroupOffsets, Place
from ottla.groups.topics_view import KnownTopics
from ottla.groups.turn import Turn
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest
from ottla.wire.messages.describe_groups import DescribedGroup
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.leave_group import LeaveGroupResponse, MemberIdentity
from ottla.wire.messages.list_groups import ListedGroup
from ottla.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.payloads.group_metadata import GroupMetadataKey, GroupMetadataValue
from ottla.wire.payloads.offset_commits import (
    LegacyOffsetCommitKey,
    LegacyOffsetCommitValue,
    OffsetCommitKey,
    OffsetCommitValue,
)
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.schema import Payload

Decided = Effects[CoordinatorRecord]
_DEAD = "Dead"
_NO_OFFSETS = GroupOffsets()


class GroupShard:
    """See `broker.coordination.shard.Shard`."""

    def __init__(
        self,
        config: GroupConfig,
        consumer: ConsumerConfig | None = None,
        topics: KnownTopics | None = None,
    ) -> None:
        self.config = config
        self.consumer = ConsumerRequests(consumer or ConsumerConfig(), topics or KnownTopics())
        self.groups: dict[str, ClassicGroup | ConsumerGroup] = {}
        self.offsets: dict[str, GroupOffsets] = {}
        self._transactions: dict[int, set[str]] = {}
        """Groups that a producer's open transaction has offsets for."""
        self._deadlines = Deadlines()
        self._check_due_ms = NEVER
        self._topics = topics
        self._gone: list[tuple[str, Place]] = []
        """Offsets of topics that were deleted while nobody was there to take them back."""

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
                self._hold(group)
                return turn.effects
            group = heir
        classic_join.join(group, joining, ticket, turn)
        self._settle(group)
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
        self._settle(group)
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
            self._settle(group)
        else:
            classic_sync.heartbeat(group, request, ticket, turn)
        return turn.effects

    def leave(
        self, group_id: str, members: list[MemberIdentity], ticket: Ticket, moment: Moment
    ) -> Decided:
        """LeaveGroup. LeaveGroupResponse."""
        turn = Turn(moment, self.config)
        group = self.groups.get(group_id)
        if group is None:
            turn.reply(ticket, LeaveGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID))
            return turn.effects
        if isinstance(group, ConsumerGroup):
            classic_in_consumer.leave(group, members, ticket, turn)
        else:
            classic_leave.leave(group, members, ticket, turn)
        self._settle(group)
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
            self._hold(group)
        return turn.effects

    def consumer_describe(self, group_id: str, ticket: Ticket, moment: Moment) -> Decided:
        """ConsumerGroupDescribe. consumer_group_describe.DescribedGroup."""
        group = self.find(group_id)
        if isinstance(group, ConsumerGroup):
            answer = described(group)
        else:
            answer = no_consumer_group(group_id, is_other_type=group is not None)
        return Effects(replies=[(ticket, answer)])

    # -- offsets -----------------------------------------------------------------------------------

    def commit(
        self,
        group_id: str,
        committer: Committer,
        offsets: list[OffsetToCommit],
        ticket: Ticket,
        moment: Moment,
        *,
        version: int = TELLS_UNKNOWN_GROUPS,
        retention_ms: int = offset_commits.RETENTION_OF_BROKER,
        producer: ProducerIdentity | None = None,
    ) -> Decided:
        """OffsetCommit and, with a producer, TxnOffsetCommit.

        The error codes of `offsets` tell how it went; the answer itself is None. A transaction's
        offsets count once its marker says so. Whether the transaction is open and has this group,
        its coordinator says, before.
        """
        turn = Turn(moment, self.config)
        error = self._check_commit(
            group_id, committer, turn, version=version, transactional=producer is not None
        )
        if error is ErrorCode.STALE_MEMBER_EPOCH and self._still_holds(
            group_id, committer, offsets
        ):
            error = ErrorCode.NONE
        if error:
            offset_commits.refuse(offsets, error)
        else:
            offset_commits.commit(group_id, offsets, turn, retention_ms)
        effects = turn.effects
        effects.producer = producer if effects.records else None
        effects.reply(ticket, None)
        return effects

    def _still_holds(
        self, group_id: str, committer: Committer, offsets: list[OffsetToCommit]
    ) -> bool:
        """Whether a member of an older epoch had all that it commits in that epoch already."""
        group = self.groups.get(group_id)
        return isinstance(group, ConsumerGroup) and all(
            group.holds_since(committer, offset.topic, offset.partition) for offset in offsets
        )

    def _check_commit(
        self, group_id: str, committer: Committer, turn: Turn, *, version: int, transactional: bool
    ) -> ErrorCode:
        group = self.groups.get(group_id)
        if group is not None:
            return group.check_commit(committer, turn, transactional=transactional, version=version)
        if committer.generation < 0:
            return ErrorCode.NONE  # whoever has no members may keep offsets under any name
        if version >= TELLS_UNKNOWN_GROUPS and not transactional:
            return ErrorCode.GROUP_ID_NOT_FOUND
        return ErrorCode.ILLEGAL_GENERATION

    def fetch(
        self,
        asked: OffsetFetchRequestGroup,
        ticket: Ticket,
        moment: Moment,
        *,
        require_stable: bool,
    ) -> Decided:
        """OffsetFetch of one group, its topics by name. OffsetFetchResponseGroup."""
        error = ErrorCode.NONE
        group = self.find(asked.group_id)
        if group is not None:
            error = group.check_fetch(asked.member_id, asked.member_epoch)
        elif asked.member_epoch >= 0:
            error = ErrorCode.GROUP_ID_NOT_FOUND
        answer = OffsetFetchResponseGroup(group_id=asked.group_id, error_code=error)
        offsets = self.offsets.get(asked.group_id)
        if not error and asked.topics is None:
            answer.topics = offset_fetches.fetch_all(offsets, require_stable=require_stable)
        elif not error:
            answer.topics = offset_fetches.fetch(
                offsets, asked.topics or (), require_stable=require_stable
            )
        return Effects(replies=[(ticket, answer)])

    def delete_offsets(
        self, group_id: str, wanted: list[OffsetToDelete], ticket: Ticket, moment: Moment
    ) -> Decided:
        """OffsetDelete: the error of the whole; that of each offset stands in `wanted`."""
        turn = Turn(moment, self.config)
        group = self.find(group_id)
        error = ErrorCode.GROUP_ID_NOT_FOUND if group is None else group.check_offset_delete()
        if group is not None and not error:
            offsets = self.offsets.get(group_id, _NO_OFFSETS)
            offset_commits.delete(group, offsets, wanted, turn)
        turn.reply(ticket, error)
        return turn.effects

    def topics_deleted(self, topics: frozenset[str], ticket: Ticket, moment: Moment) -> Decided:
        """Offsets of topics that are no more mean nothing: a new topic starts at 0. None."""
        turn = Turn(moment, self.config)
        for group_id, offsets in self.offsets.items():
            gone = [place for place in offsets.places() if place.topic in topics]
            offset_commits.forget(group_id, gone, turn)
        turn.reply(ticket, None)
        return turn.effects

    # -- all groups --------------------------------------------------------------------------------

    def find(self, group_id: str) -> Group | None:
        """A group; a simple one is made up of its offsets."""
        group = self.groups.get(group_id)
        if group is None and group_id in self.offsets:
            return ClassicGroup(group_id)
        return group

    def __iter__(self) -> Iterator[Group]:
        """Every group, simple ones too."""
        yield from self.groups.values()
        yield from (ClassicGroup(each) for each in self.offsets if each not in self.groups)

    def describe(self, group_id: str, ticket: Ticket, moment: Moment) -> Decided:
        """DescribeGroups: one group, "Dead" where it is not there. DescribedGroup."""
        group = self.find(group_id)
        if isinstance(group, ClassicGroup):
            described = group.described()
        else:
            described = DescribedGroup(
                error_code=ErrorCode.GROUP_ID_NOT_FOUND,
                error_message=f"Group {group_id} not found.",
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
            offset_commits.forget(group_id, self.offsets.get(group_id, _NO_OFFSETS).places(), turn)
            turn.effects.records += group.tombstones()
        turn.reply(ticket, error)
        return turn.effects

    # -- replay ------------------------------------------------------------------------------------

    def replay(
        self, key: Payload, value: Payload | None, *, offset: int, producer: ProducerIdentity | None
    ) -> None:
        match key:
            case OffsetCommitKey() | LegacyOffsetCommitKey():
                place = Place(key.topic, key.partition)
                self._replay_offset(key.group, place, value, offset, producer)
            case GroupMetadataKey():
                self._replay_group(key.group, cast(GroupMetadataValue | None, value))
            case _:
                group_id = group_of_record(key)
                if group_id is not None:
                    self._replay_consumer_group(group_id, key, value)

    def _replay_offset(
        self,
        group_id: str,
        place: Place,
        value: Payload | None,
        log_offset: int,
        producer: ProducerIdentity | None,
    ) -> None:
        if value is None:
            self._forget_offset(group_id, place)
            return
        offsets = self.offsets.get(group_id)
        if offsets is None:
            offsets = self.offsets[group_id] = GroupOffsets()
        committed = CommittedOffset.of(_modern(value), log_offset)
        if producer is None:
            offsets.put(place, committed)
        else:
            offsets.put_pending(place, producer.producer_id, committed)
            self._transactions.setdefault(producer.producer_id, set()).add(group_id)

    def _forget_offset(self, group_id: str, place: Place) -> None:
        offsets = self.offsets.get(group_id)
        if offsets is not None:
            offsets.take_back(place)
            if not offsets:
                del self.offsets[group_id]

    def _replay_group(self, group_id: str, value: GroupMetadataValue | None) -> None:
        group = self.groups.get(group_id)
        if value is None:
            if isinstance(group, ClassicGroup):
                del self.groups[group_id]
                self._deadlines.forget(group_id)
            return
        if not isinstance(group, ClassicGroup):
            group = self.groups[group_id] = ClassicGroup(group_id)
        group.restore(value)

    def _replay_consumer_group(self, group_id: str, key: Payload, value: Payload | None) -> None:
        group = self.groups.get(group_id)
        if not isinstance(group, ConsumerGroup):
            if value is None:
                return  # what is taken back here went with the group that stood there before
            group = self.groups[group_id] = self.consumer.new_group(group_id)
        group.replay(key, value)
        if group.is_gone:
            del self.groups[group_id]
            self._deadlines.forget(group_id)

    def replay_marker(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        for group_id in self._transactions.pop(producer.producer_id, ()):
            offsets = self.offsets.get(group_id)
            if offsets is not None:
                offsets.end_transaction(producer.producer_id, is_committed=is_committed)
                if not offsets:
                    del self.offsets[group_id]

    # -- life and time -----------------------------------------------------------------------------

    def loaded(self, moment: Moment) -> Decided:
        turn = Turn(moment, self.config)
        for group in list(self.groups.values()):
            group.loaded(turn)
            self._settle(group)
        self._check_due_ms = moment.monotonic_ms + self.config.offsets_check_interval_ms
        self._gone = self._find_gone()
        return turn.effects

    def _find_gone(self) -> list[tuple[str, Place]]:
        if self._topics is None:
            return []
        known = self._topics.view.by_name
        return [
            (group_id, place)
            for group_id, offsets in self.offsets.items()
            for place in offsets.places()
            if place.topic not in known
        ]

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        return [told for group in self.groups.values() for told in group.unloaded(error)]

    @property
    def next_deadline_ms(self) -> int:
        if self._gone:
            return 0
        return min(self._deadlines.next_ms, self._check_due_ms)

    def expire(self, moment: Moment) -> Decided:
        """One thing of each group that is due, and a look for old offsets when it is time."""
        turn = Turn(moment, self.config)
        if self._gone:
            self._forget_gone(turn)
            return turn.effects
        if self._check_due_ms <= moment.monotonic_ms:
            self._expire_offsets(turn)
            return turn.effects
        for group_id in self._deadlines.take_due(moment.monotonic_ms):
            group = self.groups[group_id]
            if isinstance(group, ConsumerGroup):
                group = self.consumer.expire(group, turn)
            else:
                classic_rebalance.expire(group, turn)
            self._settle(group)
        return turn.effects

    def _forget_gone(self, turn: Turn) -> None:
        """As much as one turn may; a topic that was made again meanwhile is left alone."""
        some, self._gone = (
            self._gone[:OFFSETS_EXPIRED_PER_TURN_MAX],
            self._gone[OFFSETS_EXPIRED_PER_TURN_MAX:],
        )
        assert self._topics is not None
        known = self._topics.view.by_name
        for group_id, place in some:
            if place.topic not in known and group_id in self.offsets:
                offset_commits.forget(group_id, [place], turn)

    def _expire_offsets(self, turn: Turn) -> None:
        """Take back what is old, as much as one turn may; the rest in the next one, at once."""
        for group in list(self):
            self._expire_offsets_of(group, turn)
            if len(turn.effects.records) >= OFFSETS_EXPIRED_PER_TURN_MAX:
                self._check_due_ms = turn.monotonic_ms
                return
        self._check_due_ms = turn.monotonic_ms + self.config.offsets_check_interval_ms

    def _expire_offsets_of(self, group: Group, turn: Turn) -> None:
        """An empty group that has no offsets any more goes with them."""
        offsets = self.offsets.get(group.group_id, _NO_OFFSETS)
        retention_ms = self.config.offsets_retention_ms
        old = list(expired(group, offsets, now_ms=turn.now_ms, retention_ms=retention_ms))
        room = OFFSETS_EXPIRED_PER_TURN_MAX - len(turn.effects.records)
        offset_commits.forget(group.group_id, old[:room], turn)
        has_offsets = len(old) < len(offsets.committed) or bool(offsets.pending) or room < len(old)
        if group.is_empty and not has_offsets:
            turn.effects.records += group.tombstones()

    def _settle(self, group: ClassicGroup | ConsumerGroup) -> None:
        """After a command: keep a group that somebody is in, and look when it is due."""
        if group.is_vacant:
            self.groups.pop(group.group_id, None)
            self._deadlines.forget(group.group_id)
            return
        self._hold(group)

    def _hold(self, group: ClassicGroup | ConsumerGroup) -> None:
        self.groups[group.group_id] = group
        self._deadlines.at(group.group_id, group.soonest_ms)


def _modern(value: Payload) -> OffsetCommitValue:
    """An offset as newer brokers write it."""
    if isinstance(value, LegacyOffsetCommitValue):
        return OffsetCommitValue(
            offset=value.offset,
            metadata=value.metadata,
            commit_timestamp=value.commit_timestamp,
        )
    assert isinstance(value, OffsetCommitValue)
    return value
