"""Serializers of a producer: applied to records sent one by one, and to nothing else."""

from __future__ import annotations

from collections.abc import MutableSequence

import pytest

from ottla.base.errors import UserError
from ottla.client.producer import Producer
from ottla.client.producer.partitioner import key_number
from ottla.client.serialization import Header, IntSerde, JsonSerde, SerializationError, StringSerde
from ottla.wire.records.record import Record
from tests.support.producer_bench import TOPIC, ProducerBench


class Marked:
    """Text, of which a header tells; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def serialize(
        self, topic: str, value: str | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        self.calls += 1
        headers.append(("of", topic.encode()))
        return None if value is None else value.encode()


def only_record(bench: ProducerBench) -> Record:
    bench.settle(200)
    (record,) = bench.cluster.log(TOPIC).records
    return record


def test_keys_and_values_are_made_bytes_and_the_key_decides_the_partition() -> None:
    with ProducerBench(
        partitions=8, key_serializer=StringSerde(), value_serializer=JsonSerde()
    ) as bench:
        bench.loop.call(lambda: bench.producer.send(TOPIC, {"a": 1}, "k"))
        bench.settle(200)
        (record,) = bench.cluster.log(TOPIC, key_number(b"k") % 8).records
        assert (record.key, record.value) == (b"k", b'{"a":1}')


def test_what_has_no_serializer_stays_as_it_is() -> None:
    with ProducerBench(value_serializer=IntSerde()) as bench:
        bench.loop.call(lambda: bench.producer.send(TOPIC, 1, b"k"))
        assert (only_record(bench).key, only_record(bench).value) == (b"k", b"\0\0\0\1")


def test_none_is_a_tombstone() -> None:
    with ProducerBench(value_serializer=JsonSerde()) as bench:
        bench.loop.call(lambda: bench.producer.send(TOPIC, None, b"k"))
        assert only_record(bench).value is None


def test_a_serializer_may_add_headers_and_changes_none_of_the_callers() -> None:
    with ProducerBench(value_serializer=Marked()) as bench:
        mine: list[Header] = [("h", b"1")]
        bench.loop.call(lambda: bench.producer.send(TOPIC, "v", headers=mine))
        assert only_record(bench).headers == (("h", b"1"), ("of", TOPIC.encode()))
        assert mine == [("h", b"1")]


def test_sending_and_waiting_serializes_too() -> None:
    with ProducerBench(value_serializer=StringSerde()) as bench:
        task = bench.start(bench.producer.send_and_wait(TOPIC, "v"))
        assert only_record(bench).value == b"v"
        assert task.done()


def test_a_record_that_waits_for_room_is_serialized_once() -> None:
    marked = Marked()
    with ProducerBench(value_serializer=marked, buffer_memory=1000, linger_ms=0) as bench:
        bench.cluster.is_reachable = False
        for _ in range(2):
            bench.loop.call(lambda: bench.producer.send(TOPIC, "v" * 600))
        task = bench.start(bench.producer.put(TOPIC, "last"))
        bench.settle(10)
        assert not task.done()
        bench.cluster.is_reachable = True
        bench.settle(3000)
        assert task.done()
        assert marked.calls == 3


def test_rows_are_taken_as_they_are() -> None:
    with ProducerBench(value_serializer=JsonSerde()) as bench:
        task = bench.start(bench.producer.send_batch(TOPIC, [b"\x00"], partition=0))
        assert only_record(bench).value == b"\x00"
        assert task.done()


def test_what_cannot_be_serialized_is_told_with_its_topic_and_not_taken() -> None:
    with ProducerBench(key_serializer=IntSerde()) as bench:
        with pytest.raises(SerializationError, match=f"the key of a record for {TOPIC}: no int"):
            bench.loop.call(lambda: bench.producer.send(TOPIC, b"v", "text"))
        bench.settle(200)
        assert not bench.cluster.log(TOPIC).records


@pytest.mark.parametrize("name", ["key_serializer", "value_serializer"])
def test_a_serializer_without_its_method_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} has a method serialize"):
        Producer("unused:1", **{name: str.encode})
