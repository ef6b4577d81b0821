"""A fetch that finds too little waits: for data, for its time to be over, for news of its topic."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.wire.messages.fetch import FetchRequest, FetchResponse, PartitionData
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect


@pytest.fixture
def broker(broker: MemoryBroker) -> MemoryBroker:
    """With a topic "orders" of two empty partitions."""
    broker.create_topic("orders", 2)
    return broker


@pytest.fixture
def producer(broker: MemoryBroker, connect: Connect) -> Client:
    return connect(broker)


def write(producer: Client, *values: bytes, index: int = 0) -> None:
    request = produce(("orders", index, batch_of(*values)))
    producer.ask(request, ProduceResponse, version=BY_NAME)


def wait(client: Client, request: FetchRequest) -> None:
    """Send a fetch that must not be answered at once."""
    client.send(request, version=BY_NAME)
    assert client.answers() == []


def taken(client: Client) -> list[PartitionData]:
    """The partitions of the only answer that has come."""
    (response,) = client.answers()
    assert isinstance(response, FetchResponse)
    return fetched(response)


def poll(*offsets: int, max_wait_ms: int = 500, min_bytes: int = 1) -> FetchRequest:
    """A fetch of the first partitions of "orders" that waits."""
    parts = [("orders", partition_at(index, offset)) for index, offset in enumerate(offsets)]
    return fetch(*parts, max_wait_ms=max_wait_ms, min_bytes=min_bytes)


def test_data_that_is_there_is_not_waited_for(client: Client, producer: Client) -> None:
    write(producer, b"a")
    client.send(poll(0), version=BY_NAME)
    assert values_of(taken(client)[0].records) == [b"a"]


def test_an_append_wakes_the_one_that_waits(client: Client, producer: Client) -> None:
    wait(client, poll(0))
    write(producer, b"a")
    assert values_of(taken(client)[0].records) == [b"a"]


def test_an_append_to_any_of_its_partitions_wakes_it(client: Client, producer: Client) -> None:
    wait(client, poll(0, 0))
    write(producer, b"a", index=1)
    first, second = taken(client)
    assert first.records == b""
    assert values_of(second.records) == [b"a"]


def test_an_append_elsewhere_does_not(
    broker: MemoryBroker, client: Client, producer: Client
) -> None:
    wait(client, poll(0))
    write(producer, b"a", index=1)
    assert client.answers() == []
    broker.loop.advance(500)
    assert taken(client)[0].records == b""


def test_all_that_wait_on_a_partition_are_woken(
    client: Client, producer: Client, broker: MemoryBroker, connect: Connect
) -> None:
    others = [connect(broker) for _ in range(3)]
    for waiting in (client, *others):
        wait(waiting, poll(0))
    write(producer, b"a")
    for waiting in (client, *others):
        assert values_of(taken(waiting)[0].records) == [b"a"]


def test_it_is_answered_empty_when_its_time_is_over(broker: MemoryBroker, client: Client) -> None:
    wait(client, poll(0, max_wait_ms=300))
    broker.loop.advance(299)
    assert client.answers() == []
    broker.loop.advance(1)
    (answer,) = taken(client)
    assert (answer.error_code, answer.records, answer.high_watermark) == (0, b"", 0)


def test_it_is_answered_once(broker: MemoryBroker, client: Client, producer: Client) -> None:
    wait(client, poll(0))
    write(producer, b"a")
    write(producer, b"b")
    broker.loop.advance(1000)
    assert len(client.answers()) == 1


def test_it_waits_for_min_bytes_over_all_its_partitions(client: Client, producer: Client) -> None:
    size = len(batch_of(b"x" * 100))
    wait(client, poll(0, 0, min_bytes=2 * size))
    write(producer, b"x" * 100)
    assert client.answers() == []
    write(producer, b"y" * 100, index=1)
    first, second = taken(client)
    assert values_of(first.records) == [b"x" * 100]
    assert values_of(second.records) == [b"y" * 100]


def test_too_few_bytes_are_answered_when_its_time_is_over(
    broker: MemoryBroker, client: Client, producer: Client
) -> None:
    write(producer, b"a")
    wait(client, poll(0, min_bytes=1_000_000))
    broker.loop.advance(500)
    assert values_of(taken(client)[0].records) == [b"a"]


def test_min_bytes_above_max_bytes_is_waited_for_only_as_far_as_that(
    client: Client, producer: Client
) -> None:
    write(producer, b"x" * 1000)
    request = fetch(("orders", partition_at(0, 0)), max_wait_ms=500, min_bytes=10**6, max_bytes=50)
    client.send(request, version=BY_NAME)
    assert values_of(taken(client)[0].records) == [b"x" * 1000]


def test_min_bytes_that_the_next_segment_completes_are_not_waited_for(
    broker: MemoryBroker, client: Client, producer: Client
) -> None:
    broker.create_topic("rolled", segment_bytes=str(1 << 20))
    for part in (b"x", b"y"):
        batch = batch_of(part * 600_000)
        producer.ask(produce(("rolled", 0, batch)), ProduceResponse, version=BY_NAME)
    request = fetch(("rolled", partition_at(0, 0)), max_wait_ms=500, min_bytes=1_000_000)
    client.send(request, version=BY_NAME)
    assert values_of(taken(client)[0].records) == [b"x" * 600_000]


def test_zero_min_bytes_does_not_wait(client: Client) -> None:
    client.send(poll(0, min_bytes=0), version=BY_NAME)
    assert taken(client)[0].records == b""


def test_an_error_in_one_partition_is_told_at_once(client: Client) -> None:
    client.send(poll(0, 99), version=BY_NAME)
    assert [answer.error_code for answer in taken(client)] == [
        ErrorCode.NONE,
        ErrorCode.OFFSET_OUT_OF_RANGE,
    ]


def test_a_topic_that_is_deleted_ends_the_wait(broker: MemoryBroker, client: Client) -> None:
    wait(client, poll(0, 0))
    broker.delete_topic("orders")
    errors = [answer.error_code for answer in taken(client)]
    assert ErrorCode.UNKNOWN_TOPIC_OR_PARTITION in errors
    broker.loop.advance(1000)
    assert client.answers() == []


def test_a_leader_that_steps_down_ends_the_wait(broker: MemoryBroker, client: Client) -> None:
    wait(client, poll(0))
    partition = broker.partition("orders")
    assert partition.state is not None
    elsewhere = replace(partition.state, leader=2, leader_epoch=1)
    broker.in_loop(partition.lead_or_follow, elsewhere, NodeId(1))
    assert taken(client)[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_client_that_goes_away_takes_its_wait_with_it(
    broker: MemoryBroker, client: Client, producer: Client
) -> None:
    wait(client, poll(0))
    assert len(broker.partition("orders").waiters) == 1
    client.disconnect()
    assert len(broker.partition("orders").waiters) == 0
    write(producer, b"a")
    broker.loop.advance(1000)
    assert client.answers() == []


def test_requests_behind_it_wait_with_it(client: Client, producer: Client) -> None:
    client.send_each((poll(0), BY_NAME), (MetadataRequest(topics=[]), 9))
    assert client.answers() == []
    write(producer, b"a")
    first, second = client.answers()
    assert isinstance(first, FetchResponse)
    assert isinstance(second, MetadataResponse)


def test_a_wait_leaves_nothing_behind_on_its_partitions(
    broker: MemoryBroker, client: Client, producer: Client
) -> None:
    wait(client, poll(0, 0))
    write(producer, b"a")
    assert len(client.answers()) == 1
    wait(client, poll(1, 0))
    broker.loop.advance(500)
    assert len(client.answers()) == 1
    assert all(not broker.partition("orders", index).waiters for index in range(2))


def test_a_broker_that_stops_answers_every_wait(broker: MemoryBroker, client: Client) -> None:
    wait(client, poll(0))
    broker.in_loop(broker.broker.fetch.finish_waiting)
    assert taken(client)[0].error_code == ErrorCode.NONE


def test_a_wait_for_what_is_not_committed_ends_when_a_follower_has_it(
    broker: MemoryBroker, client: Client, producer: Client, connect: Connect
) -> None:
    partition = broker.partition("orders")
    assert partition.state is not None
    two = replace(partition.state, replicas=(1, 2), isr=(1, 2))
    broker.in_loop(partition.lead_or_follow, two, NodeId(1))
    write(producer, b"a")
    wait(client, poll(0))
    follower = fetch(("orders", partition_at(0, 1)), replica_id=2)
    connect(broker).ask(follower, FetchResponse, version=BY_NAME)
    assert values_of(taken(client)[0].records) == [b"a"]
