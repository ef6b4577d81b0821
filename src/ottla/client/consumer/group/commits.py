"""Commits positions of a group, and fetches them: one commit after the other, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.ids import ZERO_UUID, TopicPartition
from ottla.client.consumer.group.errors import CommitFailedError, GroupError
from ottla.client.consumer.group.line import GroupLine
from ottla.client.consumer.group.member import Identity, Member
from ottla.client.consumer.group.offset_requests import (
    TopicIds,
    commit_codes,
    commit_request,
    fetch_request,
    fetched_offsets,
)
from ottla.client.errors import NodeError, RefusedError
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.offset_commit import OffsetCommitRequest, OffsetCommitResponse
from ottla.wire.messages.offset_fetch import OffsetFetchRequest, OffsetFetchResponse

_log = logging.getLogger(__name__)

Positions = Mapping[TopicPartition, OffsetAndMetadata]

_NOT_OURS: Final = {
    ErrorCode.ILLEGAL_GENERATION: "the group has gone on without this member",
    ErrorCode.UNKNOWN_MEMBER_ID: "the group has put this member out, or it has left",
    ErrorCode.FENCED_INSTANCE_ID: "another member has its group_instance_id",
    ErrorCode.REBALANCE_IN_PROGRESS: "the group is about to share its partitions anew",
}
_ADVICE: Final = (
    "Read on: the consumer takes part in the rebalance, and what is not committed is read again."
    " Where it happens often, hand out less at once (max_poll_records) or allow more time between"
    " two reads (max_poll_interval_ms)."
)


class _EpochIsOldError(NodeError):
    """The member has another epoch by now, or will with its next heartbeat."""


class Commits:
    """`member` is asked who it is whenever something leaves: it may be no member, or not yet."""

    def __init__(
        self,
        line: GroupLine,
        member: Member,
        *,
        tells_epoch: bool,
        is_shared: Callable[[], bool],
        on_refusal: Callable[[], None],
    ) -> None:
        """`tells_epoch`: whether it is a member of the consumer protocol. `is_shared`: whether
        only members commit now. `on_refusal` is called when the member was told that it is none any
        more, or has another epoch."""
        self._line = line
        self._member = member
        self._on_refusal = on_refusal
        self._is_shared = is_shared
        self._tells_epoch = tells_epoch
        self._in_order = asyncio.Lock()
        self.last: dict[TopicPartition, OffsetAndMetadata] = {}
        """What is known to be committed."""

    # -- committing ------------------------------------------------------------------------------

    async def commit(self, offsets: Positions, *, timeout_s: float | None = None) -> None:
        """Keep these; tried again until `timeout_s` where that helps.

        Raises CommitFailedError, GroupError, RefusedError, DeadlineError. Cancelled, nobody knows.
        """
        if not offsets:
            return
        async with self._in_order:
            await self._line.cluster.retry(
                lambda: self._commit(offsets),
                failed=f"positions of group {self._line.group_id!r} were not committed",
                timeout_s=timeout_s,
            )

    async def commit_once(self, offsets: Positions) -> bool:
        """Try it, unless another commit is under way; whether they are kept. Raises nothing."""
        if self._in_order.locked():
            return False
        try:
            async with self._in_order:
                await self._commit(offsets)
        except (UserError, ProtocolError) as error:
            _log.info("positions were not committed", extra={"reason": str(error)})
            return False
        return True

    async def _commit(self, offsets: Positions) -> None:
        if self._is_shared() and not self._member.is_joined:
            # A group that is empty by now takes positions of nobody, and these may be old.
            raise _not_ours(ErrorCode.UNKNOWN_MEMBER_ID)
        identity = self._member.identity
        topic_ids = self._topic_ids(offsets)
        response = await self._line.call(
            OffsetCommitRequest,
            lambda version: commit_request(
                self._line.group_id, identity, offsets, topic_ids, version
            ),
            OffsetCommitResponse,
            at_most=topic_ids.version_max(partition.topic for partition in offsets),
        )
        codes = commit_codes(response, topic_ids)
        self.last.update(
            {
                found: offsets[found]
                for found, code in codes.items()
                if not code and found in offsets
            }
        )
        for partition, code in codes.items():
            if code:
                self._refused(partition, code, identity)

    def _refused(self, partition: TopicPartition, code: int, identity: Identity) -> None:
        self._line.heed(code)
        known = known_error(code)
        if known is ErrorCode.STALE_MEMBER_EPOCH and self._stays(known, identity):
            raise _EpochIsOldError("the member's epoch is an old one")
        if known in _NOT_OURS or known is ErrorCode.STALE_MEMBER_EPOCH:
            self._tell_member(code, identity)
            raise _not_ours(known)
        raise self._error(known, f"the position of {partition} was not committed")

    def _stays(self, code: ErrorCode, identity: Identity) -> bool:
        """Whether the member is in its group all the same: it only has to learn its epoch."""
        if not self._member.is_joined:
            return False
        self._tell_member(code, identity)
        return True

    def _tell_member(self, code: int, identity: Identity) -> None:
        self._member.commit_refused(code, identity)
        self._on_refusal()

    # -- fetching --------------------------------------------------------------------------------

    async def committed(
        self, partitions: Iterable[TopicPartition], *, timeout_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """The positions that the group has; None for none. Raises as `commit` does."""
        wanted = list(partitions)
        if not wanted:
            return {}
        return await self._line.cluster.retry(
            lambda: self._fetch(wanted),
            failed=f"positions of group {self._line.group_id!r} were not found",
            timeout_s=timeout_s,
        )

    async def _fetch(
        self, partitions: list[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        # Whoever is no member says nothing of one: an id of nobody is refused for ever.
        own = self._member.identity
        identity = own if self._tells_epoch and own.generation >= 0 else None
        topic_ids = self._topic_ids(partitions)
        response = await self._line.call(
            OffsetFetchRequest,
            lambda version: fetch_request(
                self._line.group_id, identity, partitions, topic_ids, version
            ),
            OffsetFetchResponse,
            at_most=topic_ids.version_max(partition.topic for partition in partitions),
        )
        whole, found = fetched_offsets(response, topic_ids)
        self._check(whole, "the group", identity)
        for partition, fetched in found.items():
            self._check(fetched.code, str(partition), identity)
        return {
            partition: found[partition].position if partition in found else None
            for partition in partitions
        }

    def _check(self, code: int, what: str, identity: Identity | None) -> None:
        if not code:
            return
        self._line.heed(code)
        known = known_error(code)
        if known in (ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID):
            if identity is not None:
                self._tell_member(code, identity)
            raise _EpochIsOldError("the member's epoch is an old one")
        raise self._error(known, f"the position of {what} was not told")

    def _topic_ids(self, partitions: Iterable[TopicPartition]) -> TopicIds:
        metadata = self._line.cluster.metadata
        topics = {partition.topic: metadata.topic(partition.topic) for partition in partitions}
        ids = {
            name: topic.topic_id
            for name, topic in topics.items()
            if topic is not None and topic.topic_id != ZERO_UUID
        }
        return TopicIds(ids, {topic_id: name for name, topic_id in ids.items()})

    def _error(self, code: ErrorCode, message: str) -> Exception:
        """What passes is tried again."""
        remedy = remedy_of(code)
        if remedy is Remedy.REFRESH_METADATA:
            self._line.cluster.refresh_soon()
        return RefusedError(code, message) if remedy.retriable else GroupError(code, message)


def _not_ours(code: ErrorCode) -> CommitFailedError:
    reason = _NOT_OURS.get(code, "this member is in the group no more")
    return CommitFailedError(code, f"{reason}. {_ADVICE}")
