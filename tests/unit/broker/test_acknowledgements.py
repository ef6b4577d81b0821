"""acks=all: who must have the records, who waits, and what ends the wait."""

from __future__ import annotations

import errno

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.fetch import FetchResponse, ReplicaState
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

ALL = -1
SECONDS = 1000


@pytest.fixture
def broker(make_broker: StartBroker) -> MemoryBroker:
    """Node 1 leads the topic "orders", and node 2, which is up but never fetches by itself, is in
    sync too."""
    broker = make_broker()
    broker.add_broker(2)
    broker.start()
    broker.create_topic("orders", replicas=[[1, 2]])
    return broker


def follow(client: Client, offset: int, *, version: int = BY_NAME) -> FetchResponse:
    """Node 2 asks for what follows `offset`."""
    request = fetch(("orders", partition_at(0, offset)), replica_id=2)
    return client.ask(request, FetchResponse, version=version)


def outcomes(client: Client) -> list[tuple[int, int]]:
    """Error and base offset of every partition of every produce answer that has come."""
    found = []
    for response in client.answers():
        assert isinstance(response, ProduceResponse)
        found += [(answer.error_code, answer.base_offset) for answer in produced(response)]
    return found


def test_a_write_is_acknowledged_once_the_follower_has_it(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    follower = connect(broker)
    client.send(produce(("orders", 0, batch_of(b"a", b"b")), acks=ALL), version=BY_NAME)
    assert outcomes(client) == []
    assert values_of(fetched(follow(follower, 0))[0].records) == [b"a", b"b"]
    assert outcomes(client) == []
    follow(follower, 2)
    assert outcomes(client) == [(ErrorCode.NONE, 0)]


def test_a_follower_is_known_by_its_replica_state_too(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    topic_id = broker.partition("orders").topic_id
    client.send(produce((topic_id, 0, batch_of(b"a")), acks=ALL))
    request = fetch((topic_id, partition_at(0, 1)))
    request.replica_state = ReplicaState(replica_id=2)
    connect(broker).ask(request, FetchResponse)
    assert outcomes(client) == [(ErrorCode.NONE, 0)]


def test_acks_of_the_leader_do_not_wait(broker: MemoryBroker, client: Client) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=1), version=BY_NAME)
    assert outcomes(client) == [(ErrorCode.NONE, 0)]


