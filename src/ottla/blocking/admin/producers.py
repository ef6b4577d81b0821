"""`admin.producers` for plain calls."""

from __future__ import annotations

from ottla.base.ids import TopicPartition
from ottla.blocking.client import Runner
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.producers import Producers as AsyncioProducers
from ottla.client.admin.producers import ProducerState


class Producers:
    """`admin.producers`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioProducers) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self,
        *partitions: TopicPartition,
        broker_id: int | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, tuple[ProducerState, ...]]:
        """Who writes to partitions (Kafka 2.8); as their leaders know it, or one broker."""
        return self._run(
            lambda: self._inner.describe(*partitions, broker_id=broker_id, timeout_s=timeout_s)
        )
