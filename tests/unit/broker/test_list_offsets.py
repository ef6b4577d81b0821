"""ListOffsets: timestamps, and the special ones that are none."""

from __future__ import annotations

import errno

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, listed, offset_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect

LATEST, EARLIEST, MAX_TIMESTAMP, EARLIEST_LOCAL, LATEST_TIERED, EARLIEST_PENDING = range(-1, -7, -1)
NEWEST = 11
TIMES = (START_MS, START_MS + 100, START_MS + 50)
"""Of three batches with two records each, a millisecond apart."""


@pytest.fixture
def broker(broker: MemoryBroker, connect: Connect) -> MemoryBroker:
    """With six records in "orders", led in epoch 3 when the last four came."""
    broker.create_topic("orders")
    broker.create_topic("empty")
    client = connect(broker)
    partition = broker.partition("orders")
    assert partition.state is not None
    for number, timestamp in enumerate(TIMES):
        if number == 1:
            later = replace(partition.state, leader_epoch=3)
            broker.in_loop(partition.lead_or_follow, later, NodeId(1))
        batch = batch_of(b"a", b"b", timestamp=timestamp)
        client.ask(produce(("orders", 0, batch)), ProduceResponse, version=BY_NAME)
    return broker


def look_up(
    client: Client, timestamp: int, *, topic: str = "orders", version: int = NEWEST
) -> ListOffsetsPartitionResponse:
    (answer,) = listed(
        client.ask(offset_at((topic, 0, timestamp)), ListOffsetsResponse, version=version)
    )
    return answer


def found(answer: ListOffsetsPartitionResponse) -> tuple[int, int, int]:
    assert answer.error_code == ErrorCode.NONE, answer
    return answer.offset, answer.timestamp, answer.leader_epoch


@pytest.mark.parametrize("version", range(1, 12))
def test_every_version_tells_both_ends(client: Client, version: int) -> None:
    knows_epochs = version >= 4
    assert found(look_up(client, LATEST, version=version)) == (6, -1, 3 if knows_epochs else -1)
    assert found(look_up(client, EARLIEST, version=version)) == (0, -1, 0 if knows_epochs else -1)


@pytest.mark.parametrize("version", range(1, 12))
@pytest.mark.parametrize(
    ("timestamp", "offset", "of"),
    [
        (0, 0, START_MS),
        (START_MS, 0, START_MS),
        (START_MS + 1, 1, START_MS + 1),
        (START_MS + 2, 2, START_MS + 100),
        (START_MS + 101, 3, START_MS + 101),
    ],
)
def test_every_version_finds_the_first_record_at_or_after_a_timestamp(
    client: Client, version: int, timestamp: int, offset: int, of: int
) -> None:
    answer = look_up(client, timestamp, version=version)
    assert (answer.error_code, answer.offset, answer.timestamp) == (ErrorCode.NONE, offset, of)
    assert answer.leader_epoch == (-1 if version < 4 else 0 if offset < 2 else 3)


def test_no_record_is_young_enough(client: Client) -> None:
    assert found(look_up(client, START_MS + 102)) == (-1, -1, -1)


@pytest.mark.parametrize("version", range(7, 12))
def test_the_largest_timestamp_is_found_wherever_it_lies(client: Client, version: int) -> None:
    answer = look_up(client, MAX_TIMESTAMP, version=version)
    assert found(answer) == (3, START_MS + 101, 3)


@pytest.mark.parametrize("version", range(8, 12))
def test_the_earliest_local_record_is_the_earliest(client: Client, version: int) -> None:
    assert found(look_up(client, EARLIEST_LOCAL, version=version)) == (0, -1, 0)


@pytest.mark.parametrize(("timestamp", "version"), [(LATEST_TIERED, 9), (EARLIEST_PENDING, 11)])
def test_nothing_is_tiered(client: Client, timestamp: int, version: int) -> None:
    assert found(look_up(client, timestamp, version=version)) == (-1, -1, -1)


