"""OffsetFetch: where a group stands."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.errors import ErrorCode
from ottla.groups.offsets import GroupOffsets, Place
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequestTopics,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
)


def fetch(
    known: GroupOffsets,
    topics: Iterable[OffsetFetchRequestTopics],
    *,
    require_stable: bool,
) -> list[OffsetFetchResponseTopics]:
    """These partitions' offsets; -1 where there is none."""
    return [
        OffsetFetchResponseTopics(
            name=topic.name,
            topic_id=topic.topic_id,
            partitions=[
                _answer(known, Place(topic.name, index), require_stable=require_stable)
                for index in topic.partition_indexes
            ],
        )
        for topic in topics
    ]


def fetch_all(known: GroupOffsets, *, require_stable: bool) -> list[OffsetFetchResponseTopics]:
    """Every offset that there is; of partitions that may get their first one, it is said so."""
    topics: dict[str, OffsetFetchResponseTopics] = {}
    for place in known.places() if require_stable else known.committed:
        topic = topics.get(place.topic)
        if topic is None:
            topic = topics[place.topic] = OffsetFetchResponseTopics(name=place.topic)
        topic.partitions.append(_answer(known, place, require_stable=require_stable))
    return list(topics.values())


def _answer(
    known: GroupOffsets, place: Place, *, require_stable: bool
) -> OffsetFetchResponsePartitions:
    if require_stable and known.is_unstable(place):
        return OffsetFetchResponsePartitions(
            partition_index=place.partition, error_code=ErrorCode.UNSTABLE_OFFSET_COMMIT
        )
    found = known.committed.get(place)
    if found is None:
        return OffsetFetchResponsePartitions(partition_index=place.partition)
    return OffsetFetchResponsePartitions(
        partition_index=place.partition,
        committed_offset=found.offset,
        committed_leader_epoch=found.leader_epoch,
        metadata=found.metadata,
    )
