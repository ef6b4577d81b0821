"""A consumer group as everybody else meets it: its offsets, lists of groups, and time."""

from __future__ import annotations

from typing import Final

from ottla.base.effects import NEVER, Ticket
from ottla.base.errors import ErrorCode
from ottla.groups.consumer_config import ConsumerConfig, ConsumerConfigs
from ottla.groups.consumer_deadlines import extend
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_journal import cause_of
from ottla.groups.consumer_leave import remove_members
from ottla.groups.consumer_member import ConsumerMember
from ottla.groups.consumer_records import group_tombstones, member_tombstones, regex_tombstone
from ottla.groups.consumer_state import ConsumerState
from ottla.groups.group import Committer
from ottla.groups.journal import Cause, Trigger
from ottla.groups.topics_view import KnownTopics
from ottla.groups.turn import Turn
from ottla.wire.payloads.consumer_protocol import PROTOCOL_TYPE
from ottla.wire.payloads.records import CoordinatorRecord

COMMITS_OF_MEMBERS: Final = 9
"""From this version of OffsetCommit a client knows what a member epoch is."""


class ConsumerGroup(ConsumerState):
    """See `group.Group`."""

    type_name: Final = "consumer"
    protocol_type: Final = PROTOCOL_TYPE

    def __init__(self, group_id: str, topics: KnownTopics, configs: ConsumerConfigs) -> None:
        super().__init__(group_id)
        self.topics = topics
        self._configs = configs
        self.may_downgrade = configs.default.migration.may_downgrade

    @property
    def config(self) -> ConsumerConfig:
        """It may change at any time."""
        return self._configs.of(self.group_id)

    @property
    def state_name(self) -> str:
        return self.state.value

    @property
    def is_empty(self) -> bool:
        return not self.members

    @property
    def is_vacant(self) -> bool:
        return not self.members and self.epoch == 0

    @property
    def empty_since_ms(self) -> int | None:
        """Not kept: the age of each offset counts."""
        return None

    # -- its offsets -----------------------------------------------------------------------------

    def check_commit(
        self, committer: Committer, turn: Turn, *, transactional: bool, version: int
    ) -> ErrorCode:
        """A member's own epoch is the one that counts; a commit is no sign of life."""
        if committer.generation < 0 and not self.members:
            return ErrorCode.NONE
        if transactional and not committer.is_member:
            return ErrorCode.NONE  # a producer that names no member (before KIP-447)
        member = self.members.get(committer.member_id)
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if member.uses_classic_protocol:
            is_current = committer.generation == member.epoch
            return ErrorCode.NONE if is_current else ErrorCode.ILLEGAL_GENERATION
        if version < COMMITS_OF_MEMBERS and not transactional:
            return ErrorCode.UNSUPPORTED_VERSION
        is_current = committer.generation == member.epoch
        return ErrorCode.NONE if is_current else ErrorCode.STALE_MEMBER_EPOCH

    def holds_since(self, committer: Committer, topic: str, partition: int) -> bool:
        """Whether the member has had the partition since the epoch that it commits in, or longer.

        So a member that is told a new epoch while its commit is under way has not committed in
        vain (KIP-1251).
        """
        member = self.members.get(committer.member_id)
        facts = self.topics.view.named(topic)
        if member is None or facts is None or committer.generation > member.epoch:
            return False
        place = (facts.topic_id, partition)
        since = member.assigned.get(place, member.revoking.get(place))
        return since is not None and since <= committer.generation

    def check_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        """Whoever names no member is an administrator."""
        if member_id is None and member_epoch < 0:
            return ErrorCode.NONE
        member = self.members.get(member_id or "")
        if member is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if member.epoch == member_epoch:
            return ErrorCode.NONE
        if member.uses_classic_protocol:
            return ErrorCode.ILLEGAL_GENERATION
        return ErrorCode.STALE_MEMBER_EPOCH

    def check_offset_delete(self) -> ErrorCode:
        """It is known of each topic whether somebody reads it."""
        return ErrorCode.NONE

    def is_reading(self, topic: str) -> bool:
        return self.subscribes_to(topic)

    def may_expire(self, topic: str) -> bool:
        return not self.subscribes_to(topic)

    # -- the end ---------------------------------------------------------------------------------

    def tombstones(self) -> list[CoordinatorRecord]:
        """Members first: whoever reads half of it still knows whose they were."""
        members = [
            record
            for member_id in self.members
            for record in member_tombstones(self.group_id, member_id)
        ]
        regexes = [regex_tombstone(self.group_id, regex) for regex in sorted(self.regexes)]
        own = group_tombstones(self.group_id, has_partition_metadata=self.has_partition_metadata)
        return members + regexes + own

    # -- time ------------------------------------------------------------------------------------

    def session_timeout_ms(self, member: ConsumerMember) -> int:
        """Members of the classic protocol brought their own."""
        if member.classic is not None:
            return member.classic.session_timeout_ms
        return self.config.session_timeout_ms

    def loaded(self, turn: Turn) -> None:
        """The broker has just read it: its members have their whole session to be heard of."""
        for member in self.members.values():
            extend(self, member, turn, self.session_timeout_ms(member))
        self.wake_at(turn.monotonic_ms)

    def expire(self, turn: Turn) -> None:
        overdue = self.overdue(turn.monotonic_ms)
        self.soonest_ms = NEVER
        if overdue:
            draft = ConsumerDraft(self)
            remove_members(draft, overdue, turn, [self._why_overdue(m, turn) for m in overdue])
            turn.effects.records += draft.records
        self.wake_at(self.next_deadline_ms)

    def _why_overdue(self, member: ConsumerMember, turn: Turn) -> Cause:
        session_ends_ms = self.session_ends_ms.get(member.member_id, NEVER)
        is_silent = session_ends_ms <= turn.monotonic_ms
        return cause_of(member, Trigger.SESSION_ENDED if is_silent else Trigger.DID_NOT_REVOKE)

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        """Nobody ever waits here."""
        return []
