"""Where our partitioners put records, beside librdkafka's own on the same topic."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from confluent_kafka import KafkaError, Message
from confluent_kafka import Producer as LibrdkafkaProducer

from ottla.client.producer import Producer
from tests.interop.conftest import TopicMaker
from tests.support.broker_process import BrokerProcess

pytestmark = pytest.mark.interop

PARTITIONS = 7
SEED = 20
KEYS = [Random(SEED + length).randbytes(length) for length in range(1, 60)]


def places_of_librdkafka(bootstrap: str, topic: str, partitioner: str) -> list[int]:
    """The partition of each key."""
    producer = LibrdkafkaProducer({"bootstrap.servers": bootstrap, "partitioner": partitioner})
    found: dict[bytes | None, int] = {}

    def delivered(error: KafkaError | None, message: Message) -> None:
        assert error is None
        key, partition = message.key(), message.partition()
        assert isinstance(key, bytes)
        assert partition is not None
        found[key] = partition

    for key in KEYS:
        producer.produce(topic, b"v", key, on_delivery=delivered)
    assert producer.flush(30) == 0
    return [found[key] for key in KEYS]


async def our_places(
    bootstrap: str, topic: str, partitioner: str, keys: Sequence[bytes | None]
) -> list[int]:
    async with Producer(bootstrap, partitioner=partitioner) as producer:
        deliveries = [producer.send(topic, b"v", key) for key in keys]
        return [(await delivery).partition for delivery in deliveries]


@pytest.mark.parametrize(
    ("ours", "librdkafkas"),
    [
        ("murmur2", "murmur2_random"),
        ("consistent_random", "consistent_random"),
        ("crc32", "consistent_random"),
    ],
)
def test_keys_go_where_librdkafka_puts_them(
    ours: str, librdkafkas: str, shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic(PARTITIONS)
    expected = places_of_librdkafka(shared_broker.bootstrap, topic, librdkafkas)
    assert len(set(expected)) == PARTITIONS
    assert asyncio.run(our_places(shared_broker.bootstrap, topic, ours, KEYS)) == expected


def test_rows_go_where_single_records_go(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic(PARTITIONS)
    bootstrap = shared_broker.bootstrap
    expected = asyncio.run(our_places(bootstrap, topic, "crc32", KEYS))

    async def send_rows() -> list[int]:
        async with Producer(bootstrap, partitioner="crc32") as producer:
            stored = await (await producer.send_batch(topic, [b"v"] * len(KEYS), keys=KEYS))
            return [stored.place(row)[0] for row in range(len(KEYS))]

    assert asyncio.run(send_rows()) == expected


def test_round_robin_fills_every_partition_alike(
    shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    topic = new_topic(PARTITIONS)
    keys: list[bytes | None] = [None, b"k"] * PARTITIONS
    places = asyncio.run(our_places(shared_broker.bootstrap, topic, "round_robin", keys))
    assert places == [*range(PARTITIONS)] * 2
