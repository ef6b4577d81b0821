"""OffsetForLeaderEpoch: where epochs ended, and who may not be told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.wire.messages.offset_for_leader_epoch import (
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of

UNKNOWN = (ErrorCode.NONE, -1, -1)


def end_of(
    client: Client,
    epoch: int,
    *,
    topic: str = "orders",
    index: int = 0,
    current: int = -1,
    version: int | None = None,
) -> tuple[int, int, int]:
    """Error, epoch and end offset."""
    request = OffsetForLeaderEpochRequest(
        replica_id=-1,
        topics=[
            OffsetForLeaderTopic(
                topic=topic,
                partitions=[
                    OffsetForLeaderPartition(
                        partition=index, current_leader_epoch=current, leader_epoch=epoch
                    )
                ],
            )
        ],
    )
    response = client.ask(request, OffsetForLeaderEpochResponse, version=version)
    (answer,) = response.topics[0].partitions
    assert answer.partition == index
    return answer.error_code, answer.leader_epoch, answer.end_offset


def lead(broker: MemoryBroker, epoch: int) -> None:
    """The controller makes this node lead in a new epoch."""
    partition = broker.partition("orders")
    assert partition.state is not None
    state = replace(partition.state, leader_epoch=epoch)
    broker.in_loop(lambda: partition.lead_or_follow(state, NodeId(1)))


def write(client: Client) -> None:
    client.ask(produce(("orders", 0, batch_of(b"x"))), ProduceResponse, version=BY_NAME)


@pytest.fixture
def orders(broker: MemoryBroker, client: Client) -> MemoryBroker:
    """Two records of epoch 0, three of epoch 4, and a leader of epoch 7 that wrote nothing."""
    broker.create_topic("orders")
    for epoch, count in ((0, 2), (4, 3)):
        lead(broker, epoch)
        for _ in range(count):
            write(client)
    lead(broker, 7)
    return broker


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (-1, UNKNOWN),
        (0, (ErrorCode.NONE, 0, 2)),
        (3, (ErrorCode.NONE, 0, 2)),
        (4, (ErrorCode.NONE, 4, 5)),
        (6, (ErrorCode.NONE, 4, 5)),
        (7, (ErrorCode.NONE, 7, 5)),
        (8, UNKNOWN),
    ],
)
def test_an_epoch_ends_where_the_next_begins(
    orders: MemoryBroker, client: Client, version: int, epoch: int, expected: tuple[int, int, int]
) -> None:
    assert end_of(client, epoch, version=version) == expected


def test_an_empty_partition_knows_the_epoch_of_its_leader(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    assert end_of(client, 0) == (ErrorCode.NONE, 0, 0)
    assert end_of(client, 1) == UNKNOWN


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        (6, ErrorCode.FENCED_LEADER_EPOCH),
        (7, ErrorCode.NONE),
        (8, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_who_believes_in_another_leader_is_refused(
    orders: MemoryBroker, client: Client, current: int, expected: ErrorCode
) -> None:
    error, epoch, end_offset = end_of(client, 0, current=current)
    assert error == expected
    assert (epoch, end_offset) == ((0, 2) if error == ErrorCode.NONE else (-1, -1))


def test_partitions_that_are_not_here_are_refused(orders: MemoryBroker, client: Client) -> None:
    assert end_of(client, 0, topic="nosuch")[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert end_of(client, 0, index=5)[0] == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_only_the_leader_answers(orders: MemoryBroker, client: Client) -> None:
    partition = orders.partition("orders")
    assert partition.state is not None
    elsewhere = replace(partition.state, leader=2, leader_epoch=8)
    orders.in_loop(lambda: partition.lead_or_follow(elsewhere, NodeId(1)))
    assert end_of(client, 0) == (ErrorCode.NOT_LEADER_OR_FOLLOWER, -1, -1)
