"""A classic group: its members, its generation, and what they have agreed on.

Its record tells a group that is Stable or Empty, so only `restore` brings it there: at load, and
right after the decision. All between two such states lives in memory alone, and is given up when
the group is read again: members find an old generation, and join anew.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from ottla.base.effects import NEVER, Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups.classic_member import ClassicMember, Protocols
from ottla.groups.classic_state import State, refused_join
from ottla.groups.group import Committer
from ottla.groups.journal import Journal
from ottla.groups.turn import Turn
from ottla.wire.messages.describe_groups import DescribedGroup
from ottla.wire.messages.join_group import JoinGroupResponse, JoinGroupResponseMember
from ottla.wire.messages.sync_group import SyncGroupResponse
from ottla.wire.payloads.consumer_protocol import PROTOCOL_TYPE, subscribed_topics
from ottla.wire.payloads.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
)
from ottla.wire.payloads.records import CoordinatorRecord

TELLS_UNKNOWN_GROUPS: Final = 9
"""From this version of OffsetCommit a group that is not there is said to be that (KIP-848)."""
_RECORD_VERSION: Final = 3


class ClassicGroup:
    """See `group.Group`."""

    type_name: Final = "classic"

    def __init__(self, group_id: str) -> None:
        self.group_id = group_id
        self.state = State.EMPTY
        self.state_since_ms: int | None = None
        self.protocol_type: str | None = None
        self.generation = 0
        self.protocol: str | None = None
        self.leader: str | None = None
        self.members: dict[str, ClassicMember] = {}
        self.static_members: dict[str, str] = {}
        """Member ids by instance id."""
        self.pending_members: dict[str, int] = {}
        """Ids that were given out and not yet used, with the time until which they hold."""
        self.pending_sync: set[str] = set()
        """Members that have not asked for this generation's assignment."""
        self.rebalance_deadline_ms = NEVER
        self.sync_deadline_ms = NEVER
        self.initial_wait_ms: int | None = None
        """In a rebalance that began with an empty group: how much longer it may be put off."""
        self.must_rebalance = False
        """Whether all have to join again, because the group has changed its protocol."""
        self.has_newcomer = False
        """Whether somebody joined since it was put off last."""
        self.topics: frozenset[str] | None = None
        """What the members subscribe to; None where they do not say it in a form that is known."""
        self.journal = Journal()
        self.is_recorded = False
        self.soonest_ms = NEVER
        self._supporters: Counter[str] = Counter()

    # -- what it is --------------------------------------------------------------------------------

    @property
    def state_name(self) -> str:
        return self.state.value

    @property
    def is_empty(self) -> bool:
        return self.state is State.EMPTY

    @property
    def is_vacant(self) -> bool:
        return self.is_empty and not self.pending_members and not self.is_recorded

    @property
    def empty_since_ms(self) -> int | None:
        return self.state_since_ms if self.is_empty else None

    @property
    def rebalance_timeout_ms(self) -> int:
        """As long as the most patient member wants to wait."""
        return max((member.rebalance_timeout_ms for member in self.members.values()), default=0)

    @property
    def waiting_to_join(self) -> int:
        """How many members wait for the next generation."""
        return sum(member.join_ticket is not None for member in self.members.values())

    @property
    def has_all_joined(self) -> bool:
        return not self.pending_members and self.waiting_to_join == len(self.members)

    def wake_at(self, due_ms: int) -> None:
        """See that `expire` is called no later than that."""
        self.soonest_ms = min(self.soonest_ms, due_ms)

    def check_member(self, member_id: str, group_instance_id: str | None) -> ErrorCode:
        """Whether the group has this member, under this id."""
        if group_instance_id is not None:
            known_as = self.static_members.get(group_instance_id)
            if known_as is None:
                return ErrorCode.UNKNOWN_MEMBER_ID
            if known_as != member_id:
                return ErrorCode.FENCED_INSTANCE_ID
        return ErrorCode.NONE if member_id in self.members else ErrorCode.UNKNOWN_MEMBER_ID

    # -- protocols ---------------------------------------------------------------------------------

    def supports(self, protocol_type: str, protocols: Protocols) -> bool:
        """Whether somebody with these can be a member beside those that are."""
        if not self.members:
            return protocol_type != "" and bool(protocols)
        everybody = len(self.members)
        return protocol_type == self.protocol_type and any(
            self._supporters[name] == everybody for name, _ in protocols
        )

    def common_protocol(self) -> str:
        """The one of this generation, or where somebody has come who does not know it, the next."""
        protocol = self.protocol
        if protocol is not None and self._supporters[protocol] == len(self.members):
            return protocol
        return self.chosen_protocol()

    def chosen_protocol(self) -> str:
        """The one with most votes: each member's goes to the best that all can use.

        Of equal ones, that which comes first for the member that joined first.
        """
        everybody = len(self.members)
        votes: Counter[str] = Counter()
        for member in self.members.values():
            votes[next(n for n, _ in member.protocols if self._supporters[n] == everybody)] += 1
        return votes.most_common(1)[0][0]

    def learn_topics(self) -> None:
        """Read from the members' subscriptions which topics the group reads."""
        self.topics = None
        if self.protocol_type == PROTOCOL_TYPE:
            try:
                self.topics = frozenset(
                    topic
                    for member in self.members.values()
                    for topic in subscribed_topics(member.metadata_for(self.protocol))
                )
            except ProtocolError:
                self.topics = None

    # -- members -----------------------------------------------------------------------------------

    def add(self, member: ClassicMember) -> None:
        """One more member; the first to come leads."""
        self.members[member.member_id] = member
        if member.group_instance_id is not None:
            self.static_members[member.group_instance_id] = member.member_id
        if self.leader is None:
            self.leader = member.member_id
        self._supporters.update(member.protocol_names)

    def remove(self, member_id: str) -> ClassicMember:
        """One less; who leads is settled when the next generation begins."""
        member = self.members.pop(member_id)
        if member.group_instance_id is not None:
            del self.static_members[member.group_instance_id]
        if self.leader == member_id:
            self.leader = None
        self.pending_sync.discard(member_id)
        self._supporters.subtract(member.protocol_names)
        self._supporters = +self._supporters
        return member

    def change_protocols(self, member: ClassicMember, protocols: Protocols) -> None:
        """A member can use other protocols, or tells other things of itself."""
        self._supporters.subtract(member.protocol_names)
        member.protocols = protocols
        self._supporters.update(member.protocol_names)

    def rename(self, member: ClassicMember, member_id: str) -> None:
        """A static member came back: it keeps its place and its assignment under a new id."""
        assert member.group_instance_id is not None
        old_id = member.member_id
        self.members = {
            member_id if known == old_id else known: each for known, each in self.members.items()
        }
        self.static_members[member.group_instance_id] = member_id
        if self.leader == old_id:
            self.leader = member_id
        if old_id in self.pending_sync:
            self.pending_sync.discard(old_id)
            self.pending_sync.add(member_id)
        member.member_id = member_id

    def extend_session(self, member: ClassicMember, turn: Turn) -> None:
        """The member has shown that it lives."""
        member.session_deadline_ms = turn.monotonic_ms + member.session_timeout_ms
        self.wake_at(member.session_deadline_ms)

    # -- its record --------------------------------------------------------------------------------

    def record(
        self, assignments: dict[str, bytes], *, generation: int, now_ms: int
    ) -> CoordinatorRecord:
        """The group as it shall be kept: Stable with these assignments, Empty without members."""
        protocol = self.protocol if self.members else None
        return CoordinatorRecord(
            GroupMetadataKey(group=self.group_id),
            GroupMetadataValue(
                protocol_type=self.protocol_type or "",
                generation=generation,
                protocol=protocol,
                leader=self.leader if self.members else None,
                current_state_timestamp=now_ms,
                members=[
                    member.kept(protocol, assignments.get(member.member_id, b""))
                    for member in self.members.values()
                ],
            ),
            _RECORD_VERSION,
        )

    def restore(self, value: GroupMetadataValue) -> None:
        """Be what a record tells. What is not in records of members that are known, stays."""
        self.is_recorded = True
        self.protocol_type = value.protocol_type or None
        self.generation = value.generation
        self.protocol = value.protocol
        told = {kept.member_id: kept for kept in value.members}
        for member_id in [each for each in self.members if each not in told]:
            self.remove(member_id)
        for kept in value.members:
            self._restore_member(kept, value.protocol)
        self.members = {member_id: self.members[member_id] for member_id in told}
        self.leader = value.leader
        self.state = State.STABLE if self.members else State.EMPTY
        timestamp_ms = value.current_state_timestamp
        self.state_since_ms = timestamp_ms if timestamp_ms >= 0 else None
        self.learn_topics()

    def _restore_member(self, kept: MemberMetadata, protocol: str | None) -> None:
        """What a member has decided itself is known already, with who waits; all else is new."""
        member = self.members.get(kept.member_id)
        if member is None or member.kept(protocol, kept.assignment) != kept:
            if member is not None:
                self.remove(kept.member_id)
            self.add(ClassicMember.restored(kept, protocol))
        self.members[kept.member_id].assignment = kept.assignment

    def tombstones(self) -> list[CoordinatorRecord]:
        if not self.is_recorded:
            return []
        return [CoordinatorRecord(GroupMetadataKey(group=self.group_id), None)]

    # -- for its offsets ---------------------------------------------------------------------------

    def check_commit(
        self, committer: Committer, turn: Turn, *, transactional: bool, version: int
    ) -> ErrorCode:
        """A commit from outside is for groups without members; a transaction's always was taken."""
        if not committer.is_member:
            is_fine = transactional or self.is_empty
            return ErrorCode.NONE if is_fine else ErrorCode.UNKNOWN_MEMBER_ID
        if committer.generation < 0 and self.is_empty:
            return ErrorCode.NONE
        error = self.check_member(committer.member_id, committer.group_instance_id)
        if error:
            return error
        if committer.generation != self.generation:
            return ErrorCode.ILLEGAL_GENERATION
        if self.state is State.COMPLETING and not transactional:
            return ErrorCode.REBALANCE_IN_PROGRESS
        self.extend_session(self.members[committer.member_id], turn)
        return ErrorCode.NONE

    def check_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        """Members of classic groups name themselves in no version: nothing is to be checked."""
        return ErrorCode.NONE

    def check_offset_delete(self) -> ErrorCode:
        """Members of other protocols than "consumer" do not tell what they read."""
        if self.is_empty or self.protocol_type == PROTOCOL_TYPE:
            return ErrorCode.NONE
        return ErrorCode.NON_EMPTY_GROUP

    def is_reading(self, topic: str) -> bool:
        if not self.members:
            return False
        return self.topics is None or topic in self.topics

    def may_expire(self, topic: str) -> bool:
        if self.is_empty:
            return True
        return self.state is State.STABLE and self.topics is not None and topic not in self.topics

    # -- for those who look ------------------------------------------------------------------------

    def described(self) -> DescribedGroup:
        """As DescribeGroups tells it."""
        protocol = self.protocol if self.state is State.STABLE else None
        return DescribedGroup(
            group_id=self.group_id,
            group_state=self.state_name,
            protocol_type=self.protocol_type or "",
            protocol_data=protocol or "",
            members=[member.described(protocol) for member in self.members.values()],
        )

    def joined(self, member: ClassicMember, *, leader: str | None = None) -> JoinGroupResponse:
        """The current generation, as one of its members is told; its leader learns the others.

        `leader` names another one than there is.
        """
        told = self.leader if leader is None else leader
        everybody = []
        if told == member.member_id:
            everybody = [
                JoinGroupResponseMember(
                    member_id=each.member_id,
                    group_instance_id=each.group_instance_id,
                    metadata=each.metadata_for(self.protocol),
                )
                for each in self.members.values()
            ]
        return JoinGroupResponse(
            generation_id=self.generation,
            protocol_type=self.protocol_type,
            protocol_name=self.protocol,
            leader=told or "",
            member_id=member.member_id,
            members=everybody,
        )

    # -- time --------------------------------------------------------------------------------------

    def find_soonest(self) -> None:
        """Set `soonest_ms` anew, once what was due has been done."""
        self.soonest_ms = min(
            self.rebalance_deadline_ms,
            self.sync_deadline_ms,
            min(self.pending_members.values(), default=NEVER),
            min((member.deadline_ms for member in self.members.values()), default=NEVER),
        )

    def loaded(self, turn: Turn) -> None:
        """The broker has just read it: its members have their whole session to be heard of."""
        for member in self.members.values():
            self.extend_session(member, turn)

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        told: list[tuple[Ticket, object]] = []
        for member in self.members.values():
            if member.join_ticket is not None:
                told.append((member.join_ticket, refused_join(error, member.member_id)))
            if member.sync_ticket is not None:
                told.append((member.sync_ticket, SyncGroupResponse(error_code=error)))
            member.join_ticket = member.sync_ticket = None
        return told