@pytest.mark.parametrize(
    ("timestamp", "version"),
    [
        (MAX_TIMESTAMP, 6),
        (EARLIEST_LOCAL, 7),
        (LATEST_TIERED, 8),
        (EARLIEST_PENDING, 10),
        (-7, 11),
        (-(2**63), 11),
    ],
)
def test_a_special_timestamp_that_a_version_does_not_know_is_refused(
    client: Client, timestamp: int, version: int
) -> None:
    answer = look_up(client, timestamp, version=version)
    assert (answer.error_code, answer.offset) == (ErrorCode.UNSUPPORTED_VERSION, -1)


@pytest.mark.parametrize(
    ("timestamp", "offset"),
    [(LATEST, 0), (EARLIEST, 0), (EARLIEST_LOCAL, 0), (MAX_TIMESTAMP, -1), (0, -1)],
)
def test_an_empty_partition_has_ends_and_no_timestamps(
    client: Client, timestamp: int, offset: int
) -> None:
    assert look_up(client, timestamp, topic="empty").error_code == ErrorCode.NONE
    assert look_up(client, timestamp, topic="empty").offset == offset


def test_the_earliest_offset_is_the_log_start(broker: MemoryBroker, client: Client) -> None:
    log = broker.partition("orders").log
    broker.in_loop(log.advance_log_start, 3)
    assert found(look_up(client, EARLIEST)) == (3, -1, 3)
    assert found(look_up(client, 0))[0] == 3


@pytest.mark.parametrize("isolation_level", [0, 1])
def test_what_is_not_committed_is_not_there_yet(
    broker: MemoryBroker, client: Client, isolation_level: int
) -> None:
    broker.create_topic("followed")
    partition = broker.partition("followed")
    assert partition.state is not None
    two = replace(partition.state, replicas=(1, 2), isr=(1, 2))
    broker.in_loop(partition.lead_or_follow, two, NodeId(1))
    client.ask(produce(("followed", 0, batch_of(b"a"))), ProduceResponse, version=BY_NAME)
    for timestamp, offset in ((LATEST, 0), (0, -1), (MAX_TIMESTAMP, -1)):
        request = offset_at(("followed", 0, timestamp), isolation_level=isolation_level)
        (answer,) = listed(client.ask(request, ListOffsetsResponse))
        assert (answer.error_code, answer.offset) == (ErrorCode.NONE, offset)


def test_each_partition_is_answered_for_itself(client: Client) -> None:
    request = offset_at(("orders", 0, LATEST), ("orders", 9, LATEST), ("nosuch", 0, LATEST))
    response = client.ask(request, ListOffsetsResponse)
    assert [topic.name for topic in response.topics] == ["orders", "orders", "nosuch"]
    assert [(answer.error_code, answer.offset) for answer in listed(response)] == [
        (ErrorCode.NONE, 6),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
    ]


def test_a_partition_that_is_named_twice_is_refused_both_times(client: Client) -> None:
    twice = [ListOffsetsPartition(partition_index=0, timestamp=LATEST) for _ in range(2)]
    request = ListOffsetsRequest(
        replica_id=-1, topics=[ListOffsetsTopic(name="orders", partitions=twice)]
    )
    answers = listed(client.ask(request, ListOffsetsResponse))
    assert [answer.error_code for answer in answers] == [ErrorCode.INVALID_REQUEST] * 2


@pytest.mark.parametrize(
    ("believed", "error"),
    [(2, ErrorCode.FENCED_LEADER_EPOCH), (4, ErrorCode.UNKNOWN_LEADER_EPOCH)],
)
def test_a_client_and_its_broker_must_believe_in_the_same_epoch(
    client: Client, believed: int, error: ErrorCode
) -> None:
    request = offset_at(("orders", 0, LATEST), leader_epoch=believed)
    (answer,) = listed(client.ask(request, ListOffsetsResponse))
    assert answer.error_code == error


def test_a_disk_that_cannot_be_read_is_an_error_of_the_partition_alone(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("read_at", "orders-0", errno.EIO)
    request = offset_at(("orders", 0, START_MS + 1), ("orders", 0, LATEST), ("empty", 0, LATEST))
    request.topics.pop(1)
    broken, sound = listed(client.ask(request, ListOffsetsResponse))
    assert (broken.error_code, broken.offset) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
    assert sound.error_code == ErrorCode.NONE
