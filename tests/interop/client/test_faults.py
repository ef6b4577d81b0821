"""Our producer and our consumer with a broker process that is killed, behind a proxy that fails."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.client.consumer import Consumer
from ottla.client.producer import Delivery, Producer
from ottla.testing import TemporaryBroker

pytestmark = pytest.mark.interop

PARTITIONS = 3
ROUNDS = 4
ERRORS = {
    "Produce": ["NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT"],
    "Fetch": ["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION"],
    "Metadata": ["LEADER_NOT_AVAILABLE"],
    "EndTxn": ["COORDINATOR_LOAD_IN_PROGRESS"],
}
QUICK: dict[str, Any] = {
    "retry_backoff_max_ms": 200,
    "reconnect_backoff_max_ms": 200,
    "request_timeout_ms": 3_000,
    "metadata_max_age_ms": 1_000,
}


@pytest.fixture(params=[None, "2.1"], ids=["today", "as-2.1"])
def peer(request: pytest.FixtureRequest) -> Iterator[TemporaryBroker]:
    """A process of its own, of today or with the versions of Kafka 2.1."""
    with TemporaryBroker(form="process", api_versions=request.param) as broker:
        yield broker


class Reading:
    """What a reader has seen, by partition."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[int, bytes | None]]] = [[] for _ in range(PARTITIONS)]
        self.news = asyncio.Event()

    @property
    def count(self) -> int:
        return sum(map(len, self.seen))

    async def read(self, broker: TemporaryBroker, topic: str, isolation: str) -> None:
        """Until it is cancelled, which each of its reads is now and then."""
        settings = {"auto_offset_reset": "earliest", "isolation_level": isolation, **QUICK}
        async with Consumer(broker.bootstrap, **settings) as consumer:
            consumer.assign([(topic, index) for index in range(PARTITIONS)])
            while True:
                reading = asyncio.ensure_future(self._read_once(consumer))
                try:
                    await asyncio.wait([reading], timeout=random.random() / 5)
                finally:
                    reading.cancel()
                await asyncio.wait([reading])
                if not reading.cancelled():
                    reading.result()

    async def _read_once(self, consumer: Consumer) -> None:
        for record in await consumer.poll():
            self.seen[record.partition].append((record.offset, record.value))
        self.news.set()


async def trouble(broker: TemporaryBroker) -> None:
    """Kills, restarts, lost answers, errors and delays; at the end all is well."""
    for round_ in range(ROUNDS):
        for _ in range(4):
            api = random.choice(list(ERRORS))
            match random.randrange(5):
                case 0:
                    broker.faults.drop_connections()
                case 1:
                    broker.faults.lose_answer(random.choice(["Produce", "Fetch", "EndTxn"]))
                case 2:
                    broker.faults.delay(api, random.choice([50, 400]), times=2)
                case _:
                    broker.faults.fail(api, random.choice(ERRORS[api]), times=2)
            await asyncio.sleep(random.random() / 5)
        if round_ % 2:
            await asyncio.to_thread(broker.stop)
        else:
            await asyncio.to_thread(broker.kill)
        await asyncio.sleep(random.random() / 5)
        await asyncio.to_thread(broker.start)
    broker.faults.clear()
    await asyncio.sleep(0.3)


async def until(reading: Reading, count: int, task: asyncio.Task[None]) -> None:
    """Wait for so many records, and a moment for what would be too many."""
    async with asyncio.timeout(60):
        while reading.count < count:
            reading.news.clear()
            await reading.news.wait()
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


