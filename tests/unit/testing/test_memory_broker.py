"""A whole broker inside the loop of the test, used by our own clients."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.broker.loggers import alter_loggers
from ottla.client.cluster import Cluster
from ottla.client.consumer import Consumer
from ottla.client.errors import NodeError
from ottla.client.options import ClusterOptions
from ottla.client.producer import DeliveryError, Producer
from ottla.metadata.config_change import ConfigChange, ConfigOperation
from ottla.testing import MemoryBroker, TemporaryBroker
from ottla.wire.messages.metadata import MetadataRequest

T = TypeVar("T")

Broker = MemoryBroker | TemporaryBroker


def run(main: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(main, 20))


async def write(broker: Broker, topic: str, *values: bytes, **settings: Any) -> list[int]:
    settings = {"connector": broker.connector, **settings}
    async with Producer(broker.bootstrap, **settings) as producer:
        return [
            (await producer.send_and_wait(topic, value, partition=0)).offset for value in values
        ]


async def read(broker: Broker, topic: str, count: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    settings: dict[str, Any] = {"connector": broker.connector, "auto_offset_reset": "earliest"}
    async with Consumer(broker.bootstrap, **settings) as consumer:
        consumer.assign([(topic, 0)])
        while len(values) < count:
            values += [record.value for record in await consumer.poll()]
    return values


def test_records_go_in_and_come_out_over_restarts_and_kills() -> None:
    async def main() -> None:
        async with MemoryBroker({"num.partitions": 2}) as broker:
            topic = await broker.create_topic(partitions=1)
            assert await write(broker, topic, b"a") == [0]
            await broker.restart()
            assert await write(broker, topic, b"b") == [1]
            await broker.kill()
            assert not broker.running
            await broker.start()
            assert await write(broker, topic, b"c") == [2]
            assert await read(broker, topic, 3) == [b"a", b"b", b"c"]
            assert await write(broker, "made by asking".replace(" ", "-"), b"x") == [0]
            await broker.delete_topic(topic)
            with pytest.raises(ProtocolError, match="UNKNOWN_TOPIC_OR_PARTITION"):
                await broker.delete_topic(topic)

    run(main())


def test_faults_are_those_of_the_other_forms() -> None:
    async def main() -> None:
        async with MemoryBroker() as broker:
            topic = await broker.create_topic()
            lost = broker.faults.lose_answer("Produce")
            refused = broker.faults.fail("Produce", "NOT_LEADER_OR_FOLLOWER", nth=2)
            late = broker.faults.delay("Produce", 30, times=1)
            began = time.monotonic()
            assert await write(broker, topic, b"a", b"b", retry_backoff_ms=1) == [0, 1]
            assert time.monotonic() - began > 0.03
            assert (lost.hits, refused.hits, late.hits) == (1, 1, 1)
            broker.faults.fail("Produce", ErrorCode.INVALID_REQUIRED_ACKS, times=None)
            with pytest.raises(DeliveryError, match="INVALID_REQUIRED_ACKS"):
                await write(broker, topic, b"c")
            broker.faults.clear()
            assert await read(broker, topic, 2) == [b"a", b"b"]

    run(main())


def test_nothing_but_the_loop_is_used() -> None:
    before = set(threading.enumerate())

    async def main() -> None:
        async with MemoryBroker() as broker:
            assert await write(broker, await broker.create_topic(), b"a") == [0]
            others = set(threading.enumerate()) - before
            assert {thread.name.rpartition("_")[0] for thread in others} <= {"asyncio"}

    run(main())
    assert set(threading.enumerate()) == before


def test_a_broker_that_is_down_refuses_and_a_second_start_is_told() -> None:
    async def main() -> None:
        broker = MemoryBroker()
        options = ClusterOptions(connector=broker.connector)
        async with Cluster(broker.bootstrap, options) as cluster:
            with pytest.raises(NodeError, match="nobody listens on memory:9092"):
                await cluster.refresh()
            await broker.start()
            with pytest.raises(UserError, match="the broker runs"):
                await broker.start()
            await cluster.any_node()
            await broker.close()
            with pytest.raises(NodeError):
                await (await cluster.any_node()).negotiate()

    run(main())


def test_what_was_not_synced_goes_with_the_power() -> None:
    async def main() -> None:
        async with MemoryBroker() as broker:
            topic = await broker.create_topic(configs={"flush.messages": 1})
            await write(broker, topic, b"synced")
            await broker.kill()
            broker.disk.crash()
            await broker.start()
            assert await read(broker, topic, 1) == [b"synced"]

    run(main())


def test_an_older_broker_offers_what_it_had() -> None:
    async def main() -> None:
        async with MemoryBroker(api_versions={"Metadata": (0, 4)}) as broker:
            options = ClusterOptions(connector=broker.connector)
            async with Cluster(broker.bootstrap, options) as cluster:
                assert (await cluster.any_node()).version_of(MetadataRequest) == 4

    run(main())


def test_on_a_thread_of_its_own_it_serves_any_loop_and_many_at_once() -> None:
    with TemporaryBroker(form="memory") as broker:
        topics = [broker.create_topic() for _ in range(4)]
        found: dict[str, list[bytes | None]] = {}

        def use(topic: str) -> None:
            run(write(broker, topic, *(b"%d" % number for number in range(20))))
            found[topic] = run(read(broker, topic, 20))

        threads = [threading.Thread(target=use, args=[topic]) for topic in topics]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert found == {topic: [b"%d" % number for number in range(20)] for topic in topics}
        broker.kill()
        broker.start()
        assert run(read(broker, topics[0], 1))[0] == b"0"
        broker.delete_topic(topics[0])


def test_a_broker_in_memory_takes_no_folder(tmp_path: Any) -> None:
    with pytest.raises(UserError, match="keeps nothing in a folder"):
        TemporaryBroker(form="memory", folder=tmp_path)


@pytest.mark.parametrize("form", ["thread", "memory"])
def test_it_is_there_in_some_milliseconds(form: Any) -> None:
    with TemporaryBroker(form=form):
        pass  # what is imported is not counted
    took_s = []
    for _ in range(3):
        began = time.perf_counter()
        with TemporaryBroker(form=form):
            took_s.append(time.perf_counter() - began)
    # The least: whatever else the machine does only adds to it.
    assert min(took_s) < 0.5, "0.01 s on an idle machine"


@pytest.mark.parametrize("ends_by", ["stop", "kill"])
def test_levels_of_loggers_end_with_the_broker(ends_by: str) -> None:
    root = logging.getLogger()
    before = root.level

    async def main() -> None:
        async with MemoryBroker() as broker:
            change = ConfigChange("root", ConfigOperation.SET, "ERROR")
            alter_loggers([change], validate_only=False)
            assert root.level == logging.ERROR
            await getattr(broker, ends_by)()
            assert root.level == before

    try:
        run(main())
    finally:
        root.setLevel(before)
