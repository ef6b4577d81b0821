"""OffsetCommit and OffsetFetch: every version says the same."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.consumer.group.member import Identity
from ottla.client.consumer.group.offset_requests import (
    FetchedOffset,
    TopicIds,
    commit_codes,
    commit_request,
    fetch_request,
    fetched_offsets,
)
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.wire.compiler import codec
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

ID = b"t" * 16
IDS = TopicIds({"t": ID}, {ID: "t"})
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
MEMBER = Identity("m", 3, "i")


@pytest.mark.parametrize("version", list(OffsetCommitRequest.VERSIONS))
def test_a_commit_can_be_said_in_every_version(version: int) -> None:
    offsets = {T1: OffsetAndMetadata(7, 2, "mine"), T0: OffsetAndMetadata(5)}
    request = commit_request("g", MEMBER, offsets, IDS, version)
    made = codec(OffsetCommitRequest, version)
    data = memoryview(made.encode(request))
    read, _ = made.decode(data, 0, len(data))
    assert isinstance(read, OffsetCommitRequest)
    assert (read.member_id, read.generation_id_or_member_epoch) == ("m", 3)
    assert read.group_instance_id == ("i" if version >= 7 else None)
    (topic,) = read.topics
    assert (topic.name, bytes(topic.topic_id)) == (("", ID) if version >= 10 else ("t", bytes(16)))
    assert [found.committed_offset for found in topic.partitions] == [5, 7]
    assert topic.partitions[1].committed_leader_epoch == (2 if version >= 6 else -1)
    assert topic.partitions[1].committed_metadata == "mine"


def test_who_is_no_member_names_no_instance() -> None:
    offsets = {T0: OffsetAndMetadata(1)}
    request = commit_request("g", Identity("", -1, "i"), offsets, IDS, 9)
    assert request.group_instance_id is None


def test_topics_without_ids_keep_to_the_versions_with_names() -> None:
    assert IDS.version_max(["t"]) is None
    assert IDS.version_max(["t", "u"]) == 9


@pytest.mark.parametrize("by_id", [False, True])
def test_codes_of_a_commit_are_told_by_partition(by_id: bool) -> None:
    topic = OffsetCommitResponseTopic(
        name="" if by_id else "t",
        topic_id=ID if by_id else bytes(16),
        partitions=[
            OffsetCommitResponsePartition(partition_index=0),
            OffsetCommitResponsePartition(partition_index=1, error_code=22),
        ],
    )
    codes = commit_codes(OffsetCommitResponse(topics=[topic]), IDS)
    assert codes == {T0: 0, T1: ErrorCode.ILLEGAL_GENERATION}


@pytest.mark.parametrize("version", list(OffsetFetchRequest.VERSIONS))
def test_positions_can_be_asked_for_in_every_version(version: int) -> None:
    request = fetch_request("g", MEMBER, [T1, T0], IDS, version)
    made = codec(OffsetFetchRequest, version)
    data = memoryview(made.encode(request))
    read, _ = made.decode(data, 0, len(data))
    assert isinstance(read, OffsetFetchRequest)
    assert read.require_stable is (version >= 7)
    if version < 8:
        assert read.topics is not None
        assert [(topic.name, topic.partition_indexes) for topic in read.topics] == [("t", [0, 1])]
        return
    (group,) = read.groups
    assert (group.member_id, group.member_epoch) == (("m", 3) if version >= 9 else (None, -1))
    assert group.topics is not None
    assert bytes(group.topics[0].topic_id) == (ID if version >= 10 else bytes(16))


def test_who_is_no_member_says_null_and_not_an_empty_id() -> None:
    (group,) = fetch_request("g", Identity(), [T0], IDS, 9).groups
    assert (group.member_id, group.member_epoch) == (None, -1)


def test_positions_are_read_from_both_forms_of_answers() -> None:
    old = OffsetFetchResponseTopic(
        name="t",
        partitions=[
            OffsetFetchResponsePartition(partition_index=0, committed_offset=5, metadata=None),
            OffsetFetchResponsePartition(partition_index=1),
        ],
    )
    wanted = {T0: FetchedOffset(0, OffsetAndMetadata(5)), T1: FetchedOffset(0, None)}
    assert fetched_offsets(OffsetFetchResponse(topics=[old], error_code=16), IDS) == (16, wanted)
    new = OffsetFetchResponseTopics(
        topic_id=ID,
        partitions=[
            OffsetFetchResponsePartitions(partition_index=0, committed_offset=5),
            OffsetFetchResponsePartitions(partition_index=1),
        ],
    )
    group = OffsetFetchResponseGroup(group_id="g", topics=[new], error_code=14)
    assert fetched_offsets(OffsetFetchResponse(groups=[group]), IDS) == (14, wanted)