def test_writes_are_acknowledged_in_order_as_far_as_the_follower_is(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    other, follower = connect(broker), connect(broker)
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    other.send(produce(("orders", 0, batch_of(b"b")), acks=ALL), version=BY_NAME)
    follow(follower, 1)
    assert outcomes(client) == [(ErrorCode.NONE, 0)]
    assert outcomes(other) == []
    follow(follower, 2)
    assert outcomes(other) == [(ErrorCode.NONE, 1)]


def test_a_write_to_two_partitions_waits_for_both(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    broker.create_topic("alone", replicas=[[1]])
    request = produce(("orders", 0, batch_of(b"a")), ("alone", 0, batch_of(b"b")), acks=ALL)
    client.send(request, version=BY_NAME)
    assert outcomes(client) == []
    follow(connect(broker), 1)
    assert outcomes(client) == [(ErrorCode.NONE, 0), (ErrorCode.NONE, 0)]


def test_a_refused_partition_does_not_hold_up_the_others(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    request = produce(("nosuch", 0, batch_of(b"a")), ("orders", 0, batch_of(b"b")), acks=ALL)
    client.send(request, version=BY_NAME)
    follow(connect(broker), 1)
    assert outcomes(client) == [(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1), (ErrorCode.NONE, 0)]


def test_a_write_that_the_follower_does_not_take_in_time_times_out_and_stays(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL, timeout_ms=500), version=BY_NAME)
    broker.loop.advance(499)
    assert outcomes(client) == []
    broker.loop.advance(1)
    assert outcomes(client) == [(ErrorCode.REQUEST_TIMED_OUT, 0)]
    follower = connect(broker)
    assert values_of(fetched(follow(follower, 0))[0].records) == [b"a"]
    follow(follower, 1)
    assert outcomes(client) == [], "nobody is answered twice"


def test_after_a_timeout_later_writes_are_acknowledged(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    request = produce(("orders", 0, batch_of(b"a")), acks=ALL, timeout_ms=10)
    client.send(request, version=BY_NAME)
    broker.loop.advance(10)
    client.send(request, version=BY_NAME)
    follow(connect(broker), 2)
    assert outcomes(client) == [(ErrorCode.REQUEST_TIMED_OUT, 0), (ErrorCode.NONE, 1)]


def test_only_the_partition_that_is_late_times_out(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("alone", replicas=[[1]])
    request = produce(
        ("alone", 0, batch_of(b"a")), ("orders", 0, batch_of(b"b")), acks=ALL, timeout_ms=10
    )
    client.send(request, version=BY_NAME)
    broker.loop.advance(10)
    assert outcomes(client) == [(ErrorCode.NONE, 0), (ErrorCode.REQUEST_TIMED_OUT, 0)]


def test_requests_behind_a_waiting_write_are_served_and_answered_in_order(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    client.send_each(
        (produce(("orders", 0, batch_of(b"a")), acks=ALL), BY_NAME),
        (ApiVersionsRequest(), 2),
        (produce(("orders", 0, batch_of(b"b")), acks=1), BY_NAME),
    )
    assert client.answers() == []
    assert broker.partition("orders").log.log_end_offset == 2
    follow(connect(broker), 2)
    first, second, third = client.answers()
    assert isinstance(first, ProduceResponse)
    assert isinstance(second, ApiVersionsResponse)
    assert isinstance(third, ProduceResponse)
    assert [produced(answer)[0].base_offset for answer in (first, third)] == [0, 1]


def test_too_few_replicas_in_sync_refuse_acks_all_and_nothing_else(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("strict", replicas=[[1, 2]], min_insync_replicas="2")
    partition = broker.partition("strict")
    assert partition.state is not None
    alone = replace(partition.state, isr=(1,))
    broker.in_loop(partition.lead_or_follow, alone, NodeId(1))
    client.send(produce(("strict", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    client.send(produce(("strict", 0, batch_of(b"b")), acks=1), version=BY_NAME)
    assert outcomes(client) == [(ErrorCode.NOT_ENOUGH_REPLICAS, -1), (ErrorCode.NONE, 0)]


def test_a_replica_that_leaves_the_in_sync_set_is_waited_for_no_more(
    broker: MemoryBroker, client: Client
) -> None:
    partition = broker.partition("orders")
    assert partition.state is not None
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    alone = replace(partition.state, isr=(1,), partition_epoch=1)
    broker.in_loop(partition.lead_or_follow, alone, NodeId(1))
    assert outcomes(client) == [(ErrorCode.NONE, 0)]


def test_a_new_epoch_of_the_same_leader_keeps_what_waits(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    partition = broker.partition("orders")
    assert partition.state is not None
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    again = replace(partition.state, leader_epoch=5)
    broker.in_loop(partition.lead_or_follow, again, NodeId(1))
    assert outcomes(client) == []
    follow(connect(broker), 1)
    assert outcomes(client) == [(ErrorCode.NONE, 0)]


def test_a_leader_that_steps_down_refuses_what_waits(broker: MemoryBroker, client: Client) -> None:
    partition = broker.partition("orders")
    assert partition.state is not None
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    elsewhere = replace(partition.state, leader=2, leader_epoch=1)
    broker.in_loop(partition.lead_or_follow, elsewhere, NodeId(1))
    assert outcomes(client) == [(ErrorCode.NOT_LEADER_OR_FOLLOWER, 0)]
    broker.loop.advance(2 * SECONDS)
    assert outcomes(client) == []


def test_a_topic_that_is_deleted_refuses_what_waits(broker: MemoryBroker, client: Client) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    broker.delete_topic("orders")
    assert outcomes(client) == [(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, 0)]


def test_a_log_that_cannot_be_flushed_refuses_what_waits(
    broker: MemoryBroker, client: Client
) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    broker.disk.fail("sync", "orders-0", errno.EIO)
    broker.loop.finish(broker.housekeeping.checkpoint())
    assert outcomes(client) == [(ErrorCode.KAFKA_STORAGE_ERROR, 0)]


def test_a_client_that_goes_away_leaves_its_write_to_be_committed(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    client.disconnect()
    follow(connect(broker), 1)
    assert broker.partition("orders").high_watermark == 1
    broker.loop.advance(2 * SECONDS)


# -- what a follower's fetch says ------------------------------------------------------------------


def test_a_node_without_a_replica_cannot_follow(broker: MemoryBroker, client: Client) -> None:
    request = fetch(("orders", partition_at(0, 0)), replica_id=3)
    (answer,) = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_follower_sees_what_consumers_do_not_yet(broker: MemoryBroker, client: Client) -> None:
    client.ask(produce(("orders", 0, batch_of(b"a"))), ProduceResponse, version=BY_NAME)
    consumed = client.ask(fetch(("orders", partition_at(0, 0))), FetchResponse, version=BY_NAME)
    assert fetched(consumed)[0].records == b""
    assert fetched(consumed)[0].high_watermark == 0
    assert values_of(fetched(follow(client, 0))[0].records) == [b"a"]
    follow(client, 1)
    consumed = client.ask(fetch(("orders", partition_at(0, 0))), FetchResponse, version=BY_NAME)
    assert values_of(fetched(consumed)[0].records) == [b"a"]
    assert fetched(consumed)[0].high_watermark == 1


def test_a_follower_that_asks_beyond_the_log_moves_nothing(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=ALL), version=BY_NAME)
    (answer,) = fetched(follow(connect(broker), 7))
    assert answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert broker.partition("orders").high_watermark == 0


def test_a_follower_whose_log_parts_from_ours_moves_nothing(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    partition = broker.partition("orders")
    assert partition.state is not None
    again = replace(partition.state, leader_epoch=3)
    client.ask(produce(("orders", 0, batch_of(b"a"))), ProduceResponse, version=BY_NAME)
    broker.in_loop(partition.lead_or_follow, again, NodeId(1))
    client.send(produce(("orders", 0, batch_of(b"b", b"c")), acks=ALL), version=BY_NAME)
    parted = fetch(("orders", partition_at(0, 3, last_fetched_epoch=2)), replica_id=2)
    (answer,) = fetched(connect(broker).ask(parted, FetchResponse, version=BY_NAME))
    assert answer.diverging_epoch is not None
    assert (answer.diverging_epoch.epoch, answer.diverging_epoch.end_offset) == (0, 1)
    assert broker.partition("orders").high_watermark == 0
    assert outcomes(client) == []
