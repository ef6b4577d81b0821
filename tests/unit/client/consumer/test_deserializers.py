"""Deserializers of a consumer: applied to records handed out one by one, and to nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer, RecordDeserializationError
from ottla.client.serialization import Header, StringSerde
from tests.support.consumer_cluster import ConsumerCluster

T0 = TopicPartition("t", 0)
T1 = TopicPartition("t", 1)


class Picky:
    """Text; refuses what ends with one of the words, as often as it is asked."""

    def __init__(self, *refused: bytes) -> None:
        self.refused = refused
        self.seen: list[bytes | None] = []

    def deserialize(self, topic: str, data: bytes | None, headers: Sequence[Header]) -> str | None:
        self.seen.append(data)
        if data is not None and data.endswith(self.refused):
            raise ValueError("not to my taste")
        return None if data is None else data.decode()


def reader_of(cluster: ConsumerCluster, *partitions: TopicPartition, **settings: Any) -> Consumer:
    consumer = cluster.consumer(**settings)
    consumer.assign(partitions)
    return consumer


def fill(cluster: ConsumerCluster, *, partitions: int = 1, records: int = 6) -> list[list[bytes]]:
    logs = cluster.make("t", partitions)
    for log in logs:
        log.append(records)
    return [[value for _, value in log.values()] for log in logs]


def drain(cluster: ConsumerCluster, consumer: Consumer, count: int) -> list[Any]:
    async def take() -> list[Any]:
        taken: list[Any] = []
        while len(taken) < count:
            taken += [record.value for record in await consumer.poll(count - len(taken), 60)]
        return taken

    return cluster.run(take())


def test_polls_and_single_records_are_deserialized(cluster: ConsumerCluster) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=StringSerde())
    expected = [value.decode() for value in values]
    assert drain(cluster, consumer, 2) == expected[:2]
    singles = [cluster.run(anext(consumer)) for _ in range(4)]
    assert [record.value for record in singles] == expected[2:]
    assert [record.offset for record in singles] == [2, 3, 4, 5]
    assert cluster.run(consumer.position(T0)) == 6


def test_columns_stay_bytes(cluster: ConsumerCluster) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(b""))
    columns = cluster.run(consumer.poll_batch(60))[T0]
    assert list(columns.values) == values


def test_keys_have_a_deserializer_of_their_own(cluster: ConsumerCluster) -> None:
    fill(cluster)
    picky = Picky()
    consumer = reader_of(cluster, T0, key_deserializer=picky)
    (record,) = cluster.run(consumer.poll(1, 60))
    assert isinstance(record.value, bytes)
    assert len(picky.seen) == 1


def test_what_comes_before_a_record_that_cannot_be_read_is_handed_out(
    cluster: ConsumerCluster,
) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(values[3]))
    assert drain(cluster, consumer, 3) == [value.decode() for value in values[:3]]
    for _ in range(2):
        with pytest.raises(RecordDeserializationError) as caught:
            cluster.run(consumer.poll(10, 60))
        error = caught.value
        assert (error.partition, error.offset, error.part) == (T0, 3, "value")
        assert error.record.value == values[3]
        assert isinstance(error.__cause__, ValueError)
        assert "t-0: the value at offset 3: not to my taste" in str(error)
        assert cluster.run(consumer.position(T0)) == 3
    consumer.seek(T0, 4)
    assert drain(cluster, consumer, 2) == [value.decode() for value in values[4:]]


def test_a_record_that_cannot_be_read_is_met_at_once_where_nothing_else_happens(
    cluster: ConsumerCluster,
) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(values[2]))
    assert drain(cluster, consumer, 2) == [value.decode() for value in values[:2]]
    with pytest.raises(RecordDeserializationError):
        cluster.run(consumer.poll(10, 0))


def test_iterating_meets_it_at_its_place_and_goes_on_behind_it(cluster: ConsumerCluster) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(values[1]))
    read: list[str] = []

    async def iterate() -> None:
        async for record in consumer:
            read.append(record.value)
            if record.offset == 5:
                return

    with pytest.raises(RecordDeserializationError):
        cluster.run(iterate())
    assert cluster.run(consumer.position(T0)) == 1
    consumer.seek(T0, 2)
    cluster.run(iterate())
    assert read == [value.decode() for value in (values[0], *values[2:])]


def test_the_first_record_that_cannot_be_read_is_met_by_who_waits(
    cluster: ConsumerCluster,
) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(values[0]))
    with pytest.raises(RecordDeserializationError):
        cluster.run(anext(consumer))
    assert cluster.run(consumer.position(T0)) == 0


def test_other_partitions_are_read_once_the_stuck_one_is_paused(cluster: ConsumerCluster) -> None:
    fill(cluster, partitions=2)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(b""))
    with pytest.raises(RecordDeserializationError):
        cluster.run(consumer.poll(10, 60))
    consumer.assign([T0, T1])
    consumer.pause(T0, T1)
    assert cluster.run(consumer.poll(10, 1)) == []
    consumer.resume(T1)
    with pytest.raises(RecordDeserializationError) as caught:
        cluster.run(consumer.poll(10, 60))
    assert caught.value.partition == T1


def test_loans_stay_bytes_for_the_thread_that_decodes_them(cluster: ConsumerCluster) -> None:
    ((*values,),) = fill(cluster)
    consumer = reader_of(cluster, T0, value_deserializer=Picky(b""))
    loan = cluster.run(consumer.reader.lend(10, 60))
    assert [record.value for record in loan.records] == values


@pytest.mark.parametrize("name", ["key_deserializer", "value_deserializer"])
def test_a_deserializer_without_its_method_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} has a method deserialize"):
        Consumer("unused:1", **{name: bytes.decode})
