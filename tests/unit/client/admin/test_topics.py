"""Topics in every version of a broker."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.admin import Admin, NewTopic, UnsupportedByBrokerError
from ottla.client.errors import RefusedError
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import KAFKA_2_1
from tests.unit.client.admin.conftest import MakeCluster


def created(node: int, request: CreateTopicsRequest) -> CreateTopicsResponse:
    return CreateTopicsResponse(
        topics=[CreatableTopicResult(name=topic.name) for topic in request.topics]
    )


def deleted(node: int, request: DeleteTopicsRequest) -> DeleteTopicsResponse:
    names = request.topic_names or [state.name or "" for state in request.topics]
    return DeleteTopicsResponse(responses=[DeletableTopicResult(name=name) for name in names])


@pytest.mark.parametrize("version", [1, 5, 6])
def test_topics_are_deleted_by_name_in_every_version(
    make_cluster: MakeCluster, version: int
) -> None:
    versions = {**KAFKA_2_1, DeleteTopicsRequest: VersionRange(1, version)}
    cluster = make_cluster({DeleteTopicsRequest: deleted}, versions=versions)
    gone = cluster.run(cluster.admin().topics.delete("a", "b"))
    assert list(gone.all()) == ["a", "b"]


def test_an_old_broker_is_not_asked_to_delete_by_id(make_cluster: MakeCluster) -> None:
    versions = {**KAFKA_2_1, DeleteTopicsRequest: VersionRange(1, 5)}
    cluster = make_cluster({DeleteTopicsRequest: deleted}, versions=versions)
    with pytest.raises(UnsupportedByBrokerError, match="cannot carry"):
        cluster.run(cluster.admin().topics.delete_ids(b"1" * 16))


def test_an_old_broker_is_told_numbers_and_not_to_use_its_own(make_cluster: MakeCluster) -> None:
    versions = {**KAFKA_2_1, CreateTopicsRequest: VersionRange(2, 3)}
    cluster = make_cluster({CreateTopicsRequest: created}, versions=versions)
    admin = cluster.admin()
    with pytest.raises(UnsupportedByBrokerError, match="topic 'a'"):
        cluster.run(admin.topics.create("a"))
    placed = NewTopic(name="b", assignments={0: [1]})
    counted = NewTopic(name="c", partitions=1, replication_factor=1)
    told = cluster.run(admin.topics.create("a", placed, counted))
    assert list(told.done) == ["b", "c"]
    assert isinstance(told.errors["a"], UnsupportedByBrokerError)


def test_a_topic_longer_than_a_page_is_put_together(make_cluster: MakeCluster) -> None:
    def page(node: int, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
        first = 0 if request.cursor is None else request.cursor.partition_index
        partition = DescribeTopicPartitionsResponsePartition(partition_index=first, leader_id=1)
        topic = DescribeTopicPartitionsResponseTopic(
            name="a", topic_id=bytes(16), partitions=[partition]
        )
        following = Cursor(topic_name="a", partition_index=first + 1) if first < 2 else None
        return DescribeTopicPartitionsResponse(topics=[topic], next_cursor=following)

    cluster = make_cluster({DescribeTopicPartitionsRequest: page})
    told = cluster.run(cluster.admin().topics.describe("a"))
    assert [partition.index for partition in told["a"].partitions] == [0, 1, 2]


def test_pages_without_an_end_are_an_error(make_cluster: MakeCluster) -> None:
    def page(node: int, request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse:
        return DescribeTopicPartitionsResponse(
            next_cursor=Cursor(topic_name="a", partition_index=0)
        )

    cluster = make_cluster({DescribeTopicPartitionsRequest: page})
    told = cluster.run(cluster.admin().topics.describe("a"))
    assert "no end" in str(told.errors["a"])


def test_topics_are_described_where_pages_are_not_offered_and_none_is_created(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({})
    cluster.create("a", (2, 5), (-1, 0))
    told = cluster.run(cluster.admin().topics.describe("a", "nosuch"))
    first, second = told["a"].partitions
    assert (first.leader, first.leader_epoch, first.replicas) == (2, 5, (2,))
    assert second.leader == -1
    error = told.errors["nosuch"]
    assert isinstance(error, RefusedError)
    assert error.code is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert "nosuch" not in cluster.view.topics


def test_topics_are_listed_by_name(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    cluster.create("b", (1, 0), (1, 0))
    cluster.create("a", (1, 0))
    listed = cluster.run(cluster.admin().topics.list())
    assert [(topic.name, topic.partitions) for topic in listed] == [("a", 1), ("b", 2)]


def test_nobody_there_is_told_at_once_by_connect(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    admin = Admin("unused:1")
    cluster.loop.finish(admin.start_on(cluster.client("nowhere:1")))
    with pytest.raises(Exception, match="nobody listens on nowhere:1"):
        cluster.loop.finish(admin.connect())
    assert cluster.loop.clock.elapsed_ms == 0
