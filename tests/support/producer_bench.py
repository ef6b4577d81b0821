"""A producer on a `ModelCluster`, in a loop whose time a test moves."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self, TypeVar

from ottla.client.producer import Delivery, Producer
from tests.support.cluster import SeededRng
from tests.support.producer_cluster import Faults, ModelCluster
from tests.support.stepped_loop import SteppedClock, SteppedLoop

T = TypeVar("T")
TOPIC = "t"


class ProducerBench:
    """Requests take no time unless `faults` say so. Use it in a `with` statement."""

    def __init__(
        self,
        *,
        partitions: int = 1,
        faults: Faults | None = None,
        transaction_version: int = 2,
        **settings: Any,
    ) -> None:
        self.clock = SteppedClock()
        self.loop = SteppedLoop(self.clock)
        self.cluster = ModelCluster(faults=faults or Faults(latency_ms=0))
        self.cluster.transaction_version = transaction_version
        if partitions:
            self.cluster.create(TOPIC, partitions)
        self.producer = Producer("unused:1", **settings)
        self.run(self.producer.start_on(self.cluster, clock=self.clock, rng=SeededRng()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *what: object) -> None:
        task = self.loop.create_task(self.producer.close(timeout_s=0.001))
        self.loop.settle()
        self.loop.advance(10)
        self.loop.close()
        assert task.done()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.finish(work)

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = self.loop.create_task(work)
        self.loop.settle()
        return task

    def send(self, value: bytes | None, **arguments: Any) -> Delivery:
        return self.loop.call(lambda: self.producer.send(TOPIC, value, **arguments))

    def send_many(self, *values: bytes, **arguments: Any) -> list[Delivery]:
        """In one turn of the loop."""
        return self.loop.call(
            lambda: [self.producer.send(TOPIC, value, **arguments) for value in values]
        )

    def settle(self, ms: int = 10) -> None:
        """Long enough for the linger and a lookup."""
        for _ in range(ms):
            self.loop.advance(1)

    def warm_up(self) -> None:
        """Have a partition's leader, a connection, an identity and a known epoch."""
        first = self.send(b"first", partition=0)
        self.settle(400)
        assert first.done()
        self.cluster.requests.clear()
