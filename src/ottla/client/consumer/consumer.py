"""The consumer: what a program reads records with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Self

from ottla.base.errors import UserError
from ottla.base.ids import NO_EPOCH, TopicPartition
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.consumer.assigned import EARLIEST, LATEST, AssignedPartition, Reset
from ottla.client.consumer.errors import ConsumerClosedError
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.record import ConsumerRecord
from ottla.client.errors import DeadlineError
from ottla.client.options import ClusterOptions
from ottla.wire.records.columns import RecordColumns


class Consumer:
    """Reads records of any Kafka-compatible cluster, from one event loop.

    async with Consumer("localhost:9092", auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition("orders", 0)])
        async for record in consumer:
            print(record.offset, record.value)

    A position is that of the next record to be handed out. It moves when a record is handed out,
    and no call here hands out anything when it is cancelled. One task reads at a time.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ConsumerOptions` and `ClusterOptions`. Asks nothing yet.

        Raises UserError for a setting that is unknown or impossible.
        """
        self.options, self._cluster_options = _read(settings)
        self._bootstrap = bootstrap
        self._cluster: Cluster | None = None
        self._line: Cluster | None = None
        self._fetcher: Fetcher | None = None
        self._is_closed = False
        # The partition of which opened records are here: one at most, they take memory.
        self._current: AssignedPartition | None = None

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin; `async with` does it. Raises UserError for what is no address."""
        if self._fetcher is not None or self._is_closed:
            raise UserError("a consumer is started once")
        self._cluster = Cluster(self._bootstrap, self._cluster_options)
        await self.start_on(self._cluster)

    async def start_on(self, cluster: Cluster) -> None:
        """Begin on this cluster, which stays open at the end: for tests, and shared connections."""
        self._line = cluster
        self._fetcher = Fetcher(cluster, self.options)

    async def close(self) -> None:
        """Let go. Whoever still reads gets ConsumerClosedError. Closing twice is fine."""
        if self._is_closed:
            return
        self._is_closed = True
        self._current = None
        try:
            if self._fetcher is not None:
                await self._fetcher.stop()
        finally:
            if self._cluster is not None:
                await self._cluster.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def _running(self) -> Fetcher:
        if self._fetcher is None or self._is_closed:
            raise ConsumerClosedError("the consumer is closed, or was not started")
        if self._fetcher.fatal is not None:
            raise self._fetcher.fatal
        return self._fetcher

    # -- what is read ----------------------------------------------------------------------------

    @property
    def assignment(self) -> list[TopicPartition]:
        """What is read."""
        return sorted(self._running().assigned)

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read these and nothing else; those that were read already go on where they are."""
        fetcher, line = self._running(), self._line
        assert line is not None
        wanted = [TopicPartition(topic, index) for topic, index in partitions]
        known = fetcher.assigned
        fetcher.assigned = {
            partition: known.get(partition) or AssignedPartition(partition, line.backoff())
            for partition in wanted
        }
        for partition, dropped in known.items():
            if partition not in fetcher.assigned:
                dropped.drop_buffer()
        fetcher.wake()

    def pause(self, *partitions: tuple[str, int]) -> None:
        """Hand out nothing of these, and fetch nothing more. Raises UserError if not assigned."""
        for partition in self._assigned(partitions):
            partition.paused = True
            partition.close_rows()

    def resume(self, *partitions: tuple[str, int]) -> None:
        """Go on with these."""
        for partition in self._assigned(partitions):
            partition.paused = False
        self._running().wake()

    def paused(self) -> list[TopicPartition]:
        """Those that are paused."""
        assigned = self._running().assigned.values()
        return sorted(partition.partition for partition in assigned if partition.paused)

    # -- where -----------------------------------------------------------------------------------

    def seek(
        self, partition: tuple[str, int], offset: int, *, leader_epoch: int = NO_EPOCH
    ) -> None:
        """Go on at an offset. With the leader epoch of the record before it, a truncation of the
        log since then is noticed.

        Raises ValueError for an offset below 0, UserError for a partition that is not assigned.
        """
        if offset < 0:
            raise ValueError(f"an offset is at least 0, not {offset}")
        (found,) = self._assigned([partition])
        found.seek(offset, leader_epoch)
        self._running().wake()

    def seek_to_beginning(self, *partitions: tuple[str, int]) -> None:
        """Go on at the first record there is; of all partitions where none is named."""
        self._begin_at(partitions, EARLIEST)

    def seek_to_end(self, *partitions: tuple[str, int]) -> None:
        """Go on with what is written from now on; of all partitions where none is named.

        Reading committed records, with what is not yet decided now.
        """
        self._begin_at(partitions, LATEST)

    def seek_to_time(self, timestamp_ms: int, *partitions: tuple[str, int]) -> None:
        """Go on at the first record that is not earlier than this; where there is none, at the end.

        Raises ValueError for a time below 0.
        """
        if timestamp_ms < 0:
            raise ValueError(f"a time is at least 0 ms, not {timestamp_ms}")
        self._begin_at(partitions, timestamp_ms)

    async def position(self, partition: tuple[str, int], *, timeout_s: float | None = None) -> int:
        """The offset of the next record; waited for where it must be looked up.

        Raises DeadlineError after `timeout_s` (`default_api_timeout_ms` where None), PartitionError
        where it cannot be known.
        """
        if timeout_s is None:
            timeout_s = self._cluster_options.default_api_timeout_ms / 1000
        loop = asyncio.get_running_loop()
        end_s = loop.time() + timeout_s
        while True:
            (found,) = self._assigned([partition])
            if found.offset is not None:
                return found.offset
            if found.error is not None:
                self._tell(found)
            if loop.time() >= end_s:
                raise DeadlineError(f"no position of {found.partition} within {timeout_s:g} s")
            await self._running().news(end_s - loop.time())

    def _begin_at(self, partitions: Sequence[tuple[str, int]], timestamp: int) -> None:
        for partition in self._assigned(partitions or list(self._running().assigned)):
            partition.begin_at(Reset(timestamp))
        self._running().wake()

    def _assigned(self, partitions: Iterable[tuple[str, int]]) -> list[AssignedPartition]:
        assigned = self._running().assigned
        wanted = [TopicPartition(topic, index) for topic, index in partitions]
        for partition in wanted:
            if partition not in assigned:
                raise UserError(f"{partition} is not assigned")
        return [assigned[partition] for partition in wanted]

    # -- reading ---------------------------------------------------------------------------------

    async def poll(
        self, max_records: int | None = None, timeout_s: float | None = None
    ) -> list[ConsumerRecord]:
        """The next records, at most `max_records` (`max_poll_records` where None).

        Waits for the first of them up to `timeout_s`, for ever where None; an empty list when that
        is over. Those of one partition are in order. Raises PartitionError, ConsumerClosedError.
        """
        count = self.options.max_poll_records if max_records is None else max_records
        if count < 1:
            raise ValueError(f"max_records is at least 1, not {count}")
        end_s = self._end_s(timeout_s)
        # Who always finds records must let those who fetch them have their turn.
        await asyncio.sleep(0)
        while True:
            self._raise_error()
            taken = self._take(count)
            if taken or not await self._wait(end_s):
                return taken

    async def poll_batch(
        self, timeout_s: float | None = None
    ) -> dict[TopicPartition, RecordColumns]:
        """The next records of each partition as columns, without an object for each record.

        Of each one piece of about a megabyte of plain records, or a single batch that is larger.
        Waits as `poll` does; an empty dict when the time is over.
        """
        end_s = self._end_s(timeout_s)
        # Who always finds records must let those who fetch them have their turn.
        await asyncio.sleep(0)
        while True:
            self._raise_error()
            taken = self._take_columns()
            if taken or not await self._wait(end_s):
                return taken

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ConsumerRecord:
        """The next record. The loop ends when the consumer is closed; raises PartitionError."""
        current = self._current
        if current is not None and current.has_rows and not current.paused:
            return self._take_from(current)
        await asyncio.sleep(0)
        while not self._is_closed:
            self._raise_error()
            taken = self._take(1)
            if taken:
                return taken[0]
            await self._running().news(None)
        raise StopAsyncIteration

    def _take_from(self, partition: AssignedPartition) -> ConsumerRecord:
        (record,) = partition.take_records(1)
        if not partition.has_rows:
            self._current = None
            self._to_the_end(partition)
        return record

    @staticmethod
    def _end_s(timeout_s: float | None) -> float | None:
        return None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s

    async def _wait(self, end_s: float | None) -> bool:
        """Wait for news; False when the time is over."""
        if end_s is None:
            await self._running().news(None)
            return True
        left_s = end_s - asyncio.get_running_loop().time()
        if left_s <= 0:
            return False
        await self._running().news(left_s)
        return True

    def _raise_error(self) -> None:
        """Before anything is taken: what is raised then takes nothing with it."""
        for partition in self._running().assigned.values():
            if partition.error is not None and not partition.paused:
                self._tell(partition)

    def _tell(self, partition: AssignedPartition) -> None:
        error, partition.error = partition.error, None
        self._running().wake()
        assert error is not None
        raise error

    def _take(self, count: int) -> list[ConsumerRecord]:
        taken: list[ConsumerRecord] = []
        for partition in self._readable():
            taken += partition.take_records(count - len(taken))
            self._current = partition if partition.has_rows else None
            if self._current is None:
                self._to_the_end(partition)
            if len(taken) == count:
                break
        return taken

    def _take_columns(self) -> dict[TopicPartition, RecordColumns]:
        taken: dict[TopicPartition, RecordColumns] = {}
        for partition in self._readable():
            columns = partition.take_columns()
            if columns is not None:
                taken[partition.partition] = columns
            self._to_the_end(partition)
        return taken

    def _readable(self) -> list[AssignedPartition]:
        """Those with something to take; first that of which opened records are here."""
        found = [
            partition
            for partition in self._running().assigned.values()
            if partition.is_buffered and not partition.paused
        ]
        return sorted(found, key=lambda partition: not partition.has_rows)

    def _to_the_end(self, partition: AssignedPartition) -> None:
        """It had its turn: the others come first next time. What was taken makes room."""
        assigned = self._running().assigned
        assigned[partition.partition] = assigned.pop(partition.partition)
        self._running().wake()


def _read(settings: dict[str, Any]) -> tuple[ConsumerOptions, ClusterOptions]:
    of_consumer = set(ConsumerOptions.__struct_fields__)
    of_cluster = set(ClusterOptions.__struct_fields__)
    unknown = settings.keys() - of_consumer - of_cluster
    if unknown:
        raise UserError(f"a consumer has no setting {', '.join(sorted(unknown))}")
    cluster = ClusterOptions(**{name: settings[name] for name in settings.keys() & of_cluster})
    consumer = ConsumerOptions(**{name: settings[name] for name in settings.keys() & of_consumer})
    consumer.check_with(cluster)
    return consumer, cluster
