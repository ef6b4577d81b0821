"""Where reading begins, and what the timestamps are by which it may begin."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from tests.clients.catalogue import NAMES, foreign_to
from tests.clients.contract import (
    BEGINNING,
    END,
    Record,
    Stored,
    at_offset,
    at_time,
)
from tests.interop.conftest import ClientFinder, TopicMaker
from tests.support.broker_process import BrokerProcess

FIRST_MS = 1_700_000_000_000
STEP_MS = 1000
COUNT = 30

each_client = pytest.mark.parametrize("name", NAMES)
one_and_eight_partitions = pytest.mark.parametrize("partitions", [1, 8])


def numbered(count: int, partitions: int) -> list[Record]:
    """`count` records for each partition, the same in all: number n is STEP_MS after n - 1."""
    return [
        Record(b"%d" % n, partition=partition, timestamp_ms=FIRST_MS + n * STEP_MS)
        for partition in range(partitions)
        for n in range(count)
    ]


def later(partitions: int) -> list[Record]:
    """A record for each partition that every client can say."""
    return [Record(b"later", partition=partition) for partition in range(partitions)]


def values(stored: Iterable[Stored], partitions: int) -> list[list[bytes | None]]:
    """By partition, in the order of arrival."""
    found = list(stored)
    return [
        [record.value for record in found if record.partition == partition]
        for partition in range(partitions)
    ]


def expected(first: int, partitions: int, *, tail: int = COUNT) -> list[list[bytes]]:
    return [[b"%d" % n for n in range(first, tail)]] * partitions


@each_client
@one_and_eight_partitions
def test_reading_from_the_beginning(
    name: str,
    partitions: int,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client, topic = client_named(name), new_topic(partitions)
    client_named("confluent-kafka").produce(
        shared_broker.bootstrap, topic, numbered(COUNT, partitions)
    )
    with client.reader(
        shared_broker.bootstrap, topic, partitions=partitions, start=BEGINNING
    ) as reader:
        assert values(reader.take(COUNT * partitions), partitions) == expected(0, partitions)


@each_client
@one_and_eight_partitions
def test_reading_from_the_end_gives_only_what_comes_later(
    name: str,
    partitions: int,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client, topic = client_named(name), new_topic(partitions)
    producer = client_named("confluent-kafka")
    producer.produce(shared_broker.bootstrap, topic, numbered(COUNT, partitions))
    with client.reader(shared_broker.bootstrap, topic, partitions=partitions, start=END) as reader:
        producer.produce(shared_broker.bootstrap, topic, later(partitions))
        stored = reader.take(partitions)
    assert values(stored, partitions) == [[b"later"]] * partitions
    assert {record.offset for record in stored} == {COUNT}


@each_client
@one_and_eight_partitions
def test_reading_from_an_offset(
    name: str,
    partitions: int,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client, topic = client_named(name), new_topic(partitions)
    client_named("confluent-kafka").produce(
        shared_broker.bootstrap, topic, numbered(COUNT, partitions)
    )
    with client.reader(
        shared_broker.bootstrap, topic, partitions=partitions, start=at_offset(17)
    ) as reader:
        stored = reader.take((COUNT - 17) * partitions)
    assert values(stored, partitions) == expected(17, partitions)


@each_client
@one_and_eight_partitions
@pytest.mark.parametrize(
    ("timestamp_ms", "first"),
    [
        (FIRST_MS - 1, 0),
        (FIRST_MS + 12 * STEP_MS, 12),
        (FIRST_MS + 12 * STEP_MS + 1, 13),
        (FIRST_MS + (COUNT - 1) * STEP_MS, COUNT - 1),
    ],
    ids=["before the first", "just at one", "between two", "at the last"],
)
def test_reading_from_a_timestamp(
    name: str,
    partitions: int,
    timestamp_ms: int,
    first: int,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client, topic = client_named(name), new_topic(partitions)
    client_named("confluent-kafka").produce(
        shared_broker.bootstrap, topic, numbered(COUNT, partitions)
    )
    stored = client.consume(
        shared_broker.bootstrap,
        topic,
        (COUNT - first) * partitions,
        partitions=partitions,
        start=at_time(timestamp_ms),
    )
    assert values(stored, partitions) == expected(first, partitions)


@each_client
def test_reading_from_a_timestamp_after_the_last_gives_only_what_comes_later(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    client, topic = client_named(name), new_topic()
    producer = client_named("confluent-kafka")
    producer.produce(shared_broker.bootstrap, topic, numbered(COUNT, 1))
    after_all = at_time(FIRST_MS + COUNT * STEP_MS)
    with client.reader(shared_broker.bootstrap, topic, start=after_all) as reader:
        producer.produce(shared_broker.bootstrap, topic, later(1))
        assert values(reader.take(1), 1) == [[b"later"]]


@each_client
def test_a_reader_follows_the_end_as_it_moves(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    client, topic = client_named(name), new_topic()
    producer = client_named("confluent-kafka")
    with client.reader(shared_broker.bootstrap, topic) as reader:
        for turn in range(20):
            producer.produce(shared_broker.bootstrap, topic, [Record(b"%d" % turn)])
            assert [(found.offset, found.value) for found in reader.take(1)] == [
                (turn, b"%d" % turn)
            ]


@each_client
def test_the_broker_may_say_what_time_it_is(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    """A topic of LogAppendTime: what a producer says of the time does not count."""
    client, reader = client_named(name), client_named(foreign_to(name))
    topic = new_topic(message_timestamp_type="LogAppendTime")
    told = FIRST_MS if client.sets_timestamps else None
    before_ms = int(time.time() * 1000)
    for n in range(3):
        client.produce(shared_broker.bootstrap, topic, [Record(b"%d" % n, timestamp_ms=told)])
    after_ms = int(time.time() * 1000)
    stored = reader.consume(shared_broker.bootstrap, topic, 3)
    times = [record.timestamp_ms for record in stored]
    assert before_ms <= times[0] <= times[1] <= times[2] <= after_ms
    found = reader.consume(shared_broker.bootstrap, topic, 1, start=at_time(times[2]))
    assert found[0].timestamp_ms == times[2]
