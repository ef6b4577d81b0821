"""The consumer: what a program reads records with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.decoding_reader import DecodingReader
from ottla.client.consumer.errors import ConsumerClosedError
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.group.group import Group
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.positioned import Positioned, named
from ottla.client.consumer.reader import Reader
from ottla.client.consumer.record import ConsumerRecord
from ottla.client.consumer.record_decoding import decoder_of
from ottla.client.consumer.subscription import Subscription, subscription_of
from ottla.client.group_member import GroupMember
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.client.options import ClusterOptions
from ottla.wire.records.columns import RecordColumns


class Consumer(Positioned):
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
        self._reader: Reader | None = None
        self._group: Group | None = None
        self._is_closing = False
        self._is_assigned = False

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
        if self.options.group_id is not None:
            self._group = Group(
                cluster,
                self.options,
                self._fetcher,
                interrupt=self._interrupt,
                progress=lambda: None if self._reader is None else self._reader.progress,
            )
        decoder = decoder_of(self.options)
        self._reader = (
            Reader(self._fetcher, group=self._group)
            if decoder is None
            else DecodingReader(self._fetcher, decoder, group=self._group)
        )

    def _interrupt(self) -> None:
        if self._reader is not None:
            self._reader.interrupt()

    async def close(self, *, timeout_s: float = 30.0) -> None:
        """Commit, give partitions back, leave the group, let go.

        The group gets up to `timeout_s`. Whoever still reads gets ConsumerClosedError. Raises what
        a rebalance listener raises. Closing twice is fine.
        """
        await self._close(timeout_s, {})

    async def _close(
        self, timeout_s: float, in_hand: Mapping[TopicPartition, tuple[int, int]]
    ) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        if self._reader is not None:
            self._reader.is_closed = True
            self._reader.current = None
        if self._fetcher is not None:
            self._fetcher.wake()
        try:
            if self._group is not None:
                await self._group.close(in_hand=in_hand, timeout_s=timeout_s)
        finally:
            self._is_closed = True
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
        # Where the program has failed, what it had in its hands was not dealt with.
        in_hand = {} if error is None or self._reader is None else self._reader.before_last_read
        await self._close(30.0, in_hand)

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
        """Read these and nothing else; those that were read already go on where they are.

        With a `group_id`, the others begin at what the group has committed. Raises UserError while
        there is a subscription.
        """
        fetcher, line, group = self._running(), self._line, self._group
        assert line is not None
        if self.subscription is not None:
            raise UserError("this consumer has subscribed: unsubscribe before assigning")
        wanted = named(partitions)
        known = fetcher.assigned
        if group is not None:
            group.commit_soon(in_hand=self._reading().before_last_read)
        self._is_assigned = bool(wanted)
        fetcher.assigned = {
            partition: known.get(partition) or AssignedPartition(partition, line.backoff())
            for partition in wanted
        }
        for partition, dropped in known.items():
            if partition not in fetcher.assigned:
                dropped.drop_buffer()
        if group is not None:
            group.look_up(new for place, new in fetcher.assigned.items() if place not in known)
        fetcher.wake()

    def subscribe(
        self,
        topics: Iterable[str] | None = None,
        *,
        pattern: str | re.Pattern[str] | None = None,
        listener: RebalanceListener | None = None,
    ) -> None:
        """Share these topics, or all that `pattern` matches as a whole, with the group's others.

        It replaces the subscription before it. The next read joins. Under
        `group_protocol="consumer"` the brokers match a pattern that is a text, in RE2's syntax.
        Raises UserError without a `group_id`, after `assign`, and for what cannot be a pattern.
        """
        self._running()
        group = self._grouped("subscribing")
        if self._is_assigned:
            raise UserError("partitions are assigned: assign none before subscribing")
        brokers_match = self.options.group_protocol == "consumer"
        wanted = subscription_of(topics, pattern, brokers_match=brokers_match)
        group.subscribe(wanted, listener)

    @property
    def subscription(self) -> Subscription | None:
        """What is subscribed to."""
        return None if self._group is None else self._group.subscription

    async def unsubscribe(self) -> None:
        """Commit, give everything back, leave the group; and forget what was assigned by hand."""
        self._running()
        if self._group is not None:
            await self._group.unsubscribe()
        if self._is_assigned:
            self.assign(())

    def _grouped(self, what: str) -> Group:
        if self._group is None:
            raise UserError(f"{what} needs a group_id")
        return self._group

    # -- committing ------------------------------------------------------------------------------

    async def commit(
        self,
        offsets: Mapping[TopicPartition, int | OffsetAndMetadata] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> None:
        """Keep these positions (next offsets to read) for the group; all that was handed out where
        None.

        Raises CommitFailedError where the partitions are another's, DeadlineError, GroupError,
        UserError without a `group_id`.
        """
        self._running()
        await self._grouped("committing").commit(offsets, timeout_s=timeout_s)

    async def committed(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """What the group has committed; None where nothing is. Raises as `commit`."""
        self._running()
        commits = self._grouped("a committed position").commits
        return await commits.committed(named(partitions), timeout_s=timeout_s)

    def group_metadata(self) -> GroupMember:
        """For `Producer.send_offsets`: positions in a transaction, only while this is a member."""
        group = self._grouped("a group's member")
        member_id, generation, instance_id = group.member.identity
        return GroupMember(group.line.group_id, generation, member_id, instance_id)

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
        return await self._reading().poll(count, timeout_s)

    async def poll_batch(
        self, timeout_s: float | None = None
    ) -> dict[TopicPartition, RecordColumns]:
        """The next records of each partition as columns, without an object for each record.

        Of each one piece of about a megabyte of plain records, or a single batch that is larger.
        Waits as `poll` does; an empty dict when the time is over.
        """
        return await self._reading().poll_batch(timeout_s)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ConsumerRecord:
        """The next record. The loop ends when the consumer is closed; raises PartitionError."""
        reader = self._reader
        if reader is None:
            raise ConsumerClosedError("the consumer was not started")
        current = reader.current
        if current is not None and current.has_rows and not current.paused:
            return reader.take_from(current)
        return await reader.next_record()

    @property
    def reader(self) -> Reader:
        """For `ottla.blocking`. Raises ConsumerClosedError."""
        return self._reading()

    def _reading(self) -> Reader:
        self._running()
        assert self._reader is not None
        return self._reader


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
