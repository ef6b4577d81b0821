"""Transactions when something unusual happens: hostile requests, disks that refuse, cut logs."""

from __future__ import annotations

import asyncio
import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.broker.transaction_markers import TransactionMarkers
from ottla.transactions.ending import Ending
from ottla.transactions.partitions import Writing
from ottla.transactions.shard import TransactionShard
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTransaction,
)
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS, TRANSACTION_STATE
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect
from tests.unit.broker.test_transactions import (
    ID,
    TIMEOUT_MS,
    Transactional,
    described,
    find,
    seen,
)

ABORT_INTERVAL_MS = 10_000


@pytest.fixture
def client(broker: MemoryBroker, connect: Connect) -> Client:
    """A client that has asked where transactions are coordinated; there is a topic to write to."""
    broker.create_topic("orders", 2)
    found = connect(broker)
    find(found)
    return found


@pytest.fixture(params=[1, 2])
def producer(client: Client, request: pytest.FixtureRequest) -> Transactional:
    """An initialised producer of each protocol."""
    made = Transactional(client, request.param)
    assert made.init() is ErrorCode.NONE
    return made


def write_marker(
    client: Client, topic: str, index: int, *, producer_id: int = 77, epoch: int = 0
) -> ErrorCode:
    marker = WritableTxnMarker(
        producer_id=producer_id,
        producer_epoch=epoch,
        transaction_result=True,
        topics=[WritableTxnMarkerTopic(name=topic, partition_indexes=[index])],
        coordinator_epoch=5,
    )
    answer = client.ask(WriteTxnMarkersRequest(markers=[marker]), WriteTxnMarkersResponse)
    return ErrorCode(answer.markers[0].topics[0].partitions[0].error_code)


# -- hostile requests ------------------------------------------------------------------------------


