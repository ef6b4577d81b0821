"""The consumer for plain calls: the twin of `ottla.client.consumer.Consumer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from ottla.base.errors import UserError
from ottla.base.ids import NO_EPOCH, TopicPartition
from ottla.blocking.background import Background
from ottla.blocking.call import Work
from ottla.blocking.client import BlockingClient
from ottla.blocking.listeners import ListenerInCaller
from ottla.blocking.reading import Reading
from ottla.client.address import Address
from ottla.client.consumer import Consumer as AsyncioConsumer
from ottla.client.consumer import (
    ConsumerClosedError,
    ConsumerMetrics,
    ConsumerOptions,
    ConsumerRecord,
    OffsetAndTimestamp,
)
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.consumer.subscription import Subscription
from ottla.client.group_member import GroupMember
from ottla.client.metadata import PartitionMetadata
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.wire.records.columns import RecordColumns

T = TypeVar("T")

_CLOSE_S: Final = 30.0


class Consumer(BlockingClient):
    """Reads records of any Kafka-compatible cluster, in one thread at a time.

    with Consumer("localhost:9092", auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition("orders", 0)])
        for record in consumer:
            print(record.offset, record.value)

    A position is that of the next record to be handed out, and moves when a record is handed out.
    While one thread is inside a call, others get ConcurrentUseError, but for `wakeup` and `close`.
    After a fork the child makes a consumer of its own.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ottla.Consumer`. Asks nothing yet.

        Raises UserError for a setting that is unknown or impossible.
        """
        super().__init__()
        self._inner = AsyncioConsumer(bootstrap, **settings)
        self._reading = Reading(self._inner)
        self._error: BaseException | None = None

    @property
    def options(self) -> ConsumerOptions:
        """The settings in use."""
        return self._inner.options

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; `with` does it. Raises UserError for what is no address."""
        self._begin(self._inner.start)

    def close(self, *, timeout_s: float = 30.0) -> None:
        """Commit, give partitions back, leave the group, let go.

        The group gets up to `timeout_s`. Any thread may close: whoever still reads gets
        ConsumerClosedError. Raises what a rebalance listener raises. Closing twice is fine.
        """
        self._finish(timeout_s)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._error = error
        self._finish(_CLOSE_S)

    def wakeup(self) -> None:
        """From any thread: let the read that waits, or else the next one, raise WakeupError."""
        self._here()
        self._reading.wakeup()

    def _end(self, timeout_s: float | None) -> Work[None]:
        inner, error = self._inner, self._error

        async def end() -> None:
            if error is None:
                await inner.close(timeout_s=_CLOSE_S if timeout_s is None else timeout_s)
            else:
                # Where the program has failed, what it had in its hands was not dealt with.
                await inner.__aexit__(type(error), error, error.__traceback__)

        return self._reading.last_settled(end)

    def _run_end(self, background: Background, end: Work[None], patience_s: float | None) -> None:
        self._reading.end(background, end, patience_s)

    def _not_open(self) -> UserError:
        return ConsumerClosedError("the consumer is closed, or was not started")

    def _left_behind(self, error: UserError) -> None:
        self._reading = Reading(self._inner)

    # -- calls -----------------------------------------------------------------------------------

    def _do(self, function: Callable[[], T]) -> T:
        """A plain method of the asyncio consumer."""

        async def main() -> T:
            return function()

        return self._reading.run(self._here, main)

    def _tell(self, function: Callable[[], T]) -> T:
        """A plain question, which leaves alone what is read where."""

        async def main() -> T:
            return function()

        return self._ask(main)

    def _ask(self, work: Work[T]) -> T:
        """One that waits, and leaves alone what is read where."""
        return self._reading.run(self._here, work, keeps_loan=True)

    # -- what is read ----------------------------------------------------------------------------

    @property
    def assignment(self) -> list[TopicPartition]:
        """What is read."""
        return self._tell(lambda: self._inner.assignment)

    def assign(self, partitions: Iterable[tuple[str, int]]) -> None:
        """Read these and nothing else; those that were read already go on where they are.

        With a `group_id`, the others begin at what the group has committed. Raises UserError while
        there is a subscription.
        """
        wanted = list(partitions)
        self._do(lambda: self._inner.assign(wanted))

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
        The listener's methods are plain, and called in the thread that reads. Raises UserError
        without a `group_id`, after `assign`, and for what cannot be a pattern.
        """
        there = None if listener is None else ListenerInCaller(listener)
        self._do(lambda: self._inner.subscribe(topics, pattern=pattern, listener=there))

    @property
    def subscription(self) -> Subscription | None:
        """What is subscribed to."""
        return self._inner.subscription

    def unsubscribe(self) -> None:
        """Commit, give everything back, leave the group; and forget what was assigned by hand."""
        self._reading.run(self._here, self._inner.unsubscribe)

    # -- committing ------------------------------------------------------------------------------

    def commit(
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
        self._ask(lambda: self._inner.commit(offsets, timeout_s=timeout_s))

    def committed(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndMetadata | None]:
        """What the group has committed; None where nothing is. Raises as `commit`."""
        return self._ask(lambda: self._inner.committed(*partitions, timeout_s=timeout_s))

    def group_metadata(self) -> GroupMember:
        """For `Producer.send_offsets`: positions in a transaction, only while this is a member."""
        return self._tell(self._inner.group_metadata)

    def pause(self, *partitions: tuple[str, int]) -> None:
        """Hand out nothing of these, and fetch nothing more. Raises UserError if not assigned."""
        self._do(lambda: self._inner.pause(*partitions))

    def resume(self, *partitions: tuple[str, int]) -> None:
        """Go on with these."""
        self._do(lambda: self._inner.resume(*partitions))

    def paused(self) -> list[TopicPartition]:
        """Those that are paused."""
        return self._tell(self._inner.paused)

    # -- where -----------------------------------------------------------------------------------

    def seek(
        self, partition: tuple[str, int], offset: int, *, leader_epoch: int = NO_EPOCH
    ) -> None:
        """Go on at an offset. With the leader epoch of the record before it, a truncation of the
        log since then is noticed.

        Raises ValueError for an offset below 0, UserError for a partition that is not assigned.
        """
        self._do(lambda: self._inner.seek(partition, offset, leader_epoch=leader_epoch))

    def seek_to_beginning(self, *partitions: tuple[str, int]) -> None:
        """Go on at the first record there is; of all partitions where none is named."""
        self._do(lambda: self._inner.seek_to_beginning(*partitions))

    def seek_to_end(self, *partitions: tuple[str, int]) -> None:
        """Go on with what is written from now on; of all partitions where none is named.

        Reading committed records, with what is not yet decided now.
        """
        self._do(lambda: self._inner.seek_to_end(*partitions))

    def seek_to_time(self, timestamp_ms: int, *partitions: tuple[str, int]) -> None:
        """Go on at the first record that is not earlier than this; where there is none, at the end.

        Raises ValueError for a time below 0.
        """
        self._do(lambda: self._inner.seek_to_time(timestamp_ms, *partitions))

    def position(self, partition: tuple[str, int], *, timeout_s: float | None = None) -> int:
        """The offset of the next record; waited for where it must be looked up.

        Raises DeadlineError after `timeout_s` (`default_api_timeout_ms` where None), PartitionError
        where it cannot be known.
        """
        return self._ask(lambda: self._inner.position(partition, timeout_s=timeout_s))

    # -- questions that move nothing -------------------------------------------------------------

    def beginning_offsets(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, int]:
        """The first offset of each, assigned or not.

        Like the other questions it raises DeadlineError after `timeout_s`
        (`default_api_timeout_ms` where None), RefusedError where there is no right to it.
        """
        return self._ask(lambda: self._inner.beginning_offsets(*partitions, timeout_s=timeout_s))

    def end_offsets(
        self, *partitions: tuple[str, int], timeout_s: float | None = None
    ) -> dict[TopicPartition, int]:
        """The offset behind the last record of each that can be read.

        Reading committed records, that of the first one that is not decided.
        """
        return self._ask(lambda: self._inner.end_offsets(*partitions, timeout_s=timeout_s))

    def offsets_for_times(
        self, times_ms: Mapping[tuple[str, int], int], *, timeout_s: float | None = None
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record of each that is not earlier than its time; None where there is none.

        Raises ValueError for a time below 0.
        """
        return self._ask(lambda: self._inner.offsets_for_times(times_ms, timeout_s=timeout_s))

    def current_lag(self, partition: tuple[str, int]) -> int | None:
        """How far the position of an assigned partition is behind what can be read, by offsets.

        As the last fetch has told; None before the first. Raises UserError if not assigned.
        """
        return self._tell(lambda: self._inner.current_lag(partition))

    def partitions_for(
        self, topic: str, *, timeout_s: float | None = None
    ) -> list[PartitionMetadata]:
        """The partitions of a topic, in order, with leaders and replicas; waited for."""
        return self._ask(lambda: self._inner.partitions_for(topic, timeout_s=timeout_s))

    def metrics(self) -> ConsumerMetrics:
        """What was fetched and read so far, and how far each partition lags."""
        return self._tell(self._inner.metrics)

    # -- reading ---------------------------------------------------------------------------------

    def poll(
        self, max_records: int | None = None, timeout_s: float | None = None
    ) -> list[ConsumerRecord]:
        """The next records, at most `max_records` (`max_poll_records` where None).

        Waits for the first of them up to `timeout_s`, for ever where None; an empty list when that
        is over. Those of one partition are in order. Raises PartitionError, ConsumerClosedError,
        WakeupError.
        """
        count = self.options.max_poll_records if max_records is None else max_records
        if count < 1:
            raise ValueError(f"max_records is at least 1, not {count}")
        return self._reading.some(self._here(), count, timeout_s)

    def poll_batch(self, timeout_s: float | None = None) -> dict[TopicPartition, RecordColumns]:
        """The next records of each partition as columns, without an object for each record.

        Of each one piece of about a megabyte of plain records, or a single batch that is larger.
        Waits as `poll` does; an empty dict when the time is over.
        """
        return self._reading.columns(self._here(), timeout_s)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ConsumerRecord:
        """The next record. The loop ends when the consumer is closed; raises PartitionError."""
        try:
            return self._reading.next()
        except StopIteration:
            return self._next_from_loop()

    def _next_from_loop(self) -> ConsumerRecord:
        if self._is_closed and self._background is not None:
            raise StopIteration
        try:
            return self._reading.one(self._here())
        except ConsumerClosedError:
            if self._is_closed:
                raise StopIteration from None
            raise
