"""What the topics' logs took, as counters that never go back.

The logs' own numbers do: a topic is deleted whose bytes stood under `(other)`, a replica goes on
with its copy on another disk. To Prometheus any step back is a restart, and what is left after it
would count as taken at that moment.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ottla.broker.metrics.families import OTHER
from ottla.broker.partition import Partition
from ottla.log.readable_log import ReadableLog


class _Seen(NamedTuple):
    """A partition at the last look."""

    log: ReadableLog
    bytes: int
    batches: int
    records: int


class Taken:
    """By one topic since it got a series."""

    __slots__ = ("batches", "bytes", "records")

    def __init__(self) -> None:
        self.bytes = self.batches = self.records = 0


class AppendedCounts:
    """Adds what is new at each look, under the name that the topic has in that look."""

    def __init__(self) -> None:
        self._seen: dict[Partition, _Seen] = {}
        self.topics: dict[str, Taken] = {}

    def look(self, name: str, partition: Partition) -> None:
        log, appended = partition.log, partition.log.appended
        now = _Seen(log, appended.bytes, appended.batches, log.log_end_offset)
        before = self._seen.get(partition) or _Seen(log, 0, 0, 0)
        self._seen[partition] = now
        taken = self.topics.setdefault(name, Taken())
        taken.records += max(now.records - before.records, 0)
        if before.log is log:  # a copy counts from its own beginning
            taken.bytes += now.bytes - before.bytes
            taken.batches += now.batches - before.batches

    def keep_only(self, partitions: Collection[Partition], names: Collection[str]) -> None:
        """The others are gone; what stands for all of them stays."""
        for partition in [each for each in self._seen if each not in partitions]:
            del self._seen[partition]
        for name in [each for each in self.topics if each not in names and each != OTHER]:
            del self.topics[name]
