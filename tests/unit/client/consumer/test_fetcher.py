"""Fetching while nodes wait for news, and from replicas that are nearer than the leader."""

from __future__ import annotations

import asyncio

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.connection import Connection
from ottla.client.connections import Purpose
from ottla.client.consumer.fetch_session import FINAL_EPOCH
from ottla.client.consumer.fetcher import PASS_PAUSE_MS
from ottla.client.metadata import Node
from ottla.wire.messages.fetch import FetchRequest
from tests.support.consumer_cluster import ConsumerCluster
from tests.unit.client.consumer.conftest import MakeCluster
from tests.unit.client.consumer.test_consumer import T0, T1, read

RACKS = {"client_rack": "here"}


def fetches(cluster: ConsumerCluster, node_id: int) -> list[FetchRequest]:
    asked = cluster.brokers[node_id].asked
    return [request for request, _ in asked if isinstance(request, FetchRequest)]


def past_sessions(cluster: ConsumerCluster, node_id: int) -> list[FetchRequest]:
    return [found for found in fetches(cluster, node_id) if found.session_epoch == FINAL_EPOCH]


def waiting(make_cluster: MakeCluster, partitions: int = 2) -> ConsumerCluster:
    """One node that waits 500 ms for news before it answers that there is none."""
    cluster = make_cluster(1)
    cluster.waits = True
    cluster.make("t", partitions)
    return cluster


# -- what must not wait --------------------------------------------------------------------------


def test_a_busy_partition_never_waits_behind_idle_ones_of_its_node(
    make_cluster: MakeCluster,
) -> None:
    cluster = waiting(make_cluster)
    for _ in range(200):
        cluster.logs[T0].append(50)
    consumer = cluster.consumer(max_partition_fetch_bytes=2000)
    consumer.assign([T0, T1])
    read(cluster, consumer, 50)
    began_ms = cluster.loop.clock.elapsed_ms
    assert [offset for offset, _ in read(cluster, consumer, 9950)] == list(range(50, 10_000))
    answers = sum(1 for partition, _ in cluster.sent if partition == T0)
    assert answers >= 50
    assert cluster.loop.clock.elapsed_ms - began_ms < 20 * answers


def test_what_is_sought_comes_at_once_while_the_node_waits_for_news_of_others(
    make_cluster: MakeCluster,
) -> None:
    cluster = waiting(make_cluster)
    cluster.logs[T0].append(50)
    consumer = cluster.consumer()
    consumer.assign([T0, T1])
    read(cluster, consumer, 50)
    cluster.loop.advance(100)
    began_ms = cluster.loop.clock.elapsed_ms
    consumer.seek(T0, 7)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [7]
    assert cluster.loop.clock.elapsed_ms - began_ms < 100


def test_where_nothing_can_be_fetched_past_a_session_the_session_fetches_all(
    make_cluster: MakeCluster,
) -> None:
    cluster = waiting(make_cluster)
    cluster.logs[T0].append(50)
    consumer = cluster.consumer()
    line = consumer._line
    assert line is not None
    connect = line.connection

    async def connection(node: Node | int, purpose: Purpose = Purpose.GENERAL) -> Connection:
        if purpose is Purpose.FETCH_NOW:
            await asyncio.sleep(1000)
        return await connect(node, purpose)

    line.connection = connection  # type: ignore[method-assign]  # as where a node refuses one more
    consumer.assign([T0, T1])
    read(cluster, consumer, 50)
    cluster.loop.advance(100)
    began_ms = cluster.loop.clock.elapsed_ms
    consumer.seek(T0, 7)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [7]
    assert cluster.loop.clock.elapsed_ms - began_ms < 1000


def test_what_has_nothing_new_is_asked_again_after_a_pause_only(
    make_cluster: MakeCluster,
) -> None:
    cluster = waiting(make_cluster)
    cluster.logs[T0].append(5)
    consumer = cluster.consumer()
    consumer.assign([T1])
    cluster.run(consumer.poll(timeout_s=0.6))
    consumer.assign([T0, T1])
    consumer.seek(T0, 5)
    cluster.run(consumer.poll(timeout_s=1))
    assert 1 <= len(past_sessions(cluster, 1)) <= 500 // PASS_PAUSE_MS + 1


