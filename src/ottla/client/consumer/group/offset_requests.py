"""OffsetCommit and OffsetFetch in every form that brokers take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from ottla.base.ids import TopicPartition
from ottla.client.consumer.group.classic_protocol import by_topic
from ottla.client.consumer.group.member import Identity
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
)

IDS_FROM: Final = 10
"""Both requests name topics by ids from this version on."""
BY_NAMES_MAX: Final = IDS_FROM - 1
_GROUPS_FROM: Final = 8
_STABLE_FROM: Final = 7
_EPOCHS_OF_MEMBERS_FROM: Final = 9
_INSTANCES_FROM: Final = 7


class TopicIds(NamedTuple):
    """The topics of a request by name, if all ids are known."""

    ids: Mapping[str, bytes]
    names: Mapping[bytes, str]

    def version_max(self, topics: Iterable[str]) -> int | None:
        """The highest version in which these topics can be asked for; None for any."""
        return None if all(topic in self.ids for topic in topics) else BY_NAMES_MAX


def commit_request(
    group_id: str,
    identity: Identity,
    offsets: Mapping[TopicPartition, OffsetAndMetadata],
    topic_ids: TopicIds,
    version: int,
) -> OffsetCommitRequest:
    """Keep these positions."""
    topics: list[OffsetCommitRequestTopic] = []
    for topic, indexes in by_topic(offsets).items():
        made = OffsetCommitRequestTopic(
            partitions=[
                _committed(index, offsets[TopicPartition(topic, index)]) for index in indexes
            ]
        )
        if version >= IDS_FROM:
            made.topic_id = topic_ids.ids[topic]
        else:
            made.name = topic
        topics.append(made)
    return OffsetCommitRequest(
        group_id=group_id,
        generation_id_or_member_epoch=identity.generation,
        member_id=identity.member_id,
        # Whoever is no member names no instance either: an empty group takes its positions.
        group_instance_id=(
            identity.instance_id
            if version >= _INSTANCES_FROM and identity.generation >= 0
            else None
        ),
        topics=topics,
    )


def _committed(index: int, position: OffsetAndMetadata) -> OffsetCommitRequestPartition:
    return OffsetCommitRequestPartition(
        partition_index=index,
        committed_offset=position.offset,
        committed_leader_epoch=position.leader_epoch,
        committed_metadata=position.metadata,
    )


def commit_codes(response: OffsetCommitResponse, topic_ids: TopicIds) -> dict[TopicPartition, int]:
    """What became of each partition."""
    return {
        TopicPartition(
            topic.name or topic_ids.names.get(bytes(topic.topic_id), ""), answer.partition_index
        ): answer.error_code
        for topic in response.topics
        for answer in topic.partitions
    }


def fetch_request(
    group_id: str,
    identity: Identity | None,
    partitions: Iterable[TopicPartition],
    topic_ids: TopicIds,
    version: int,
) -> OffsetFetchRequest:
    """Tell the positions of these, and none that an open transaction may still move.

    `identity` only of members of the consumer protocol.
    """
    wanted = by_topic(partitions)
    request = OffsetFetchRequest(require_stable=version >= _STABLE_FROM)
    if version < _GROUPS_FROM:
        request.group_id = group_id
        request.topics = [
            OffsetFetchRequestTopic(name=topic, partition_indexes=indexes)
            for topic, indexes in wanted.items()
        ]
        return request
    group = OffsetFetchRequestGroup(group_id=group_id, topics=[])
    if identity is not None and version >= _EPOCHS_OF_MEMBERS_FROM:
        # An empty id would be that of a member nobody knows: who is none says null.
        group.member_id, group.member_epoch = identity.member_id or None, identity.generation
    group.topics = [
        OffsetFetchRequestTopics(topic_id=topic_ids.ids[topic], partition_indexes=indexes)
        if version >= IDS_FROM
        else OffsetFetchRequestTopics(name=topic, partition_indexes=indexes)
        for topic, indexes in wanted.items()
    ]
    request.groups = [group]
    return request


class FetchedOffset(NamedTuple):
    """What is told of one partition; `position` None where none is committed."""

    code: int
    position: OffsetAndMetadata | None


def fetched_offsets(
    response: OffsetFetchResponse, topic_ids: TopicIds
) -> tuple[int, dict[TopicPartition, FetchedOffset]]:
    """The error of the whole, and the positions."""
    found = {
        TopicPartition(name, answer.partition_index): _fetched(answer)
        for name, answer in _answers(response, topic_ids)
    }
    code = response.error_code or next((group.error_code for group in response.groups), 0)
    return code, found


def _answers(
    response: OffsetFetchResponse, topic_ids: TopicIds
) -> Iterator[tuple[str, OffsetFetchResponsePartition | OffsetFetchResponsePartitions]]:
    for old in response.topics:
        for answer in old.partitions:
            yield old.name, answer
    for group in response.groups:
        for topic in group.topics:
            name = topic.name or topic_ids.names.get(bytes(topic.topic_id), "")
            for told in topic.partitions:
                yield name, told


def _fetched(
    answer: OffsetFetchResponsePartition | OffsetFetchResponsePartitions,
) -> FetchedOffset:
    if answer.committed_offset < 0:
        return FetchedOffset(answer.error_code, None)
    position = OffsetAndMetadata(
        answer.committed_offset, answer.committed_leader_epoch, answer.metadata or ""
    )
    return FetchedOffset(answer.error_code, position)
