"""Where records go: one key to one partition, in order; records without a key to all of them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from tests.clients.catalogue import NAMES, foreign_to, make_client, why_missing
from tests.clients.contract import Client, Record, Stored
from tests.interop.conftest import ClientFinder, TopicMaker
from tests.support.broker_process import BrokerProcess

PARTITIONS = 8


def by_partition(stored: Iterable[Stored]) -> dict[int, list[Stored]]:
    """The records of each partition in the order in which they came, which is that of offsets."""
    found: defaultdict[int, list[Stored]] = defaultdict(list)
    for record in stored:
        assert record.offset == len(found[record.partition])
        found[record.partition].append(record)
    return dict(found)


@pytest.mark.parametrize("name", NAMES)
def test_a_key_stays_in_one_partition_and_in_order(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    producer, reader, topic = client_named(name), client_named(foreign_to(name)), new_topic(8)
    records = [Record(b"%d" % n, key=b"key %d" % (n * 7 % 50)) for n in range(500)]
    producer.produce(shared_broker.bootstrap, topic, records[:300])
    producer.produce(shared_broker.bootstrap, topic, records[300:])
    stored = reader.consume(shared_broker.bootstrap, topic, 500, partitions=PARTITIONS)
    places = by_partition(stored)
    assert len(places) > 1
    values_of_key: defaultdict[bytes | None, list[tuple[int, bytes | None]]] = defaultdict(list)
    for partition in places.values():
        for record in partition:
            values_of_key[record.key].append((record.partition, record.value))
    for key, placed in values_of_key.items():
        assert len({partition for partition, _ in placed}) == 1
        produced = [record.value for record in records if record.key == key]
        assert [value for _, value in placed] == produced


@pytest.mark.parametrize("name", NAMES)
def test_records_without_a_key_spread_over_the_partitions(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    client, topic = client_named(name), new_topic(PARTITIONS)
    # Producers stay with one partition for a while, so that batches grow: each turn is a new one.
    for turn in range(12):
        records = [Record(b"%d" % n) for n in range(turn * 10, turn * 10 + 10)]
        client.produce(shared_broker.bootstrap, topic, records)
    stored = client.consume(shared_broker.bootstrap, topic, 120, partitions=PARTITIONS)
    assert {record.value for record in stored} == {b"%d" % n for n in range(120)}
    assert len(by_partition(stored)) > 1


@pytest.mark.parametrize("name", NAMES)
def test_a_record_goes_to_the_partition_that_is_named(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    client, topic = client_named(name), new_topic(PARTITIONS)
    records = [Record(b"%d" % n, key=b"k", partition=n // 5) for n in range(PARTITIONS * 5)]
    client.produce(shared_broker.bootstrap, topic, records)
    stored = client.consume(shared_broker.bootstrap, topic, len(records), partitions=PARTITIONS)
    assert {
        index: [record.value for record in partition]
        for index, partition in by_partition(stored).items()
    } == {
        index: [b"%d" % n for n in range(index * 5, index * 5 + 5)] for index in range(PARTITIONS)
    }


@pytest.mark.interop
@pytest.mark.parametrize("reader", NAMES)
@pytest.mark.parametrize("producer", NAMES)
def test_many_records_of_many_sizes_come_back_from_eight_partitions(
    producer: str,
    reader: str,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    topic, rng = new_topic(PARTITIONS), random.Random(8)
    records = [
        Record(rng.randbytes(rng.choice((1, 10, 100, 1000, 20_000))), key=b"%d" % (n % 100))
        for n in range(2000)
    ]
    client_named(producer).produce(shared_broker.bootstrap, topic, records)
    stored = client_named(reader).consume(
        shared_broker.bootstrap, topic, len(records), partitions=PARTITIONS
    )
    by_partition(stored)
    assert sorted((found.key, found.value) for found in stored) == sorted(
        (record.key, record.value) for record in records
    )


def test_all_clients_may_write_and_read_one_topic_at_the_same_time(
    client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    clients = [client_named(name) for name in NAMES if why_missing(name) is None]
    topic = new_topic(PARTITIONS)

    def write(client: Client) -> None:
        for turn in range(5):
            numbers = range(turn * 100, turn * 100 + 100)
            records = [Record(b"%d" % n, key=client.name.encode()) for n in numbers]
            client.produce(shared_broker.bootstrap, topic, records)

    def read(client: Client) -> list[Stored]:
        count = 500 * len(clients)
        return client.consume(shared_broker.bootstrap, topic, count, partitions=PARTITIONS)

    with ExitStack() as stack, ThreadPoolExecutor(2 * len(clients)) as threads:
        others = [stack.enter_context(closing(make_client(client.name))) for client in clients]
        writers = [threads.submit(write, client) for client in clients]
        readers = [threads.submit(read, client) for client in others]
        for writer in writers:
            writer.result()
        for reader in readers:
            stored = reader.result()
            by_partition(stored)
            for client in clients:
                key = client.name.encode()
                values = [record.value for record in stored if record.key == key]
                assert values == [b"%d" % n for n in range(500)]
