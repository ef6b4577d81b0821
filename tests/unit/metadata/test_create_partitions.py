"""Adding partitions: the codes are those that Apache Kafka 4.3.1 gave to the same requests."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.metadata.partitions import decide_create_partitions
from ottla.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsTopic,
)
from tests.support.cluster import Cluster, tells, wanted

Growth = tuple[str, int, list[list[int]] | None]


def grow(
    cluster: Cluster, *topics: Growth, validate_only: bool = False
) -> list[tuple[str, int, str | None]]:
    request = CreatePartitionsRequest(
        topics=[
            CreatePartitionsTopic(
                name=name,
                count=count,
                assignments=None
                if assignments is None
                else [CreatePartitionsAssignment(broker_ids=ids) for ids in assignments],
            )
            for name, count, assignments in topics
        ],
        timeout_ms=1000,
        validate_only=validate_only,
    )
    response = cluster.do(decide_create_partitions(cluster.image, request, rng=cluster.rng))
    return [(result.name, result.error_code, result.error_message) for result in response.results]


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(2)
    cluster.create(wanted("orders", 2, 1))
    return cluster


def test_new_partitions_follow_the_present_ones(cluster: Cluster) -> None:
    before = cluster.image.topics_by_name["orders"]
    assert grow(cluster, ("orders", 4, None)) == [("orders", 0, None)]
    after = cluster.image.topics_by_name["orders"]
    assert after.partitions[:2] == before.partitions
    assert len(after.partitions) == 4
    assert all(partition.leader_epoch == 0 for partition in after.partitions)
    assert cluster.delta.partitions_changed == {after.topic_id: (2, 3)}
    assert cluster.delta.topics_created == ()


def test_new_partitions_may_be_assigned(cluster: Cluster) -> None:
    assert grow(cluster, ("orders", 4, [[2], [1]])) == [("orders", 0, None)]
    assert [part.leader for part in cluster.image.topics_by_name["orders"].partitions[2:]] == [2, 1]


def test_validate_only_makes_nothing(cluster: Cluster) -> None:
    assert grow(cluster, ("orders", 3, None), validate_only=True) == [("orders", 0, None)]
    assert len(cluster.image.topics_by_name["orders"].partitions) == 2


@pytest.mark.parametrize(
    ("count", "assignments", "code", "facts"),
    [
        (2, None, 37, ["orders", "2 partitions", "only grows"]),
        (2, [], 37, ["orders", "2 partitions"]),
        (1, None, 37, ["2 partitions", "to 1"]),
        (-1, None, 37, ["2 partitions", "to -1"]),
        (3, [], 39, ["1 partitions", "0 assigned"]),
        (3, [[1], [1]], 39, ["1 partitions", "2 assigned"]),
        (3, [[5]], 39, ["broker 5", "does not have"]),
        (3, [[]], 39, ["no broker"]),
        (3, [[1, 1]], 39, ["broker 1", "twice"]),
        (3, [[1, 2]], 39, ["2 brokers", "1: all"]),
        (20_000, None, 44, ["10000", "19998"]),
    ],
)
def test_refusals(
    cluster: Cluster, count: int, assignments: list[list[int]] | None, code: int, facts: list[str]
) -> None:
    (answer,) = grow(cluster, ("orders", count, assignments))
    assert answer[0] == "orders"
    assert tells(answer[1:], code, facts)
    assert len(cluster.image.topics_by_name["orders"].partitions) == 2


def test_each_topic_is_answered_for_itself(cluster: Cluster) -> None:
    grown, unknown = grow(cluster, ("orders", 3, None), ("nosuch", 3, None))
    assert grown == ("orders", 0, None)
    assert unknown[0] == "nosuch"
    assert tells(unknown[1:], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ["'nosuch'"])


def test_a_topic_named_twice_does_not_grow(cluster: Cluster) -> None:
    (answer,) = grow(cluster, ("orders", 4, None), ("orders", 5, None))
    assert answer[0] == "orders"
    assert tells(answer[1:], ErrorCode.INVALID_REQUEST, ["name", "2 times"])
    assert len(cluster.image.topics_by_name["orders"].partitions) == 2
