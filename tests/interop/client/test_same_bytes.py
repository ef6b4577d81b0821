"""Where the format leaves no choice, our producer's batches are those of librdkafka and of Java's.

Uncompressed, and read back by a raw Fetch as they are stored. Who wrote a batch (the producer id,
its epoch and sequence, and with them the CRC) differs, and nothing else may.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from ottla.base.limits import MIB
from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.consumer import Consumer
from ottla.client.producer import Producer
from ottla.wire.messages.fetch import FetchPartition, FetchRequest, FetchResponse, FetchTopic
from ottla.wire.records.batch import iter_batches
from tests.clients.contract import Client, Record
from tests.interop.client.conftest import PeerCluster
from tests.interop.conftest import ClientFinder

pytestmark = pytest.mark.interop

AT_MS = 1_795_000_000_000
FOREIGN = ("confluent-kafka", "java")
TRIES = 5
NAMES_TOPICS_UNTIL = 12

ALONE = [
    Record(b"a value", key=b"a key", timestamp_ms=AT_MS),
    Record(None, key=b"no value", timestamp_ms=AT_MS + 1),
    Record(b"no key", timestamp_ms=AT_MS + 2),
    Record(b"", key=b"", timestamp_ms=AT_MS + 3),
    Record(b"v", key=b"k", headers=(("a", b"1"), ("b", b""), ("a", None)), timestamp_ms=AT_MS + 4),
    Record(bytes(range(256)) * 50, timestamp_ms=AT_MS + 5),
]
TOGETHER = [
    # Timestamps go back, too: deltas may be negative.
    Record(b"%d" % row * (row % 90), key=b"%d" % row, timestamp_ms=AT_MS + (row * 37) % 101)
    for row in range(100)
]


def write(bootstrap: str, topic: str, records: Sequence[Record], *, idempotent: bool) -> None:
    async def main() -> None:
        settings = {"linger_ms": 50, "enable_idempotence": idempotent}
        async with Producer(bootstrap, **settings) as producer:
            for record in records:
                await producer.put(
                    topic,
                    record.value,
                    record.key,
                    partition=0,
                    timestamp_ms=record.timestamp_ms,
                    headers=record.headers,
                )

    asyncio.run(main())


def stored_batches(bootstrap: str, topic: str) -> list[bytes]:
    """Every batch of partition 0, byte by byte."""

    async def main() -> list[bytes]:
        async with Cluster(bootstrap) as cluster:
            leader = await cluster.leader_of(topic, 0)
            connection = await cluster.connection(leader.node, Purpose.FETCH)
            partition = FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=MIB)
            request = FetchRequest(
                max_wait_ms=0,
                min_bytes=0,
                max_bytes=MIB,
                topics=[FetchTopic(topic=topic, partitions=[partition])],
            )
            response = await connection.call(request, FetchResponse, at_most=NAMES_TOPICS_UNTIL)
            (data,) = response.responses[0].partitions
            return [bytes(batch) for _, batch in iter_batches(data.records or b"")]

    return asyncio.run(main())


def without_writer(batch: bytes) -> bytes:
    """All but the CRC, and the producer id, epoch and sequence."""
    return batch[:17] + batch[21:43] + batch[57:]


def batches_of(
    cluster: PeerCluster, records: Sequence[Record], produce: Callable[[str], None]
) -> list[bytes]:
    """All records in one batch: where a writer was slow and made two, it is asked again."""
    for _ in range(TRIES):
        topic = cluster.create_topic()
        produce(topic)
        batches = stored_batches(cluster.bootstrap, topic)
        if len(batches) == 1:
            return batches
    raise AssertionError(f"{len(records)} records never came in one batch")


def by(client: Client, cluster: PeerCluster, records: Sequence[Record]) -> Callable[[str], None]:
    addressed = [record._replace(partition=0) for record in records]
    return lambda topic: client.produce(cluster.bootstrap, topic, addressed)


def ours_of(
    cluster: PeerCluster, records: Sequence[Record], *, idempotent: bool
) -> Callable[[str], None]:
    return lambda topic: write(cluster.bootstrap, topic, records, idempotent=idempotent)


@pytest.mark.parametrize("name", FOREIGN)
def test_batches_are_the_same_bytes(
    name: str, cluster: PeerCluster, client_named: ClientFinder
) -> None:
    client = client_named(name)
    for records in (*([record] for record in ALONE), TOGETHER):
        theirs = batches_of(cluster, records, by(client, cluster, records))
        ours = batches_of(cluster, records, ours_of(cluster, records, idempotent=True))
        assert list(map(without_writer, ours)) == list(map(without_writer, theirs)), records


def test_without_idempotence_even_the_crc_is_that_of_librdkafka(
    cluster: PeerCluster, client_named: ClientFinder
) -> None:
    client = client_named("confluent-kafka")
    theirs = batches_of(cluster, TOGETHER, by(client, cluster, TOGETHER))
    ours = batches_of(cluster, TOGETHER, ours_of(cluster, TOGETHER, idempotent=False))
    assert ours == theirs


@pytest.mark.parametrize("name", FOREIGN)
def test_a_log_of_both_is_read_by_both(
    name: str, cluster: PeerCluster, client_named: ClientFinder
) -> None:
    client = client_named(name)
    topic = cluster.create_topic()
    for half in (ALONE, TOGETHER):
        write(cluster.bootstrap, topic, half, idempotent=True)
        by(client, cluster, half)(topic)
    expected = [
        (record.key, record.value, record.timestamp_ms)
        for record in (*ALONE, *ALONE, *TOGETHER, *TOGETHER)
    ]
    theirs = client.consume(cluster.bootstrap, topic, len(expected))
    assert [(found.key, found.value, found.timestamp_ms) for found in theirs] == expected

    async def read() -> list[tuple[bytes | None, bytes | None, int]]:
        found: list[tuple[bytes | None, bytes | None, int]] = []
        async with Consumer(cluster.bootstrap, auto_offset_reset="earliest") as consumer:
            consumer.assign([(topic, 0)])
            while len(found) < len(expected):
                records = await consumer.poll(timeout_s=10)
                assert records, "no more came"
                found += [(record.key, record.value, record.timestamp_ms) for record in records]
        return found

    assert asyncio.run(read()) == expected
