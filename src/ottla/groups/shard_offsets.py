"""Commands about offsets: each finds its group, which says whether it may be done."""

from __future__ import annotations

from ottla.base.effects import Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode
from ottla.groups import offset_commits, offset_fetches
from ottla.groups.classic_group import TELLS_UNKNOWN_GROUPS
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit, OffsetToDelete
from ottla.groups.shard_state import ShardState
from ottla.groups.turn import Decided, Turn
from ottla.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchResponseGroup


class OffsetCommands(ShardState):
    """The part of `shard.GroupShard` that commits, tells and forgets offsets."""

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
        if error is ErrorCode.STALE_MEMBER_EPOCH and producer is not None:
            error = ErrorCode.ILLEGAL_GENERATION  # producers know no member epochs
        if not error and offset_commits.is_too_large(group_id, len(offsets)):
            error = ErrorCode.INVALID_COMMIT_OFFSET_SIZE
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
            error = group.check_commit(
                committer, turn, transactional=transactional, version=version
            )
            self.settle(group)  # a member that may commit has shown that it lives
            return error
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
        answer = OffsetFetchResponseGroup(group_id=asked.group_id, error_code=error)
        offsets = self.offsets.of(asked.group_id)
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
            offsets = self.offsets.of(group_id)
            offset_commits.delete(group, offsets, wanted, turn)
        turn.reply(ticket, error)
        return turn.effects
