"""Where a consumer reads: its positions, jumps, pauses, and questions about offsets."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from ottla.base.errors import UserError
from ottla.base.ids import NO_EPOCH, TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.consumer.assigned import EARLIEST, LATEST, AssignedPartition, Reset
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.group.group import Group
from ottla.client.consumer.metrics import ConsumerMetrics
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.queries import OffsetAndTimestamp, OffsetQueries
from ottla.client.consumer.reader import Reader
from ottla.client.errors import DeadlineError
from ottla.client.metadata import PartitionMetadata
from ottla.client.options import ClusterOptions


class Positioned(ABC):
    """The part of `Consumer` that says where; everything here needs one that runs."""

    options: ConsumerOptions
    _cluster_options: ClusterOptions
    _line: Cluster | None
    _group: Group | None

    @abstractmethod
    def _running(self) -> Fetcher: ...

    @abstractmethod
    def _reading(self) -> Reader: ...

    # -- pausing ---------------------------------------------------------------------------------

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
        _check_time(timestamp_ms)
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
                self._reading().tell(found)
            if self._group is not None:
                self._group.raise_told()
            if loop.time() >= end_s:
                raise DeadlineError(f"no position of {found.partition} within {timeout_s:g} s")
            await self._running().news(end_s - loop.time())

    # -- questions that move nothing -------------------------------------------------------------

    async def beginning_offsets(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, int]:
        """The first offset of each, assigned or not.

        Like the other questions it raises DeadlineError after `timeout_s`
        (`default_api_timeout_ms` where None), RefusedError where there is no right to it.
        """
        wanted = dict.fromkeys(named(partitions), EARLIEST)
        return await self._queries().offsets(wanted, timeout_s=timeout_s)

    async def end_offsets(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, int]:
        """The offset behind the last record of each that can be read.

        Reading committed records, that of the first one that is not decided.
        """
        wanted = dict.fromkeys(named(partitions), LATEST)
        return await self._queries().offsets(wanted, timeout_s=timeout_s)

    async def offsets_for_times(
        self, times_ms: Mapping[tuple[str, int], int], *, timeout_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record of each that is not earlier than its time; None where there is none.

        Raises ValueError for a time below 0.
        """
        for timestamp_ms in times_ms.values():
            _check_time(timestamp_ms)
        wanted = dict(zip(named(times_ms), times_ms.values(), strict=True))
        return await self._queries().for_times(wanted, timeout_s=timeout_s)

    def current_lag(self, partition: tuple[str, int]) -> int | None:
        """How far the position of an assigned partition is behind what can be read, by offsets.

        As the last fetch has told; None before the first. Raises UserError if not assigned.
        """
        (found,) = self._assigned([partition])
        return found.lag(is_committed=self.options.is_committed)

    async def partitions_for(
        self, topic: str, *, timeout_s: float | None = None
    ) -> list[PartitionMetadata]:
        """The partitions of a topic, in order, with leaders and replicas; waited for."""
        self._running()
        assert self._line is not None
        creates = self.options.allow_auto_create_topics
        found = await self._line.topic(topic, creates=creates, timeout_s=timeout_s)
        return list(found.partitions.values())

    def metrics(self) -> ConsumerMetrics:
        """What was fetched and read so far, and how far each partition lags."""
        fetcher = self._running()
        return fetcher.counts.metrics(
            fetcher.assigned.values(), is_committed=self.options.is_committed
        )

    def _queries(self) -> OffsetQueries:
        self._running()
        assert self._line is not None
        return OffsetQueries(self._line, self.options)

    def _begin_at(self, partitions: Sequence[tuple[str, int]], timestamp: int) -> None:
        for partition in self._assigned(partitions or list(self._running().assigned)):
            partition.begin_at(Reset(timestamp))
        self._running().wake()

    def _assigned(self, partitions: Iterable[tuple[str, int]]) -> list[AssignedPartition]:
        assigned = self._running().assigned
        wanted = named(partitions)
        for partition in wanted:
            if partition not in assigned:
                raise UserError(f"{partition} is not assigned")
        return [assigned[partition] for partition in wanted]


def named(partitions: Iterable[tuple[str, int]]) -> list[TopicPartition]:
    """Plain pairs, as the program gives them."""
    return [TopicPartition(topic, index) for topic, index in partitions]


def _check_time(timestamp_ms: int) -> None:
    if timestamp_ms < 0:
        raise ValueError(f"a time is at least 0 ms, not {timestamp_ms}")
