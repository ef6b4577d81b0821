"""What one client produces, with any codec, another one reads: every part of every record."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from ottla.wire.records.header import iter_headers
from tests.clients.catalogue import NAMES, foreign_to
from tests.clients.contract import CODECS, Client, Record, Stored
from tests.interop.conftest import ClientFinder, TopicMaker
from tests.support.broker_process import BrokerProcess

MEGABYTE = 1_000_000
LARGE_MESSAGES = {"max_message_bytes": 4 * MEGABYTE}
TIMESTAMP_MS = 1_700_000_000_123


def half_random(size: int) -> bytes:
    """Bytes that every codec makes smaller, but not small."""
    noise = random.Random(size).randbytes(size // 2)
    return noise + b"a" * (size - len(noise))


RECORDS = [
    Record(b"v"),
    Record(b"a value", key=b"a key"),
    Record(b"", key=b"empty value"),
    Record(None, key=b"null value"),
    Record(b"empty key", key=b""),
    Record(b""),
    Record(None),
    Record(b"with headers", key=b"k", headers=(("a", b"1"), ("b", b""), ("a", b"2"))),
    Record(b"with a null header", headers=(("nothing", None),)),
    Record("größer als ASCII".encode(), headers=(("schlüssel", "größe".encode()),)),
    Record(b"of long ago", timestamp_ms=TIMESTAMP_MS),
    Record(bytes(range(256)) * 4, key=bytes(range(256))),
    Record(half_random(100_000), key=b"a hundred kilobytes"),
    Record(half_random(MEGABYTE), key=b"a megabyte"),
    *(Record(b"%d" % number, key=b"one of many") for number in range(200)),
]


def sayable(client: Client, records: Sequence[Record]) -> list[Record]:
    return [record for record in records if client.can_produce(record)]


def assert_stored(stored: Sequence[Stored], records: Sequence[Record]) -> None:
    """The records came back whole, in order and without holes."""
    assert [found.offset for found in stored] == list(range(len(records)))
    for found, record in zip(stored, records, strict=True):
        assert (found.key, found.value, found.headers) == (
            record.key,
            record.value,
            record.headers,
        )
        assert record.timestamp_ms in (None, found.timestamp_ms)


def codecs_on_disk(broker: BrokerProcess, topic: str) -> set[str]:
    """The codecs of the batches that the broker keeps."""
    (log,) = Path(broker.data / f"{topic}-0").glob("*.log")
    return {header.codec.name.lower() for header in iter_headers(log.read_bytes())}


def pass_on(
    broker: BrokerProcess, topic: str, producer: Client, codec: str, readers: Sequence[Client]
) -> None:
    """Produce what the client can say, and read it by the others."""
    if codec not in producer.codecs:
        pytest.skip(f"this {producer.name} has no {codec}")
    records = sayable(producer, RECORDS)
    producer.produce(broker.bootstrap, topic, records, codec=codec)
    # A batch that its codec would not make smaller may go as it is.
    assert codec in codecs_on_disk(broker, topic) <= {codec, "none"}
    for reader in readers:
        stored = reader.consume(broker.bootstrap, topic, len(records))
        assert_stored(stored, records)


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_client_reads_its_own_records(
    name: str,
    codec: str,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client = client_named(name)
    pass_on(shared_broker, new_topic(**LARGE_MESSAGES), client, codec, [client])


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("name", NAMES)
def test_a_client_reads_the_records_of_a_foreign_one(
    name: str,
    codec: str,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    producer, reader = client_named(foreign_to(name)), client_named(name)
    pass_on(shared_broker, new_topic(**LARGE_MESSAGES), producer, codec, [reader])


@pytest.mark.interop
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("reader", NAMES)
@pytest.mark.parametrize("producer", NAMES)
def test_every_client_reads_every_other_one(
    producer: str,
    reader: str,
    codec: str,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    pass_on(
        shared_broker,
        new_topic(**LARGE_MESSAGES),
        client_named(producer),
        codec,
        [client_named(reader)],
    )


@pytest.mark.parametrize("acks", ["0", "1", "all"])
@pytest.mark.parametrize("name", NAMES)
def test_records_arrive_with_any_acknowledgement(
    name: str,
    acks: str,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    shared_broker: BrokerProcess,
) -> None:
    client, topic = client_named(name), new_topic()
    records = [Record(b"%d" % number, key=b"k") for number in range(100)]
    client.produce(shared_broker.bootstrap, topic, records, acks=acks)
    assert_stored(client.consume(shared_broker.bootstrap, topic, len(records)), records)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_over_the_limit_of_its_topic_is_refused_and_harms_nothing(
    name: str, client_named: ClientFinder, new_topic: TopicMaker, shared_broker: BrokerProcess
) -> None:
    client, topic = client_named(name), new_topic(max_message_bytes=10_000)
    small = [Record(b"before", key=b"k"), Record(b"after", key=b"k")]
    client.produce(shared_broker.bootstrap, topic, small[:1])
    with pytest.raises(Exception, match=r"(?i)too.?large"):
        client.produce(shared_broker.bootstrap, topic, [Record(half_random(20_000), key=b"k")])
    client.complaints.clear()  # it may well say so in its log, too
    client.produce(shared_broker.bootstrap, topic, small[1:])
    assert_stored(client.consume(shared_broker.bootstrap, topic, 2), small)
