"""Questions about offsets that move nothing."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.consumer import OffsetAndTimestamp
from ottla.client.errors import DeadlineError, RefusedError
from ottla.wire.messages.list_offsets import ListOffsetsRequest
from tests.support.consumer_cluster import ConsumerCluster
from tests.unit.client.consumer.test_consumer import T0, T1, filled, read

T2 = TopicPartition("t", 2)


def three(cluster: ConsumerCluster) -> None:
    for number, log in enumerate(cluster.make("t", 3)):
        for batch in range(4):
            log.append(number + 1, timestamp_ms=batch * 100)


def test_beginnings_and_ends_of_partitions_that_nobody_reads(cluster: ConsumerCluster) -> None:
    three(cluster)
    cluster.logs[T2].start = 3
    consumer = cluster.consumer()
    assert cluster.run(consumer.beginning_offsets(T0, T1, T2)) == {T0: 0, T1: 0, T2: 3}
    assert cluster.run(consumer.end_offsets(T0, T1, T2)) == {T0: 4, T1: 8, T2: 12}
    assert cluster.run(consumer.end_offsets()) == {}
    assert consumer.assignment == []
    asked = [found for broker in cluster.brokers.values() for found, _ in broker.asked]
    assert sum(isinstance(found, ListOffsetsRequest) for found in asked) == 2 * 3


def test_the_end_for_readers_of_committed_records_is_what_is_decided(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    cluster.logs[T0].append(5, producer_id=1)
    for level, end in (("read_uncommitted", 25), ("read_committed", 20)):
        consumer = cluster.consumer(isolation_level=level)
        assert cluster.run(consumer.end_offsets(T0)) == {T0: end}


def test_times_are_found_or_are_later_than_all(cluster: ConsumerCluster) -> None:
    three(cluster)
    consumer = cluster.consumer()
    found = cluster.run(consumer.offsets_for_times({T0: 150, T1: 200, T2: 999}))
    assert found == {T0: OffsetAndTimestamp(2, 200, 0), T1: OffsetAndTimestamp(4, 200, 0), T2: None}
    with pytest.raises(ValueError, match="at least 0"):
        cluster.run(consumer.offsets_for_times({T0: -1}))


def test_a_question_moves_no_position_and_drops_nothing(cluster: ConsumerCluster) -> None:
    expected = filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    before = read(cluster, consumer, 3)
    cluster.run(consumer.end_offsets(T0))
    assert cluster.run(consumer.position(T0)) == 3
    assert before + read(cluster, consumer, 17) == expected


def test_only_what_was_refused_is_asked_again(cluster: ConsumerCluster) -> None:
    three(cluster)
    cluster.refusals = [ErrorCode.OFFSET_NOT_AVAILABLE, ErrorCode.LEADER_NOT_AVAILABLE]
    consumer = cluster.consumer()
    assert cluster.run(consumer.end_offsets(T0, T1, T2)) == {T0: 4, T1: 8, T2: 12}
    asked = [found for broker in cluster.brokers.values() for found, _ in broker.asked]
    assert sum(isinstance(found, ListOffsetsRequest) for found in asked) == 3 + 2


def test_a_leader_that_moved_is_found(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    cluster.run(consumer.end_offsets(T0))
    cluster.logs[T0].move(3)
    cluster.tell_leaders()
    assert cluster.run(consumer.end_offsets(T0)) == {T0: 20}


def test_what_is_refused_for_good_is_told_at_once(cluster: ConsumerCluster) -> None:
    filled(cluster)
    cluster.refusals = [ErrorCode.TOPIC_AUTHORIZATION_FAILED]
    with pytest.raises(RefusedError, match="TOPIC_AUTHORIZATION_FAILED"):
        cluster.run(cluster.consumer().end_offsets(T0))


def test_what_is_missing_is_waited_for_as_long_as_said(cluster: ConsumerCluster) -> None:
    consumer = cluster.consumer(allow_auto_create_topics=False)
    with pytest.raises(DeadlineError):
        cluster.run(consumer.end_offsets(T0, timeout_s=2))
    with pytest.raises(DeadlineError):
        cluster.run(consumer.partitions_for("t", timeout_s=2))


def test_partitions_of_a_topic_are_listed(cluster: ConsumerCluster) -> None:
    three(cluster)
    found = cluster.run(cluster.consumer().partitions_for("t"))
    assert [(one.index, one.leader_id) for one in found] == [(0, 1), (1, 2), (2, 3)]


def test_the_lag_and_the_metrics_follow_what_is_read(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    with pytest.raises(UserError, match="not assigned"):
        consumer.current_lag(T0)
    consumer.assign([T0])
    assert consumer.current_lag(T0) is None
    read(cluster, consumer, 5)
    assert consumer.current_lag(T0) == 15
    seen = consumer.metrics()
    one = seen.partitions[T0]
    assert (one.position, one.lag, one.records_taken, one.fetched_from) == (5, 15, 5, None)
    assert seen.records_taken == 5
    assert seen.lag_max == 15
    assert 0 < seen.bytes_buffered <= seen.bytes_fetched == one.bytes_fetched
    assert seen.fetches >= 1
    assert 0 < seen.fetch_ms_mean <= seen.fetch_ms_max
    cluster.run(consumer.poll_batch())
    assert consumer.current_lag(T0) == 0
    assert consumer.metrics().records_taken == 20
