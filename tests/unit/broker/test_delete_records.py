"""DeleteRecords: the log start moves, and the answers say how far or why not."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.log.checkpoints import LOG_START_OFFSETS, decode_offsets
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.list_offsets import ListOffsetsResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import (
    BY_NAME,
    fetch,
    fetched,
    listed,
    offset_at,
    partition_at,
    produce,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

EARLIEST = -2
HIGH_WATERMARK = -1


def deleted(
    client: Client, *asked: tuple[str, int, int], version: int | None = None
) -> list[tuple[int, int]]:
    """Ask for each (topic, partition, offset); error and low watermark of each."""
    request = DeleteRecordsRequest(
        topics=[
            DeleteRecordsTopic(
                name=topic,
                partitions=[DeleteRecordsPartition(partition_index=index, offset=offset)],
            )
            for topic, index, offset in asked
        ],
        timeout_ms=1000,
    )
    response = client.ask(request, DeleteRecordsResponse, version=version)
    results: list[DeleteRecordsPartitionResult] = [
        result for topic in response.topics for result in topic.partitions
    ]
    return [(result.error_code, result.low_watermark) for result in results]


def ten_records(
    broker: MemoryBroker,
    client: Client,
    topic: str = "orders",
    *,
    policy: str = "delete",
) -> None:
    """Ten batches of one record."""
    broker.create_topic(topic, cleanup_policy=policy, retention_ms="-1")
    for number in range(10):
        request = produce((topic, 0, batch_of(b"%d" % number)))
        client.ask(request, ProduceResponse, version=BY_NAME)


@pytest.mark.parametrize("version", [0, 1, 2])
def test_records_below_the_offset_are_gone_at_once(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    ten_records(broker, client)
    assert deleted(client, ("orders", 0, 7), version=version) == [(ErrorCode.NONE, 7)]
    assert (
        listed(client.ask(offset_at(("orders", 0, EARLIEST)), ListOffsetsResponse))[0].offset == 7
    )
    below = client.ask(fetch(("orders", partition_at(0, 6))), FetchResponse, version=BY_NAME)
    assert fetched(below)[0].error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    above = client.ask(fetch(("orders", partition_at(0, 7))), FetchResponse, version=BY_NAME)
    assert fetched(above)[0].log_start_offset == 7
    assert values_of(fetched(above)[0].records) == [b"7", b"8", b"9"]


def test_minus_one_stands_for_the_high_watermark(broker: MemoryBroker, client: Client) -> None:
    ten_records(broker, client)
    assert deleted(client, ("orders", 0, HIGH_WATERMARK)) == [(ErrorCode.NONE, 10)]
    request = produce(("orders", 0, batch_of(b"next")))
    client.ask(request, ProduceResponse, version=BY_NAME)
    found = client.ask(fetch(("orders", partition_at(0, 10))), FetchResponse, version=BY_NAME)
    assert values_of(fetched(found)[0].records) == [b"next"]


def test_the_log_start_never_goes_back(broker: MemoryBroker, client: Client) -> None:
    ten_records(broker, client)
    assert deleted(client, ("orders", 0, 7), ("orders", 0, 3)) == [(0, 7), (0, 7)]


@pytest.mark.parametrize("offset", [11, -2])
def test_an_offset_that_is_not_in_the_log_is_out_of_range(
    broker: MemoryBroker, client: Client, offset: int
) -> None:
    ten_records(broker, client)
    assert deleted(client, ("orders", 0, offset)) == [(ErrorCode.OFFSET_OUT_OF_RANGE, -1)]
    assert broker.partition("orders").log.log_start_offset == 0


def test_what_is_not_committed_cannot_be_deleted(
    make_broker: StartBroker, connect: Connect
) -> None:
    broker = make_broker()
    broker.add_broker(2)
    broker.start()
    broker.create_topic("orders", replicas=[[1, 2]])
    client = connect(broker)
    request = produce(("orders", 0, batch_of(b"a")))
    client.ask(request, ProduceResponse, version=BY_NAME)
    assert deleted(client, ("orders", 0, 1)) == [(ErrorCode.OFFSET_OUT_OF_RANGE, -1)]
    assert deleted(client, ("orders", 0, HIGH_WATERMARK)) == [(ErrorCode.NONE, 0)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("compact", (ErrorCode.POLICY_VIOLATION, -1)),
        ("compact,delete", (ErrorCode.NONE, 5)),
        ("", (ErrorCode.NONE, 5)),
    ],
)
def test_a_topic_that_is_compacted_only_keeps_its_records(
    broker: MemoryBroker, client: Client, policy: str, expected: tuple[int, int]
) -> None:
    ten_records(broker, client, policy=policy)
    assert deleted(client, ("orders", 0, 5)) == [expected]


def test_partitions_that_are_not_here_are_refused_by_themselves(
    broker: MemoryBroker, client: Client
) -> None:
    ten_records(broker, client)
    assert deleted(client, ("nosuch", 0, 1), ("orders", 9, 1), ("orders", 0, 1)) == [
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        (ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, -1),
        (ErrorCode.NONE, 1),
    ]


def test_internal_topics_are_refused(broker: MemoryBroker, client: Client) -> None:
    ten_records(broker, client, "__consumer_offsets")
    assert deleted(client, ("__consumer_offsets", 0, 1)) == [
        (ErrorCode.INVALID_TOPIC_EXCEPTION, -1)
    ]


def test_a_disk_that_fails_is_told(broker: MemoryBroker, client: Client) -> None:
    ten_records(broker, client)
    broker.disk.fail("open", "leader-epoch-checkpoint", errno.EIO)
    assert deleted(client, ("orders", 0, 5)) == [(ErrorCode.KAFKA_STORAGE_ERROR, -1)]


def test_the_log_start_is_written_down_soon(broker: MemoryBroker, client: Client) -> None:
    ten_records(broker, client)
    deleted(client, ("orders", 0, 7))
    broker.loop.advance(1500)
    content = broker.disk.read_file(f"{broker.path}/{LOG_START_OFFSETS}")
    assert decode_offsets(content)[TopicPartition("orders", 0)] == 7
    broker.stop_uncleanly()
    broker.start()
    log = broker.partition("orders").log
    assert (log.log_start_offset, log.log_end_offset) == (7, 10)


def test_a_log_start_that_the_disk_refused_is_written_when_it_recovers(
    broker: MemoryBroker, client: Client
) -> None:
    ten_records(broker, client)
    broker.disk.fail("open", LOG_START_OFFSETS, errno.ENOSPC)
    assert deleted(client, ("orders", 0, 4)) == [(ErrorCode.NONE, 4)]
    broker.loop.advance(1000)
    broker.disk.heal()
    broker.loop.advance(1000)
    content = broker.disk.read_file(f"{broker.path}/{LOG_START_OFFSETS}")
    assert decode_offsets(content)[TopicPartition("orders", 0)] == 4


def test_retention_takes_the_segments_below_the_log_start(
    broker: MemoryBroker, client: Client
) -> None:
    ten_records(broker, client)
    partition = broker.partition("orders")
    partition.log.roll(broker.clock.now_ms())
    deleted(client, ("orders", 0, HIGH_WATERMARK))
    broker.loop.advance(31_000)
    assert [segment.base_offset for segment in partition.log.segments] == [10]
