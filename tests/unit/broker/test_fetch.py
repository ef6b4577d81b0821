"""Fetch through the whole broker: what is found, how much of it, and where it is refused."""

from __future__ import annotations

import errno

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.transport.outbox import FileRegion
from ottla.wire.messages.fetch import FetchPartition, FetchResponse, PartitionData
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import (
    BY_ID,
    BY_NAME,
    MIB,
    Topic,
    fetch,
    fetched,
    partition_at,
    produce,
    produced,
    where,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, headers_of, offsets_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

LOG = "00000000000000000000.log"


def write(client: Client, topic: str, *batches: bytearray, index: int = 0) -> None:
    """Append batches to a partition."""
    for batch in batches:
        response = client.ask(produce((topic, index, batch)), ProduceResponse, version=BY_NAME)
        assert produced(response)[0].error_code == ErrorCode.NONE


def read(client: Client, partition: FetchPartition, **limits: int) -> PartitionData:
    """One look at the topic "orders"."""
    request = fetch(("orders", partition), **limits)  # type: ignore[arg-type]  # whole numbers all
    (answer,) = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    return answer


@pytest.mark.parametrize("version", range(4, 19))
def test_every_version_reads_records_and_the_high_watermark(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    topic_id = broker.create_topic("orders")
    write(client, "orders", batch_of(b"a", b"b"), batch_of(b"c"))
    topic: Topic = topic_id if version >= BY_ID else "orders"
    response = client.ask(fetch((topic, partition_at(0, 1))), FetchResponse, version=version)
    assert response.error_code == ErrorCode.NONE
    assert where(response) == [(topic, 0)]
    (answer,) = fetched(response)
    assert answer.error_code == ErrorCode.NONE
    assert (answer.high_watermark, answer.last_stable_offset) == (3, 3)
    assert answer.log_start_offset == (0 if version >= 5 else -1)
    assert answer.aborted_transactions is None
    assert offsets_of(answer.records) == [0, 1, 2], "from the batch that holds the offset"


def test_the_end_of_the_log_is_empty_and_no_error(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"a"))
    answer = read(client, partition_at(0, 1))
    assert (answer.error_code, answer.records, answer.high_watermark) == (0, b"", 1)


@pytest.mark.parametrize("offset", [-1, 2, 2**62])
def test_an_offset_outside_of_the_log_is_refused(
    broker: MemoryBroker, client: Client, offset: int
) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"a"))
    answer = read(client, partition_at(0, offset))
    assert answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    assert (answer.high_watermark, answer.log_start_offset, answer.records) == (-1, -1, b"")


@pytest.mark.parametrize("index", [-1, 1, 99])
def test_a_partition_that_the_topic_does_not_have_is_refused(
    broker: MemoryBroker, client: Client, index: int
) -> None:
    broker.create_topic("orders")
    answer = read(client, partition_at(index, 0))
    assert (answer.partition_index, answer.error_code) == (
        index,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    )


def test_an_unknown_name_and_an_unknown_id_have_each_their_code(client: Client) -> None:
    by_name = client.ask(fetch(("nosuch", partition_at(0, 0))), FetchResponse, version=BY_NAME)
    assert fetched(by_name)[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    unknown = b"\x05" * 16
    by_id = client.ask(fetch((unknown, partition_at(0, 0))), FetchResponse)
    assert where(by_id) == [(unknown, 0)]
    assert fetched(by_id)[0].error_code == ErrorCode.UNKNOWN_TOPIC_ID


def test_a_request_for_nothing_is_answered_with_nothing_at_once(client: Client) -> None:
    response = client.ask(fetch(max_wait_ms=5000), FetchResponse, version=BY_NAME)
    assert (response.error_code, response.responses) == (ErrorCode.NONE, [])


# -- limits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("of_request", "of_partition"), [(1, MIB), (MIB, 1), (0, 0)])
def test_the_first_batch_comes_whole_however_small_the_limits(
    broker: MemoryBroker, client: Client, of_request: int, of_partition: int
) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"x" * 1000), batch_of(b"y"))
    answer = read(client, partition_at(0, 0, max_bytes=of_partition), max_bytes=of_request)
    assert values_of(answer.records) == [b"x" * 1000]


def test_further_batches_are_cut_at_the_partitions_limit(
    broker: MemoryBroker, client: Client
) -> None:
    batch = batch_of(b"x" * 100)
    broker.create_topic("orders")
    write(client, "orders", *(batch_of(b"x" * 100) for _ in range(10)))
    answer = read(client, partition_at(0, 0, max_bytes=3 * len(batch) + 50))
    assert len(answer.records) <= 3 * len(batch) + 50
    assert len(headers_of(answer.records)) == 3


def test_the_limit_of_a_request_is_shared_by_its_partitions_in_order(
    broker: MemoryBroker, client: Client
) -> None:
    size = len(batch_of(b"x" * 100))
    broker.create_topic("orders", 3)
    for index in range(3):
        write(client, "orders", *(batch_of(b"x" * 100) for _ in range(4)), index=index)
    request = fetch(
        *(("orders", partition_at(index, 0, max_bytes=2 * size)) for index in range(3)),
        max_bytes=3 * size,
    )
    answers = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    assert [len(headers_of(answer.records)) for answer in answers] == [2, 1, 0]
    assert [answer.high_watermark for answer in answers] == [4, 4, 4]


