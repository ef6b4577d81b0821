"""The records of a topic whose partitions a partitioner chooses."""

from __future__ import annotations

from operator import index
from typing import TYPE_CHECKING

from ottla.client.producer.accumulator import Headers, Taken, TopicRecords
from ottla.client.producer.delivery import Delivery
from ottla.client.producer.errors import PartitionerError
from ottla.client.producer.partitioners import ANYWHERE, Partitioner
from ottla.wire.records.rows import Rows, group_rows

if TYPE_CHECKING:
    from ottla.client.producer.accumulator import Accumulator


class PartitionedTopic(TopicRecords):
    """A kind of its own, so that records placed in Kafka's way ask nothing about this."""

    __slots__ = ("_available", "_available_for", "_partitioner")

    def __init__(self, name: str, accumulator: Accumulator, partitioner: Partitioner) -> None:
        super().__init__(name, accumulator)
        self._partitioner = partitioner
        self._available: tuple[int, ...] = ()
        self._available_for: tuple[int, frozenset[int]] = (0, frozenset())

    def place(
        self,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        timestamp_ms: int,
        headers: Headers,
    ) -> Delivery:
        """Raises PartitionerError too."""
        if partition is None:
            partition = self._choose(key, value)
        return super().place(value, key, partition, timestamp_ms, headers)

    def place_rows(self, rows: Rows, first: int, end: int, into: Taken) -> None:
        """Raises PartitionerError before any of these rows is taken."""
        keys, values = rows.keys, rows.values
        chosen = [
            self._choose(None if keys is None else keys[row], values[row])
            for row in range(first, end)
        ]
        order, shares = group_rows(first, chosen)
        for partition, start, stop in shares:
            self.append_rows(partition, rows, order, start, stop, into)

    def _choose(self, key: bytes | None, value: bytes | None) -> int:
        count = self.partition_count
        try:
            chosen = index(self._partitioner(self.name, key, value, count, self._with_leaders()))
        except Exception as error:
            raise PartitionerError(f"no partition of {self.name}: {error}") from error
        if chosen == ANYWHERE:
            return self.sticky_partition()
        if not 0 <= chosen < count:
            raise PartitionerError(f"{self.name} has {count} partitions, and none is {chosen}")
        return chosen

    def _with_leaders(self) -> tuple[int, ...]:
        count = self.partition_count
        now = (count, self.leaderless)
        if now != self._available_for:
            self._available_for = now
            self._available = tuple(
                number for number in range(count) if number not in self.leaderless
            )
        return self._available
