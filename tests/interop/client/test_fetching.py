"""What our consumer asks brokers, ours and Apache Kafka: offsets, lag, and busy beside idle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer
from ottla.client.producer import Producer
from tests.interop.client.conftest import PeerCluster
from tests.support.free_ports import free_port
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop


def test_questions_about_offsets_are_answered_and_move_nothing(cluster: PeerCluster) -> None:
    topic = cluster.create_topic(partitions=2)
    first, second = TopicPartition(topic, 0), TopicPartition(topic, 1)

    async def run() -> None:
        name = cluster.new_name()
        async with Producer(cluster.bootstrap, transactional_id=name) as producer:
            async with producer.transaction():
                for number in range(5):
                    producer.send(topic, b"v", partition=0, timestamp_ms=1000 * (number + 1))
            await producer.begin_transaction()
            await producer.send_and_wait(topic, b"undecided", partition=0, timestamp_ms=9000)
            for level, end in (("read_uncommitted", 7), ("read_committed", 6)):
                settings = {"auto_offset_reset": "earliest", "isolation_level": level}
                async with Consumer(cluster.bootstrap, **settings) as consumer:
                    assert await consumer.beginning_offsets(first, second) == {first: 0, second: 0}
                    assert await consumer.end_offsets(first, second) == {first: end, second: 0}
                    found = await consumer.offsets_for_times({first: 2500, second: 0})
                    assert found[second] is None
                    place = found[first]
                    assert place is not None
                    assert (place.offset, place.timestamp_ms) == (2, 3000)
                    assert [one.index for one in await consumer.partitions_for(topic)] == [0, 1]
                    consumer.assign([first])
                    assert [one.offset for one in await consumer.poll(2)] == [0, 1]
                    await consumer.end_offsets(first)
                    assert await consumer.position(first) == 2
                    assert consumer.current_lag(first) == end - 2
            await producer.abort_transaction()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_busy_partition_does_not_wait_behind_an_idle_one(cluster: PeerCluster) -> None:
    topic = cluster.create_topic(partitions=2)
    busy, idle = TopicPartition(topic, 0), TopicPartition(topic, 1)
    count, size = 20_000, 1000

    async def read(*partitions: TopicPartition) -> float:
        """Seconds; what is read is processed for a moment now and then."""
        began_s, seen = time.monotonic(), 0
        settings = {"auto_offset_reset": "earliest", "fetch_max_wait_ms": 2000}
        async with Consumer(cluster.bootstrap, **settings) as consumer:
            consumer.assign(partitions)
            while seen < count:
                seen += sum(len(found) for found in (await consumer.poll_batch()).values())
                await asyncio.sleep(0.005)
            return time.monotonic() - began_s

    async def run() -> None:
        async with Producer(cluster.bootstrap) as producer:
            await producer.send_batch(topic, [bytes(size)] * count, partition=0)
            await producer.flush()
        # About twenty fetches: behind the idle one they would take twenty seconds.
        assert await read(busy, idle) < 10 + await read(busy)

    asyncio.run(asyncio.wait_for(run(), 90))


def two_racks(folder: Path) -> tuple[KafkaProcess, KafkaProcess]:
    """Apache Kafka of two nodes, in racks a and b, that name near replicas."""
    selector = "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector"
    folders = [folder / "a", folder / "b"]
    for each in folders:
        each.mkdir()
    first = KafkaProcess(folders[0], folders[0] / "data", settings=f"broker.rack=a\n{selector}")
    written = (folders[0] / "server.properties").read_text()
    (voters,) = [line for line in written.splitlines() if line.startswith("controller.quorum")]
    port = free_port()
    second = KafkaProcess(
        folders[1],
        folders[1] / "data",
        settings="\n".join(
            (
                "process.roles=broker",
                "node.id=2",
                voters,
                f"listeners=PLAINTEXT://127.0.0.1:{port}",
                f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}",
                "broker.rack=b",
                selector,
            )
        ),
    )
    second.port = port
    return first, second


def create_on_both(bootstrap: str) -> None:
    """One partition that node 1 leads and node 2 follows."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wait_until(lambda: len(admin.list_topics(timeout=10).brokers) == 2, "two nodes", seconds=60)
    made = admin.create_topics([NewTopic("near", 1, replica_assignment=[[1, 2]])])
    made["near"].result(30)


@needs_java
def test_apache_kafka_names_the_nearest_replica_and_the_leader_is_read_when_it_is_gone(
    tmp_path: Path,
) -> None:
    first, second = two_racks(tmp_path)
    near = TopicPartition("near", 0)

    async def read(consumer: Consumer, count: int) -> list[int]:
        found: list[int] = []
        while len(found) < count:
            found += [record.offset for record in await consumer.poll(timeout_s=5)]
        return found

    async def run(stop_second: Callable[[], None]) -> None:
        settings = {"auto_offset_reset": "earliest", "client_rack": "b"}
        async with (
            Producer(first.bootstrap) as producer,
            Consumer(first.bootstrap, **settings) as consumer,
        ):
            await producer.send_batch("near", [b"v"] * 100, partition=0)
            await producer.flush()
            consumer.assign([near])
            assert await read(consumer, 100) == list(range(100))
            assert consumer.metrics().partitions[near].fetched_from == 2
            await asyncio.to_thread(stop_second)
            await producer.send_and_wait("near", b"later", partition=0)
            assert await read(consumer, 1) == [100]
            assert consumer.metrics().partitions[near].fetched_from is None

    with first, ExitStack() as stack:
        stack.enter_context(second)
        create_on_both(first.bootstrap)
        asyncio.run(asyncio.wait_for(run(stack.close), 120))