def test_markers_in_the_coordinators_own_topic_do_not_hold_it_up(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    for index in range(50):
        write_marker(client, TRANSACTION_STATE, index)
    assert producer.end(commit=True) is ErrorCode.NONE
    assert seen(client) == [b"open"]
    broker.stop()
    broker.start()


@pytest.mark.parametrize(("producer_id", "epoch"), [(-1, 0), (-1, -1), (77, -1), (-7, 3)])
def test_markers_of_nobody_are_refused(
    broker: MemoryBroker, client: Client, producer_id: int, epoch: int
) -> None:
    end = broker.partition("orders").log.log_end_offset
    error = write_marker(client, "orders", 0, producer_id=producer_id, epoch=epoch)
    assert error is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    assert broker.partition("orders").log.log_end_offset == end


@pytest.mark.parametrize("topic", [TRANSACTION_STATE, CONSUMER_OFFSETS])
def test_clients_do_not_add_topics_that_only_coordinators_write_to(
    client: Client, producer: Transactional, topic: str
) -> None:
    request = AddPartitionsToTxnRequest(
        v3_and_below_transactional_id=ID,
        v3_and_below_producer_id=producer.producer[0],
        v3_and_below_producer_epoch=producer.producer[1],
        v3_and_below_topics=[
            AddPartitionsToTxnTopic(name=topic, partitions=[0]),
            AddPartitionsToTxnTopic(name="orders", partitions=[0]),
        ],
    )
    answer = client.ask(request, AddPartitionsToTxnResponse, version=3)
    assert [
        part.partition_error_code
        for found in answer.results_by_topic_v3_and_below
        for part in found.results_by_partition
    ] == [ErrorCode.TOPIC_AUTHORIZATION_FAILED, ErrorCode.OPERATION_NOT_ATTEMPTED]
    assert described(client).transaction_state == "Empty"


def test_a_transaction_in_the_coordinators_own_topic_comes_to_its_end(
    client: Client, broker: MemoryBroker
) -> None:
    producer = Transactional(client)
    producer.init()
    transaction = AddPartitionsToTxnTransaction(
        transactional_id=ID,
        producer_id=producer.producer[0],
        producer_epoch=producer.producer[1],
        topics=[AddPartitionsToTxnTopic(name=TRANSACTION_STATE, partitions=list(range(50)))],
    )
    request = AddPartitionsToTxnRequest(transactions=[transaction])
    client.ask(request, AddPartitionsToTxnResponse, version=5)
    assert producer.write(b"open", 0) is ErrorCode.NONE
    assert producer.end(commit=True) is ErrorCode.NONE
    broker.loop.settle()
    assert described(client).transaction_state == "CompleteCommit"
    producer.begin(0)
    assert producer.end(commit=True) is ErrorCode.NONE
    assert seen(client) == [b"open", b"open"]


# -- a coordinator that goes on by itself ----------------------------------------------------------


def test_a_transaction_times_out_although_its_coordinators_log_had_refused_a_write(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    broker.disk.fail("append", TRANSACTION_STATE, errno.ENOSPC)
    assert producer.end(commit=True) is ErrorCode.COORDINATOR_NOT_AVAILABLE
    broker.disk.heal()
    # Its producer is gone, and nobody asks this coordinator for anything.
    for _ in range(2 + TIMEOUT_MS // ABORT_INTERVAL_MS):
        broker.loop.advance(ABORT_INTERVAL_MS)
    partition = broker.partition("orders")
    assert partition.last_stable_offset == partition.high_watermark
    assert seen(client) == []


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_markers_that_a_full_disk_refuses_are_written_when_there_is_room(
    broker: MemoryBroker, client: Client, producer: Transactional, error: int
) -> None:
    producer.begin(0, 1)
    broker.disk.fail("append", "orders-1", error)
    assert producer.end(commit=True) is ErrorCode.NONE
    for _ in range(5):
        broker.loop.advance(1000)
    assert described(client).transaction_state == "PrepareCommit"
    assert seen(client, 0) == [b"open"]
    assert seen(client, 1) == []
    broker.disk.heal()
    broker.loop.advance(5000)
    assert described(client).transaction_state == "CompleteCommit"
    assert seen(client, 1) == [b"open"]


def test_an_end_that_a_fault_of_ours_has_stopped_goes_on(
    broker: MemoryBroker,
    client: Client,
    producer: Transactional,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def lost(*_: object) -> None:
        raise asyncio.CancelledError

    producer.begin(0)
    with monkeypatch.context() as broken:
        broken.setattr(TransactionMarkers, "write", lost)
        assert producer.end(commit=True) is ErrorCode.NONE
    assert described(client).transaction_state == "PrepareCommit"
    broker.loop.advance(ABORT_INTERVAL_MS + 1)
    assert described(client).transaction_state == "CompleteCommit"
    assert seen(client) == [b"open"]


def test_many_transactions_time_out_some_at_a_time(
    broker: MemoryBroker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ottla.transactions.shard.TRANSACTIONS_ABORTED_AT_ONCE", 1)
    producer = Transactional(client)
    producer.init()
    producer.begin(0, 1)
    counts: list[int] = []
    aborts = TransactionShard.abort_timed_out

    def counted(self: TransactionShard, ticket: int, moment: object) -> object:
        effects = aborts(self, ticket, moment)  # type: ignore[arg-type]  # a Moment
        counts.append(len(effects.records))
        return effects

    monkeypatch.setattr(TransactionShard, "abort_timed_out", counted)
    broker.loop.advance(TIMEOUT_MS + ABORT_INTERVAL_MS + 1)
    assert max(counts) == 1
    assert described(client).transaction_state == "CompleteAbort"


def test_ends_that_follow_each_other_at_once_are_each_finished(
    broker: MemoryBroker, client: Client
) -> None:
    """Before version 2 the ends of two transactions may look the same."""
    producer = Transactional(client, 1)
    producer.init()
    coordinator = broker.broker.transactions
    writing = Writing(ID, *producer.producer, frozenset({TopicPartition("orders", 0)}))
    ending = Ending(ID, *producer.producer, is_committed=True, version=0)

    async def hurry() -> int:
        added, ended = [], []
        for _ in range(40):
            added.append(asyncio.ensure_future(coordinator.add_partitions(writing, version=0)))
            ended.append(asyncio.ensure_future(coordinator.end(ending)))
            await asyncio.sleep(0)
        await asyncio.gather(*ended)
        return (await asyncio.gather(*added)).count(ErrorCode.NONE)

    assert broker.loop.finish(hurry()) > 1
    broker.loop.settle()
    assert described(client).transaction_state == "CompleteCommit"


# -- logs that are cut under an open transaction ---------------------------------------------------


def delete_records(client: Client, before: int) -> None:
    request = DeleteRecordsRequest(
        timeout_ms=1000,
        topics=[
            DeleteRecordsTopic(
                name="orders",
                partitions=[DeleteRecordsPartition(partition_index=0, offset=before)],
            )
        ],
    )
    client.ask(request, DeleteRecordsResponse)


def test_the_stable_offset_is_never_below_the_log_start(
    broker: MemoryBroker, client: Client, producer: Transactional
) -> None:
    producer.begin(0)
    for number in range(1, 4):
        assert producer.write(b"%d" % number, number) is ErrorCode.NONE
    delete_records(client, 3)
    partition = broker.partition("orders")
    assert partition.log.log_start_offset == 3
    assert partition.last_stable_offset == 3
    assert producer.end(commit=True) is ErrorCode.NONE
    assert partition.last_stable_offset == partition.high_watermark


def test_a_topic_that_is_deleted_in_a_transaction_does_not_hold_up_the_others(
    broker: MemoryBroker, client: Client, producer: Transactional, connect: Connect
) -> None:
    broker.create_topic("gone")
    producer.begin(0)
    transaction = AddPartitionsToTxnTransaction(
        transactional_id=ID,
        producer_id=producer.producer[0],
        producer_epoch=producer.producer[1],
        topics=[AddPartitionsToTxnTopic(name="gone", partitions=[0])],
    )
    added = AddPartitionsToTxnRequest(transactions=[transaction])
    client.ask(added, AddPartitionsToTxnResponse, version=5)
    broker.delete_topic("gone")
    assert producer.end(commit=True) is ErrorCode.NONE
    broker.loop.settle()
    assert described(client).transaction_state == "CompleteCommit"
    assert seen(client) == [b"open"]
