"""The state of a consumer group: what its records say, and who has been heard of when.

Kept state changes only in `replay`. Sessions and deadlines are not kept: they begin anew where the
group is loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import Enum
from typing import Final

from msgspec import Struct

from ottla.base.effects import NEVER
from ottla.groups import consumer_records as records
from ottla.groups.consumer_member import NOTHING_HELD, ConsumerMember, MemberState
from ottla.groups.journal import Journal
from ottla.groups.topics_view import TopicPartition, TopicsView
from ottla.wire.payloads.consumer_groups import (
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
)
from ottla.wire.schema import Payload

NO_SHARE: Final[frozenset[TopicPartition]] = frozenset()
NO_TOPICS: Final[frozenset[str]] = frozenset()


class Standing(Enum):
    """As ListGroups and ConsumerGroupDescribe name it."""

    EMPTY = "Empty"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"


class ResolvedRegex(Struct, frozen=True):
    """The topics that an expression stood for, and of which view."""

    topics: frozenset[str]
    version: int


class ConsumerState:
    """`epoch` grows with every change that needs a new target; the target is that of
    `target_epoch`."""

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.epoch = 0
        self.metadata_hash = 0
        self.members: dict[str, ConsumerMember] = {}
        self.instances: dict[str, str] = {}
        """Member ids of static members."""
        self.target_epoch = 0
        self.target: dict[str, frozenset[TopicPartition]] = {}
        self.regexes: dict[str, ResolvedRegex] = {}
        self.has_partition_metadata = False
        self.owners: dict[TopicPartition, str] = {}
        self._readers: Counter[str] = Counter()
        """How many members name a topic."""
        # Not kept:
        self.journal = Journal()
        self.seen_view: TopicsView | None = None
        """The view that `metadata_hash` and `regexes` are known to agree with."""
        self.session_ends_ms: dict[str, int] = {}
        self.revocation_ends_ms: dict[str, int] = {}
        self.soonest_ms = NEVER
        self.may_downgrade = False
        """Whether classic members that remain alone go back to their protocol."""

    # -- what it is ------------------------------------------------------------------------------

    @property
    def state(self) -> Standing:
        if not self.members:
            return Standing.EMPTY
        if self.epoch > self.target_epoch:
            return Standing.ASSIGNING
        if all(member.is_settled(self.target_epoch) for member in self.members.values()):
            return Standing.STABLE
        return Standing.RECONCILING

    @property
    def is_gone(self) -> bool:
        """Whether nothing of it is kept: then it is no group."""
        return not (
            self.epoch
            or self.members
            or self.target_epoch
            or self.target
            or self.regexes
            or self.has_partition_metadata
        )

    def share_of(self, member_id: str) -> frozenset[TopicPartition]:
        """What a member shall have."""
        return self.target.get(member_id, NO_SHARE)

    def preferred_assignor(self, default: str) -> str:
        """The one that most members ask for."""
        return preferred_assignor(self.members.values(), default)

    def subscribes_to(self, topic: str) -> bool:
        """Whether any member reads the topic."""
        return topic in self._readers or any(
            topic in regex.topics for regex in self.regexes.values()
        )

    # -- who is there ----------------------------------------------------------------------------

    @property
    def next_deadline_ms(self) -> int:
        """When the first session or revocation ends; NEVER."""
        return min(
            min(self.session_ends_ms.values(), default=NEVER),
            min(self.revocation_ends_ms.values(), default=NEVER),
        )

    def wake_at(self, due_ms: int) -> None:
        """See that deadlines are looked at no later than that."""
        self.soonest_ms = min(self.soonest_ms, due_ms)

    def overdue(self, monotonic_ms: int) -> list[ConsumerMember]:
        """Members of whom too long nothing was heard, or who keep what they must give back."""
        return [
            member
            for member_id, member in self.members.items()
            if self.session_ends_ms.get(member_id, NEVER) <= monotonic_ms
            or self.revocation_ends_ms.get(member_id, NEVER) <= monotonic_ms
        ]

    def forget(self, member_id: str) -> None:
        """No deadline of this member counts any more."""
        self.session_ends_ms.pop(member_id, None)
        self.revocation_ends_ms.pop(member_id, None)

    # -- what is kept ----------------------------------------------------------------------------

    def replay(self, key: Payload, value: Payload | None) -> None:
        """Take over one record of this group. A value of None takes back what the key is about."""
        if isinstance(key, ConsumerGroupMetadataKey):
            self._replay_group(value)
        elif isinstance(key, ConsumerGroupMemberMetadataKey):
            self._replay_member(key.member_id, value)
        elif isinstance(key, ConsumerGroupTargetAssignmentMetadataKey):
            self._replay_target_epoch(value)
        elif isinstance(key, ConsumerGroupTargetAssignmentMemberKey):
            self._replay_target(key.member_id, value)
        elif isinstance(key, ConsumerGroupCurrentMemberAssignmentKey):
            self._replay_standing(key.member_id, value)
        elif isinstance(key, ConsumerGroupRegularExpressionKey):
            self._replay_regex(key.regular_expression, value)
        else:
            assert isinstance(key, ConsumerGroupPartitionMetadataKey), key
            self.has_partition_metadata = value is not None

    def _replay_group(self, value: Payload | None) -> None:
        assert isinstance(value, ConsumerGroupMetadataValue | None)
        self.epoch = 0 if value is None else value.epoch
        self.metadata_hash = 0 if value is None else value.metadata_hash

    def _replay_target_epoch(self, value: Payload | None) -> None:
        assert isinstance(value, ConsumerGroupTargetAssignmentMetadataValue | None)
        self.target_epoch = 0 if value is None else value.assignment_epoch

    def _replay_target(self, member_id: str, value: Payload | None) -> None:
        if value is None:
            self.target.pop(member_id, None)
            return
        assert isinstance(value, ConsumerGroupTargetAssignmentMemberValue)
        self.target[member_id] = records.share_of(value)

    def _replay_regex(self, regex: str, value: Payload | None) -> None:
        if value is None:
            self.regexes.pop(regex, None)
            return
        assert isinstance(value, ConsumerGroupRegularExpressionValue)
        self.regexes[regex] = ResolvedRegex(frozenset(value.topics), value.version)

    def _replay_member(self, member_id: str, value: Payload | None) -> None:
        if value is None:
            self._remove(member_id)
            return
        assert isinstance(value, ConsumerGroupMemberMetadataValue)
        self._put(records.as_said(self._known(member_id), value))

    def _replay_standing(self, member_id: str, value: Payload | None) -> None:
        if value is not None:
            assert isinstance(value, ConsumerGroupCurrentMemberAssignmentValue)
            self._put(records.as_standing(self._known(member_id), value))
        elif member_id in self.members:
            nothing = ConsumerMember(member_id=member_id)
            self._put(
                self.members[member_id].but(
                    epoch=nothing.epoch,
                    previous_epoch=nothing.previous_epoch,
                    state=MemberState.STABLE,
                    assigned=NOTHING_HELD,
                    revoking=NOTHING_HELD,
                )
            )

    def _known(self, member_id: str) -> ConsumerMember:
        """After compaction a member's records come in any order: each may be its first."""
        return self.members.get(member_id) or ConsumerMember(member_id=member_id)

    def _put(self, member: ConsumerMember) -> None:
        before = self.members.get(member.member_id)
        if before is not None:
            self._release(before)
            self._unlink(before)
        self._count_readers(NO_TOPICS if before is None else before.topic_names, member.topic_names)
        self.members[member.member_id] = member
        for partition in member.held:
            self.owners[partition] = member.member_id
        if member.instance_id is not None:
            self.instances[member.instance_id] = member.member_id

    def _remove(self, member_id: str) -> None:
        gone = self.members.pop(member_id, None)
        if gone is not None:
            self._release(gone)
            self._unlink(gone)
            self._count_readers(gone.topic_names, NO_TOPICS)
        self.forget(member_id)

    def _count_readers(self, before: frozenset[str], after: frozenset[str]) -> None:
        if before == after:
            return  # as nearly always: most records tell where a member stands
        self._readers.update(after - before)
        self._readers.subtract(before - after)
        for topic in before - after:
            if not self._readers[topic]:
                del self._readers[topic]

    def _release(self, member: ConsumerMember) -> None:
        for partition in member.held:
            if self.owners.get(partition) == member.member_id:
                del self.owners[partition]

    def _unlink(self, member: ConsumerMember) -> None:
        """A static member that takes over was written before its predecessor is taken back."""
        instance_id = member.instance_id
        if instance_id is not None and self.instances.get(instance_id) == member.member_id:
            del self.instances[instance_id]


def preferred_assignor(members: Iterable[ConsumerMember], default: str) -> str:
    """The assignor that most members ask for; of equals, the first by name."""
    votes = Counter(
        member.server_assignor for member in members if member.server_assignor is not None
    )
    return min(votes, key=lambda name: (-votes[name], name)) if votes else default
