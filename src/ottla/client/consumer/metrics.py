"""What a consumer has done so far: counted by fetch and by read, so that records cost nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assigned import AssignedPartition


class PartitionMetrics(Struct, frozen=True, kw_only=True):
    """One assigned partition; counted from when it was assigned."""

    position: int | None
    lag: int | None
    """As `Consumer.current_lag`."""
    records_taken: int
    bytes_fetched: int
    bytes_buffered: int
    """Fetched, and not handed out."""
    fetched_from: int | None
    """The nearer replica that is fetched from; None for the leader."""


class ConsumerMetrics(Struct, frozen=True, kw_only=True):
    """A moment's copy. Bytes are those of batches as they came, compressed where they are.

    The time of a fetch includes what the node waited for records, `fetch_max_wait_ms` at most.
    """

    fetches: int
    bytes_fetched: int
    fetch_ms_total: float
    fetch_ms_max: float
    records_taken: int
    """Of the partitions that are assigned now."""
    bytes_buffered: int
    partitions: Mapping[TopicPartition, PartitionMetrics]

    @property
    def fetch_ms_mean(self) -> float:
        """Of one fetch."""
        return self.fetch_ms_total / self.fetches if self.fetches else 0.0

    @property
    def lag_max(self) -> int | None:
        """Of the partition that lags most; None where no lag is known."""
        known = [one.lag for one in self.partitions.values() if one.lag is not None]
        return max(known, default=None)


class FetchCounts:
    """Counts up, where things happen."""

    __slots__ = ("_fetches", "_ms_max", "_ms_total", "bytes_fetched")

    def __init__(self) -> None:
        self.bytes_fetched = 0
        self._fetches = 0
        self._ms_total = 0.0
        self._ms_max = 0.0

    def answered(self, elapsed_ms: float) -> None:
        """One fetch."""
        self._fetches += 1
        self._ms_total += elapsed_ms
        self._ms_max = max(self._ms_max, elapsed_ms)

    def metrics(
        self, assigned: Iterable[AssignedPartition], *, is_committed: bool
    ) -> ConsumerMetrics:
        """All of it now."""
        partitions = {
            partition.partition: _metrics_of(partition, is_committed=is_committed)
            for partition in assigned
        }
        return ConsumerMetrics(
            fetches=self._fetches,
            bytes_fetched=self.bytes_fetched,
            fetch_ms_total=self._ms_total,
            fetch_ms_max=self._ms_max,
            records_taken=sum(one.records_taken for one in partitions.values()),
            bytes_buffered=sum(one.bytes_buffered for one in partitions.values()),
            partitions=partitions,
        )


def _metrics_of(partition: AssignedPartition, *, is_committed: bool) -> PartitionMetrics:
    return PartitionMetrics(
        position=partition.offset,
        lag=partition.lag(is_committed=is_committed),
        records_taken=partition.records_taken,
        bytes_fetched=partition.bytes_fetched,
        bytes_buffered=partition.buffered,
        fetched_from=None if partition.replica is None else partition.replica.node_id,
    )
