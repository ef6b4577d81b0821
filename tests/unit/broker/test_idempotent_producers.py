"""Idempotent producers through the whole broker: duplicates, gaps, fences, failing disks."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.settings.broker import PRODUCER_ID_EXPIRATION_MS
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
)
from ottla.wire.records.batch import build_batch
from ottla.wire.records.header import TRANSACTIONAL_BIT, read_header, seal
from ottla.wire.records.record import Record
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import values_of
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect

LOG = "00000000000000000000.log"
PRODUCER = 4


def batch_of(value: bytes, sequence: int, *, epoch: int = 0) -> bytearray:
    """A batch of one record, of the same producer."""
    return build_batch(
        [Record(timestamp=START_MS, key=None, value=value)],
        producer_id=PRODUCER,
        producer_epoch=epoch,
        base_sequence=sequence,
    )


def request(value: bytes, sequence: int, *, epoch: int = 0, acks: int = -1) -> ProduceRequest:
    return produce(("orders", 0, batch_of(value, sequence, epoch=epoch)), acks=acks)


def answer(client: Client, asked: ProduceRequest) -> PartitionProduceResponse:
    (found,) = produced(client.ask(asked, ProduceResponse, version=BY_NAME))
    return found


def answers(client: Client) -> list[tuple[int, int]]:
    """(error, base offset) of all answers that have come."""
    found = []
    for response in client.answers():
        assert isinstance(response, ProduceResponse)
        found += [(part.error_code, part.base_offset) for part in produced(response)]
    return found


def stored(client: Client) -> list[bytes | None]:
    asked = fetch(("orders", partition_at(0, 0)))
    (part,) = fetched(client.ask(asked, FetchResponse, version=BY_NAME))
    return values_of(part.records)


@pytest.mark.parametrize("acks", [1, -1])
@pytest.mark.parametrize("timestamp_type", ["CreateTime", "LogAppendTime"])
def test_a_duplicate_is_answered_as_the_first_and_not_stored(
    broker: MemoryBroker, client: Client, acks: int, timestamp_type: str
) -> None:
    broker.create_topic("orders", message_timestamp_type=timestamp_type)
    for sequence in range(3):
        first = answer(client, request(b"%d" % sequence, sequence, acks=acks))
        assert (first.error_code, first.base_offset) == (ErrorCode.NONE, sequence)
    for sequence in range(3):
        again = answer(client, request(b"%d" % sequence, sequence, acks=acks))
        assert (again.error_code, again.base_offset) == (ErrorCode.NONE, sequence)
        assert again.log_append_time_ms >= START_MS
        assert again.log_start_offset == 0
    assert stored(client) == [b"0", b"1", b"2"]


def test_a_duplicate_in_the_same_read_event_shares_the_first_ones_place(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    client.send(request(b"a", 0), request(b"b", 1), request(b"a", 0), version=BY_NAME)
    assert answers(client) == [(0, 0), (0, 1), (0, 0)]
    assert stored(client) == [b"a", b"b"]


@pytest.mark.parametrize("acks", [1, -1])
def test_a_duplicate_of_what_the_disk_refuses_is_refused_too(
    broker: MemoryBroker, client: Client, acks: int
) -> None:
    broker.create_topic("orders")
    broker.disk.fail("append", LOG, errno.ENOSPC)
    client.send(*[request(b"a", 0, acks=acks)] * 2, version=BY_NAME)
    broker.heal_disk()
    assert answers(client) == [(ErrorCode.KAFKA_STORAGE_ERROR, -1)] * 2
    assert answer(client, request(b"a", 0)).base_offset == 0
    assert stored(client) == [b"a"]


@pytest.mark.parametrize(
    ("sequence", "epoch", "error"),
    [
        (5, 1, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (1, 2, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER),
        (0, 0, ErrorCode.INVALID_PRODUCER_EPOCH),
    ],
)
def test_what_does_not_fit_is_refused_and_harms_nothing(
    broker: MemoryBroker, client: Client, sequence: int, epoch: int, error: ErrorCode
) -> None:
    broker.create_topic("orders")
    answer(client, request(b"a", 0, epoch=1))
    refused = answer(client, request(b"x", sequence, epoch=epoch))
    assert (refused.error_code, refused.base_offset) == (error, -1)
    assert answer(client, request(b"b", 1, epoch=1)).base_offset == 1
    assert stored(client) == [b"a", b"b"]


@pytest.mark.parametrize("producer_id", [PRODUCER, -1])
def test_a_transactional_batch_without_transactional_id_is_refused_as_by_apache_kafka(
    broker: MemoryBroker, client: Client, producer_id: int
) -> None:
    broker.create_topic("orders")
    batch = batch_of(b"a", 0)
    header = read_header(batch)
    header.attributes |= TRANSACTIONAL_BIT
    header.producer_id = producer_id
    seal(batch, header)
    refused = answer(client, produce(("orders", 0, batch)))
    assert refused.error_code == ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    assert stored(client) == []


@pytest.mark.parametrize("clean", [True, False])
def test_duplicates_are_known_after_a_restart(
    broker: MemoryBroker, client: Client, connect: Connect, clean: bool
) -> None:
    broker.create_topic("orders")
    for sequence in range(4):
        answer(client, request(b"%d" % sequence, sequence))
    if clean:
        broker.stop()
    else:
        broker.stop_uncleanly()
    broker.start()
    again = connect(broker)
    for sequence in range(4):
        found = answer(again, request(b"%d" % sequence, sequence))
        assert (found.error_code, found.base_offset) == (ErrorCode.NONE, sequence)
    assert answer(again, request(b"4", 4)).base_offset == 4
    assert stored(again) == [b"0", b"1", b"2", b"3", b"4"]


def test_producers_are_forgotten_when_their_time_is_over(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    answer(client, request(b"a", 0))
    states = broker.partition("orders").log.producers.states
    broker.loop.finish(broker.housekeeping.checkpoint())
    assert len(states) == 1
    broker.loop.advance(PRODUCER_ID_EXPIRATION_MS.default)
    broker.loop.finish(broker.housekeeping.checkpoint())
    assert len(states) == 0
    assert answer(client, request(b"b", 7)).base_offset == 1
