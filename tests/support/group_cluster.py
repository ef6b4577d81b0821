"""Consumers of groups against a whole broker in memory, in a time that only the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.consumer import Consumer, ConsumerRecord
from ottla.client.options import ClusterOptions
from ottla.client.producer import Producer
from ottla.client.producer.line import ClusterLine
from tests.support.cluster import SeededRng
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_network import MemoryNetwork, whole_broker

T = TypeVar("T")

HERE = Address("localhost", 9092)


class GroupCluster:
    """`consumer` makes started ones; `run` moves time on whenever nothing else is left to do."""

    def __init__(self, folder: Path, **settings: str) -> None:
        settings = {
            "group_initial_rebalance_delay_ms": "0",
            "offsets_topic_num_partitions": "1",
            "offsets_topic_replication_factor": "1",
            **settings,
        }
        self.broker = MemoryBroker(folder, **settings).start()
        self.loop = self.broker.loop
        self.network = MemoryNetwork(self.loop)
        self.network.delay_ms = lambda: 1
        self.network.listen(HERE, whole_broker(self.broker))
        self._clients: list[Cluster] = []
        self._consumers: list[Consumer] = []

    def client(self, **options: Any) -> Cluster:
        made = self.loop.call(
            lambda: Cluster(
                str(HERE),
                ClusterOptions(**options),
                connector=self.network.connect,
                rng=SeededRng(len(self._clients)),
            )
        )
        self._clients.append(made)
        return made

    def consumer(self, *, metadata_max_age_ms: int = 300_000, **settings: Any) -> Consumer:
        """One of group `g`, with a line of its own."""
        settings = {"auto_offset_reset": "earliest", "group_id": "g", **settings}
        consumer = Consumer(str(HERE), **settings)
        client = self.client(metadata_max_age_ms=metadata_max_age_ms)
        self.loop.finish(consumer.start_on(client))
        self._consumers.append(consumer)
        return consumer

    def write(
        self, topic: str, values: list[bytes], partition: int = 0, key: bytes | None = None
    ) -> None:
        line = ClusterLine(self.client(), None)

        async def write() -> None:
            producer = Producer(str(HERE))
            await producer.start_on(line, clock=self.broker.clock, rng=SeededRng())
            for value in values:
                producer.send(topic, value, key, partition)
            await producer.close()

        self.run(write())

    def run(self, work: Coroutine[Any, Any, T], *, ms_max: int = 600_000) -> T:
        """Run to the end, moving time on to the next timer whenever nothing else is left to do."""
        task = self.loop.create_task(work)
        self.finish(task, ms_max=ms_max)
        return task.result()

    def finish(self, *tasks: asyncio.Task[Any], ms_max: int = 600_000) -> None:
        """Let tasks come to their end, whatever that is."""
        end_ms = self.loop.clock.elapsed_ms + ms_max
        self.loop.settle()
        while not all(task.done() for task in tasks):
            assert self.loop.clock.elapsed_ms < end_ms, "it still waits"
            self.next_timer()

    def next_timer(self) -> None:
        """Move time to the next timer."""
        timers = [timer.when() for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]  # no public way
        assert timers, "nothing will ever happen"
        self.loop.advance(max(1, round(min(timers) * 1000) - self.loop.clock.elapsed_ms))

    def kill_broker(self) -> None:
        """As when the broker's process is killed, and started again."""
        self.network.stop(HERE)
        self.broker.stop_uncleanly()
        self.broker.start()
        self.network.listen(HERE, whole_broker(self.broker))

    def kill(self, consumer: Consumer) -> None:
        """As when its process is killed: nobody is told."""
        at = self._consumers.index(consumer)
        del self._consumers[at]

        async def drop() -> None:
            group, fetcher = consumer._group, consumer._fetcher
            assert group is not None
            assert fetcher is not None
            group._stop_timer()
            group.topics.stop()
            await group.membership.stop()
            await group.positions.stop()
            await group._end_commits()
            fetcher._nodes.clear()
            await fetcher.stop()
            await consumer._line.close()  # type: ignore[union-attr]  # it was started

        self.run(drop())

    def close(self) -> None:
        """End the test."""
        for consumer in self._consumers:
            self.run(consumer.close())
        for client in self._clients:
            self.run(client.close())
        self.broker.close()


async def values_of(consumer: Consumer, count: int) -> list[bytes]:
    """The values of so many records."""
    taken: list[ConsumerRecord] = []
    while len(taken) < count:
        taken += await consumer.poll(count - len(taken), 60)
    return [record.value or b"" for record in taken]