def test_each_record_is_stored_and_read_once_and_in_order(peer: TemporaryBroker) -> None:
    sent: list[list[tuple[bytes, Delivery]]] = [[] for _ in range(PARTITIONS)]
    topic = peer.create_topic(partitions=PARTITIONS)
    reading = Reading()

    async def write(producer: Producer) -> None:
        number = 0
        while True:
            for _ in range(10):
                partition, value = number % PARTITIONS, b"%d" % number
                delivery = await producer.put(topic, value, partition=partition)
                sent[partition].append((value, delivery))
                number += 1
            await asyncio.sleep(0.005)

    async def main() -> None:
        task = asyncio.ensure_future(reading.read(peer, topic, "read_uncommitted"))
        async with Producer(peer.bootstrap, linger_ms=1, batch_bytes=500, **QUICK) as producer:
            writing = asyncio.ensure_future(write(producer))
            await trouble(peer)
            writing.cancel()
            await asyncio.wait([writing])
        await until(reading, sum(map(len, sent)), task)

    asyncio.run(asyncio.wait_for(main(), 100))
    assert sum(map(len, sent)) > 500
    for partition, deliveries in enumerate(sent):
        stored = [(offset, value) for offset, (value, _) in enumerate(deliveries)]
        assert reading.seen[partition] == stored
        for offset, (_, delivery) in enumerate(deliveries):
            assert delivery.result().offset in (offset, -1)


def test_transactions_are_read_whole_or_not_at_all(peer: TemporaryBroker) -> None:
    topic = peer.create_topic(partitions=PARTITIONS)
    committed: list[int] = []
    reading = Reading()

    async def write(producer: Producer, stop: asyncio.Event) -> None:
        number = 0
        while not stop.is_set():
            await producer.begin_transaction()
            for partition in range(PARTITIONS):
                await producer.put(topic, b"%d" % number, partition=partition)
            if number % 4 == 3:
                await producer.abort_transaction()
            else:
                await producer.commit_transaction()
                committed.append(number)
            number += 1

    async def main() -> None:
        stop = asyncio.Event()
        task = asyncio.ensure_future(reading.read(peer, topic, "read_committed"))
        async with Producer(peer.bootstrap, transactional_id=topic, **QUICK) as producer:
            writing = asyncio.ensure_future(write(producer, stop))
            await trouble(peer)
            stop.set()
            await asyncio.wait_for(writing, 60)
        await until(reading, PARTITIONS * len(committed), task)

    asyncio.run(asyncio.wait_for(main(), 100))
    assert len(committed) > 5
    for seen in reading.seen:
        assert [value for _, value in seen] == [b"%d" % number for number in committed]


def test_a_group_hands_out_everything_and_goes_on_where_it_was(peer: TemporaryBroker) -> None:
    """Members come and go while the broker does: what is handed out twice is fine, lost is not."""
    topic = peer.create_topic(partitions=PARTITIONS)
    seen: list[set[bytes | None]] = [set() for _ in range(PARTITIONS)]
    sent: list[set[bytes | None]] = [set() for _ in range(PARTITIONS)]
    settings = {
        "group_id": topic,
        "auto_offset_reset": "earliest",
        "session_timeout_ms": 6_000,
        "heartbeat_interval_ms": 300,
        "auto_commit_interval_ms": 200,
        **QUICK,
    }
    news = asyncio.Event()

    async def read(records_max: int | None) -> None:
        async with Consumer(peer.bootstrap, **settings) as consumer:
            consumer.subscribe([topic])
            count = 0
            while records_max is None or count < records_max:
                for record in await consumer.poll():
                    seen[record.partition].add(record.value)
                    count += 1
                    news.set()

    async def write(producer: Producer) -> None:
        number = 0
        while True:
            partition, value = number % PARTITIONS, b"%d" % number
            await producer.put(topic, value, partition=partition)
            sent[partition].add(value)
            number += 1
            await asyncio.sleep(0.001)

    async def main() -> None:
        staying = asyncio.ensure_future(read(None))
        leaving = asyncio.ensure_future(read(100))
        async with Producer(peer.bootstrap, linger_ms=1, **QUICK) as producer:
            writing = asyncio.ensure_future(write(producer))
            await trouble(peer)
            writing.cancel()
            await asyncio.wait([writing])
        async with asyncio.timeout(60):
            while seen != sent and not staying.done():
                news.clear()
                await news.wait()
        for task in (staying, leaving):
            task.cancel()
        await asyncio.wait([staying, leaving])
        for task in (staying, leaving):
            assert task.cancelled() or task.exception() is None, task.exception()

    asyncio.run(asyncio.wait_for(main(), 110))
    assert seen == sent
