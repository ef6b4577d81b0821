"""The offsets that one group has committed, and those that open transactions may still commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from msgspec import Struct

from ottla.wire.payloads.offset_commits import OffsetCommitKey, OffsetCommitValue
from ottla.wire.payloads.records import CoordinatorRecord


class Place(NamedTuple):
    """A partition of a topic, by name."""

    topic: str
    partition: int


class CommittedOffset(Struct, frozen=True, gc=False):
    """The next offset that the group wants, and what it keeps with it.

    `log_offset` is where the record lies: of a transaction's offset and another one, the later
    counts. `expires_ms` is -1 where the broker's retention decides.
    """

    offset: int
    leader_epoch: int
    metadata: str
    committed_ms: int
    expires_ms: int
    log_offset: int

    @classmethod
    def of(cls, value: OffsetCommitValue, log_offset: int) -> CommittedOffset:
        return cls(
            value.offset,
            value.leader_epoch,
            value.metadata,
            value.commit_timestamp,
            value.expire_timestamp,
            log_offset,
        )


class GroupOffsets:
    """Changed by replayed records alone."""

    __slots__ = ("committed", "pending")

    def __init__(self) -> None:
        self.committed: dict[Place, CommittedOffset] = {}
        self.pending: dict[Place, dict[int, CommittedOffset]] = {}
        """Of open transactions, by the id of their producer."""

    def __bool__(self) -> bool:
        return bool(self.committed or self.pending)

    def is_unstable(self, place: Place) -> bool:
        """Whether an open transaction may still change the offset."""
        return place in self.pending

    def places(self) -> Iterator[Place]:
        """Every partition that something is known of."""
        yield from self.committed
        yield from (place for place in self.pending if place not in self.committed)

    def is_older(self, place: Place, log_offset: int) -> bool:
        """Whether what is known of a partition was written before `log_offset`."""
        offset = self.committed.get(place)
        if offset is not None:
            return offset.log_offset < log_offset
        return any(each.log_offset < log_offset for each in self.pending.get(place, {}).values())

    def put(self, place: Place, offset: CommittedOffset) -> None:
        self.committed[place] = offset

    def put_pending(self, place: Place, producer_id: int, offset: CommittedOffset) -> None:
        self.pending.setdefault(place, {})[producer_id] = offset

    def take_back(self, place: Place) -> None:
        """A tombstone ends whatever was or might have been committed."""
        self.committed.pop(place, None)
        self.pending.pop(place, None)

    def end_transaction(self, producer_id: int, *, is_committed: bool) -> None:
        """What a producer's transaction has left counts now, or never."""
        for place in [place for place, by in self.pending.items() if producer_id in by]:
            by = self.pending[place]
            offset = by.pop(producer_id)
            if not by:
                del self.pending[place]
            current = self.committed.get(place)
            is_newer = current is None or current.log_offset < offset.log_offset
            if is_committed and is_newer:
                self.committed[place] = offset


def tombstone(group_id: str, place: Place) -> CoordinatorRecord:
    """What takes an offset back."""
    return CoordinatorRecord(
        OffsetCommitKey(group=group_id, topic=place.topic, partition=place.partition), None
    )
