"""The offsets of every group of a shard, and which of them open transactions may still change."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator
from typing import Final

from ottla.base.effects import ProducerIdentity
from ottla.groups.offsets import CommittedOffset, GroupOffsets, Place
from ottla.wire.payloads.offset_commits import LegacyOffsetCommitValue, OffsetCommitValue
from ottla.wire.schema import Payload

_NOTHING: Final = GroupOffsets()


class AllOffsets:
    """By group; changed by replayed records alone. A group without offsets is not in it."""

    def __init__(self) -> None:
        self._by_group: dict[str, GroupOffsets] = {}
        self._transactions: dict[int, set[str]] = {}
        """Groups that a producer's open transaction has offsets for."""
        self.next_log_offset = 0
        """Behind the last record about any of them."""

    def __len__(self) -> int:
        return len(self._by_group)

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_group)

    def __contains__(self, group_id: object) -> bool:
        return group_id in self._by_group

    def items(self) -> ItemsView[str, GroupOffsets]:
        """Every group's, by its id."""
        return self._by_group.items()

    def of(self, group_id: str) -> GroupOffsets:
        """A group's; to be looked at only, for it may be nobody's."""
        return self._by_group.get(group_id, _NOTHING)

    # -- replay ------------------------------------------------------------------------------------

    def replay(
        self,
        group_id: str,
        place: Place,
        value: Payload | None,
        *,
        log_offset: int,
        producer: ProducerIdentity | None,
    ) -> None:
        """Take over one record; with a producer it counts once its transaction is committed."""
        self.next_log_offset = log_offset + 1
        if value is None:
            self._take_back(group_id, place)
            return
        offsets = self._by_group.get(group_id)
        if offsets is None:
            offsets = self._by_group[group_id] = GroupOffsets()
        committed = CommittedOffset.of(_modern(value), log_offset)
        if producer is None:
            offsets.put(place, committed)
        else:
            offsets.put_pending(place, producer.producer_id, committed)
            self._transactions.setdefault(producer.producer_id, set()).add(group_id)

    def end_transaction(self, producer_id: int, *, is_committed: bool) -> None:
        """A producer's transaction has ended, in all groups that it has offsets for."""
        for group_id in self._transactions.pop(producer_id, ()):
            offsets = self._by_group.get(group_id)
            if offsets is not None:
                offsets.end_transaction(producer_id, is_committed=is_committed)
                self._drop_if_empty(group_id, offsets)

    def _take_back(self, group_id: str, place: Place) -> None:
        offsets = self._by_group.get(group_id)
        if offsets is not None:
            offsets.take_back(place)
            self._drop_if_empty(group_id, offsets)

    def _drop_if_empty(self, group_id: str, offsets: GroupOffsets) -> None:
        if not offsets:
            del self._by_group[group_id]


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