def test_only_the_first_partition_with_data_may_exceed_the_limit(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", 3)
    for index in (1, 2):
        write(client, "orders", batch_of(b"x" * 1000), index=index)
    request = fetch(
        *(("orders", partition_at(index, 0, max_bytes=10)) for index in range(3)), max_bytes=10
    )
    answers = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    assert [len(headers_of(answer.records)) for answer in answers] == [0, 1, 0]


def test_the_brokers_own_limit_counts_too(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(fetch_max_bytes="1024")
    client = connect(broker)
    broker.create_topic("orders")
    write(client, "orders", *(batch_of(b"x" * 400) for _ in range(5)))
    answer = read(client, partition_at(0, 0))
    assert len(answer.records) <= 1024
    assert len(headers_of(answer.records)) == 2


def test_a_large_answer_is_a_region_of_the_file_and_not_a_copy(
    broker: MemoryBroker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topic("orders")
    write(client, "orders", *(batch_of(bytes([n]) * 300_000) for n in range(3)))
    sent: list[object] = []
    send = FileRegion.__init__

    def noted(region: FileRegion, *parts: object) -> None:
        sent.append(parts[2])
        send(region, *parts)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(FileRegion, "__init__", noted)
    answer = read(client, partition_at(0, 0))
    assert values_of(answer.records) == [bytes([n]) * 300_000 for n in range(3)]
    assert sent == [len(answer.records)]


def test_a_reader_goes_from_segment_to_segment(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", segment_bytes=str(1 << 20))
    write(client, "orders", *(batch_of(bytes([n]) * 400_000) for n in range(5)))
    seen: list[int] = []
    while len(seen) < 5:
        answer = read(client, partition_at(0, len(seen)))
        assert answer.records
        seen += offsets_of(answer.records)
    assert seen == [0, 1, 2, 3, 4]


# -- leadership ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("believed", "error"),
    [
        (-1, ErrorCode.NONE),
        (4, ErrorCode.FENCED_LEADER_EPOCH),
        (5, ErrorCode.NONE),
        (6, ErrorCode.UNKNOWN_LEADER_EPOCH),
    ],
)
def test_a_client_and_its_broker_must_believe_in_the_same_epoch(
    broker: MemoryBroker, client: Client, believed: int, error: ErrorCode
) -> None:
    broker.create_topic("orders")
    partition = broker.partition("orders")
    assert partition.state is not None
    later = replace(partition.state, leader_epoch=5)
    broker.in_loop(partition.lead_or_follow, later, NodeId(1))
    answer = read(client, partition_at(0, 0, leader_epoch=believed))
    assert answer.error_code == error


def test_a_client_that_asks_the_wrong_node_is_told_who_leads(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    partition = broker.partition("orders")
    assert partition.state is not None
    elsewhere = replace(partition.state, leader=2, leader_epoch=3)
    broker.in_loop(partition.lead_or_follow, elsewhere, NodeId(1))
    answer = read(client, partition_at(0, 0))
    assert answer.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert answer.current_leader is not None
    assert (answer.current_leader.leader_id, answer.current_leader.leader_epoch) == (2, 3)


@pytest.mark.parametrize(
    ("last_fetched_epoch", "offset", "diverging"),
    [
        (0, 2, None),
        (4, 3, None),
        (0, 3, (0, 2)),  # epoch 0 ended at 2: what the asker has behind it is not ours
        (2, 2, (0, 2)),  # nobody led in epoch 2: the largest before it ended at 2
    ],
)
def test_a_log_that_parted_from_ours_is_told_where(
    broker: MemoryBroker,
    client: Client,
    last_fetched_epoch: int,
    offset: int,
    diverging: tuple[int, int] | None,
) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"a"), batch_of(b"b"))
    partition = broker.partition("orders")
    assert partition.state is not None
    later = replace(partition.state, leader_epoch=4)
    broker.in_loop(partition.lead_or_follow, later, NodeId(1))
    write(client, "orders", batch_of(b"c"))
    answer = read(client, partition_at(0, offset, last_fetched_epoch=last_fetched_epoch))
    assert answer.error_code == ErrorCode.NONE
    told = answer.diverging_epoch
    assert (told and (told.epoch, told.end_offset)) == diverging
    if diverging is not None:
        assert answer.records == b""


def test_an_epoch_that_nobody_has_led_in_is_out_of_range(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"a"))
    answer = read(client, partition_at(0, 1, last_fetched_epoch=9))
    assert answer.error_code == ErrorCode.OFFSET_OUT_OF_RANGE


def test_read_committed_has_a_list_of_aborted_transactions(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(client, "orders", batch_of(b"a"))
    answer = read(client, partition_at(0, 0), isolation_level=1)
    assert answer.aborted_transactions == []
    assert answer.last_stable_offset == 1
    assert values_of(answer.records) == [b"a"]


# -- a disk that fails -----------------------------------------------------------------------------


def test_a_read_that_the_disk_refuses_is_an_error_of_its_partition_alone(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", 2)
    for index in range(2):
        write(client, "orders", batch_of(b"a"), index=index)
    broker.disk.fail("read_at", f"orders-0/{LOG}", errno.EIO)
    request = fetch(*(("orders", partition_at(index, 0)) for index in range(2)))
    broken, sound = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    assert (broken.error_code, broken.records) == (ErrorCode.KAFKA_STORAGE_ERROR, b"")
    assert values_of(sound.records) == [b"a"]
    broker.disk.heal()
    assert values_of(read(client, partition_at(0, 0)).records) == [b"a"]