def test_what_is_fetched_past_sessions_stays_within_the_bound(
    make_cluster: MakeCluster,
) -> None:
    cluster = waiting(make_cluster, 6)
    for log in list(cluster.logs.values())[:5]:
        for _ in range(100):
            log.append(10)
    batch = max(len(found.data) for found in cluster.logs[T0].batches)
    partitions = [TopicPartition("t", index) for index in range(6)]
    consumer = cluster.consumer(buffer_memory=6000, max_partition_fetch_bytes=1500)
    consumer.assign(partitions)
    taken = 0
    while taken < 5000:
        taken += len(read(cluster, consumer, 10))
        cluster.loop.advance(50)
        # One batch for each of the two requests that may be on their way.
        assert consumer.metrics().bytes_buffered <= 6000 + 2 * batch
    assert past_sessions(cluster, 1)
    promised = 0
    for request in fetches(cluster, 1):
        if request.session_epoch == FINAL_EPOCH:
            assert request.max_bytes + promised <= 6000
        else:
            promised = request.max_bytes


# -- nearer replicas -----------------------------------------------------------------------------


def test_the_leader_names_a_replica_of_the_same_rack_and_that_one_is_read(
    cluster: ConsumerCluster,
) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 2}
    log.append(5)
    consumer = cluster.consumer(**RACKS)
    consumer.assign([T0])
    assert len(read(cluster, consumer, 5)) == 5
    assert consumer.metrics().partitions[T0].fetched_from == 2
    asked = len(fetches(cluster, 1))
    log.append(5)
    assert [offset for offset, _ in read(cluster, consumer, 5)] == [5, 6, 7, 8, 9]
    assert len(fetches(cluster, 1)) == asked
    assert {found.rack_id for found in fetches(cluster, 2)} == {"here"}


def test_without_a_rack_the_leader_is_read(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 2}
    log.append(5)
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert len(read(cluster, consumer, 5)) == 5
    assert not fetches(cluster, 2)


def test_the_leader_is_asked_again_when_what_it_said_is_old(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 2}
    log.append(5)
    consumer = cluster.consumer(**RACKS)
    consumer.assign([T0])
    read(cluster, consumer, 5)
    log.near = {"here": 3}
    log.near = {"here": 3, "there": 2}
    cluster.waits = True
    cluster.run(consumer.poll(timeout_s=301))
    log.append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [5]
    assert consumer.metrics().partitions[T0].fetched_from == 3


def test_what_a_replica_does_not_have_is_read_from_the_leader(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.near, log.near_end = {"here": 2}, 5
    log.append(5)
    consumer = cluster.consumer(auto_offset_reset="none", **RACKS)
    consumer.assign([T0])
    consumer.seek(T0, 0)
    read(cluster, consumer, 5)
    assert consumer.metrics().partitions[T0].fetched_from == 2
    log.append(5)
    consumer.seek(T0, 7)
    assert [offset for offset, _ in read(cluster, consumer, 3)] == [7, 8, 9]
    assert consumer.metrics().partitions[T0].fetched_from is None


def test_a_replica_that_refuses_or_is_gone_leaves_the_leader(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 2}
    log.append(5)
    consumer = cluster.consumer(**RACKS)
    consumer.assign([T0])
    read(cluster, consumer, 5)
    cluster.refusals = [ErrorCode.KAFKA_STORAGE_ERROR]
    log.near = {"there": 2}
    log.append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [5]
    assert consumer.metrics().partitions[T0].fetched_from is None


def test_a_replica_that_nobody_knows_is_not_asked_and_the_leader_not_pressed(
    cluster: ConsumerCluster,
) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 77}
    log.append(5)
    consumer = cluster.consumer(**RACKS)
    consumer.assign([T0])
    assert cluster.run(consumer.poll(timeout_s=5)) == []
    assert len(fetches(cluster, 1)) < 20
    log.near = {}
    assert len(read(cluster, consumer, 5)) == 5


def test_a_new_leader_is_asked_where_to_read(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.near = {"here": 2}
    log.append(5)
    consumer = cluster.consumer(**RACKS)
    consumer.assign([T0])
    read(cluster, consumer, 5)
    log.move(3)
    log.near = {"here": 1, "there": 2}
    cluster.tell_leaders()
    log.append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [5]
    assert consumer.metrics().partitions[T0].fetched_from == 1


# -- guards --------------------------------------------------------------------------------------


def test_what_was_fetched_ahead_of_a_truncation_is_not_handed_out(
    cluster: ConsumerCluster,
) -> None:
    (log,) = cluster.make("t")
    for number in range(4):
        log.append(5, timestamp_ms=number)
    consumer = cluster.consumer()
    consumer.assign([T0])
    read(cluster, consumer, 5)
    assert consumer.metrics().bytes_buffered > 0
    log.truncate(2)
    log.append(10, timestamp_ms=9)
    cluster.tell_leaders()
    # The fetch on its way is refused, and names the new epoch.
    for _ in range(100):
        cluster.loop.advance(10)
    assert read(cluster, consumer, 15) == log.values()[5:]
