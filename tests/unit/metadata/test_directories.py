"""Where replicas lie, as brokers tell it."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.metadata.directories import decide_assign_directories
from tests.support.cluster import Cluster, directory_of, wanted

HERE = b"d" * 16


def told(cluster: Cluster, node_id: int, epoch_off: int = 0, index: int = 0) -> ErrorCode:
    topic = cluster.image.topics_by_name["orders"]
    epoch = cluster.image.brokers[node_id].epoch + epoch_off
    decision = decide_assign_directories(
        cluster.image, node_id, epoch, {(topic.topic_id, index): HERE}
    )
    return cluster.do(decision)


def directories(cluster: Cluster) -> tuple[bytes, ...]:
    return cluster.image.topics_by_name["orders"].partitions[0].directories


def test_a_broker_tells_where_its_replica_lies_and_nothing_of_the_others() -> None:
    cluster = Cluster(3)
    cluster.create(wanted("orders", assignments=[(0, [1, 2])]))
    before = cluster.image.topics_by_name["orders"].partitions[0]
    assert told(cluster, 2) == ErrorCode.NONE
    after = cluster.image.topics_by_name["orders"].partitions[0]
    assert after.directories == (directory_of(1), HERE)
    assert (after.leader, after.leader_epoch) == (before.leader, before.leader_epoch)


def test_an_earlier_incarnation_is_refused() -> None:
    cluster = Cluster(2)
    cluster.create(wanted("orders", assignments=[(0, [1, 2])]))
    assert told(cluster, 2, epoch_off=-1) == ErrorCode.STALE_BROKER_EPOCH
    assert directories(cluster) == (directory_of(1), directory_of(2))


def test_replicas_that_are_elsewhere_or_gone_are_passed_over() -> None:
    cluster = Cluster(3)
    cluster.create(wanted("orders", assignments=[(0, [1, 2])]))
    end = cluster.image.next_offset
    assert told(cluster, 3) == ErrorCode.NONE
    assert told(cluster, 2, index=7) == ErrorCode.NONE
    assert cluster.image.next_offset == end
