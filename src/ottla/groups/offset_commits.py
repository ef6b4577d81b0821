"""OffsetCommit, TxnOffsetCommit and OffsetDelete: what becomes of each partition's offset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.limits import OFFSETS_COMMITTED_BYTES_MAX, TOPIC_NAME_LENGTH_MAX
from ottla.groups.group import Group
from ottla.groups.offsets import GroupOffsets, Place, tombstone
from ottla.groups.turn import Turn
from ottla.wire.payloads.offset_commits import OffsetCommitKey, OffsetCommitValue
from ottla.wire.payloads.records import CoordinatorRecord

RETENTION_OF_BROKER: Final = -1
_LAST_MS: Final = 2**63 - 1
_RECORD_VERSION: Final = 3
_RECORD_VERSION_WITH_EXPIRY: Final = 1
"""The only one that has a place for it."""


class OffsetToCommit(Struct, gc=False):
    """One partition's offset on its way; `error_code` tells how it went."""

    topic: str
    partition: int
    offset: int
    leader_epoch: int
    metadata: str | None
    error_code: int = ErrorCode.NONE


class OffsetToDelete(Struct, gc=False):
    """One partition's offset to forget; `error_code` tells how it went."""

    topic: str
    partition: int
    error_code: int = ErrorCode.NONE


def commit(group_id: str, offsets: Iterable[OffsetToCommit], turn: Turn, retention_ms: int) -> None:
    """Keep each offset whose text is not too long."""
    version = _RECORD_VERSION
    expires_ms = -1
    if retention_ms != RETENTION_OF_BROKER:
        version = _RECORD_VERSION_WITH_EXPIRY
        expires_ms = min(turn.now_ms + retention_ms, _LAST_MS)
    length_max = turn.config.offset_metadata_length_max
    for wanted in offsets:
        metadata = wanted.metadata or ""
        if len(metadata) > length_max:
            wanted.error_code = ErrorCode.OFFSET_METADATA_TOO_LARGE
            continue
        turn.keep(
            CoordinatorRecord(
                OffsetCommitKey(group=group_id, topic=wanted.topic, partition=wanted.partition),
                OffsetCommitValue(
                    offset=wanted.offset,
                    leader_epoch=wanted.leader_epoch,
                    metadata=metadata,
                    commit_timestamp=turn.now_ms,
                    expire_timestamp=expires_ms,
                ),
                version,
            )
        )


def is_too_large(group_id: str, count: int) -> bool:
    """Whether the records of so many offsets might be too much for one batch."""
    return count * (len(group_id) + TOPIC_NAME_LENGTH_MAX) > OFFSETS_COMMITTED_BYTES_MAX


def refuse(offsets: Iterable[OffsetToCommit], error: ErrorCode) -> None:
    """The group takes none of them."""
    for wanted in offsets:
        wanted.error_code = error


def delete(
    group: Group, offsets: GroupOffsets, wanted: Iterable[OffsetToDelete], turn: Turn
) -> None:
    """Forget each offset that no member needs; one that is not there is forgotten already."""
    for each in wanted:
        place = Place(each.topic, each.partition)
        if group.is_reading(each.topic):
            each.error_code = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC
        elif place in offsets.committed:
            turn.keep(tombstone(group.group_id, place))


def forget(group_id: str, places: Iterable[Place], turn: Turn) -> None:
    """Take offsets back, whoever reads them: their partitions are gone, or the group is."""
    for place in places:
        turn.keep(tombstone(group_id, place))
