"""Records that wait to be sent: by topic and partition, within the memory they may take.

Owns no socket and no timer; the sender is told when there is something to look at.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from ottla.base.ids import TopicPartition
from ottla.base.world import Clock, Rng
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.delivery import Delivery, RecordMetadata, Settling
from ottla.client.producer.errors import BufferFullError, PartitionerError, RecordTooLargeError
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.partition_queue import PartitionQueue
from ottla.client.producer.partitioner import StickyPartition, key_number
from ottla.client.producer.record_size import size_bound
from ottla.wire.records.blocks import BlockWriter
from ottla.wire.records.rows import Rows, place_rows

Headers = Sequence[tuple[str, bytes | None]]


class UnplacedRows(Settling):
    """Stands for rows that are not taken yet, since their topic's partitions are not known."""

    __slots__ = ("since_ms", "wanted_partition")

    count = 0
    size = 0

    def __init__(self, wanted_partition: int | None, since_ms: int) -> None:
        super().__init__()
        self.wanted_partition = wanted_partition
        self.since_ms = since_ms

    def place(self, topic: TopicRecords) -> PartitionerError | None:
        """Tell who waits that they may be taken now."""
        self.settle()
        return None


class UnplacedRecord(Settling):
    """A record whose topic's partitions are not known yet."""

    __slots__ = ("_arguments", "_place", "delivery", "since_ms", "size")

    count = 1

    def __init__(self, arguments: _Arguments, since_ms: int) -> None:
        super().__init__()
        self._arguments = arguments
        self._place: tuple[Settling, int] | None = None
        self.since_ms = since_ms
        self.size = size_bound(arguments.key, arguments.value, arguments.headers)
        self.delivery = Delivery(self, 0)

    @property
    def wanted_partition(self) -> int | None:
        """The one that was asked for by number."""
        return self._arguments.partition

    def place(self, topic: TopicRecords) -> PartitionerError | None:
        """Put it where it belongs; who waits for it then waits for its batch. Or why it cannot."""
        try:
            self._place = topic.place(*self._arguments).where()
        except PartitionerError as error:
            return error
        self.hand_on()
        return None

    def forward(self, index: int) -> tuple[Settling, int] | None:
        """Its batch, once it has one."""
        return self._place

    def onward(self) -> tuple[Settling, ...]:
        """Its batch, once it has one."""
        return () if self._place is None else self._place[:1]

    def record(self, index: int) -> RecordMetadata:
        """Never asked: an unplaced record has no good outcome."""
        raise AssertionError("an unplaced record is not stored")


Unplaced = UnplacedRecord | UnplacedRows


class _Arguments(NamedTuple):
    value: bytes | None
    key: bytes | None
    partition: int | None
    timestamp_ms: int
    headers: Headers


class Taken(Protocol):
    """Whoever remembers where rows have gone."""

    def add(self, batch: ProducerBatch, index: int, rows: Sequence[int]) -> None:
        """These rows are in this batch, from this index on."""
        ...


class TopicRecords:
    """The records of one topic."""

    __slots__ = (
        "_accumulator",
        "_sticky",
        "leaderless",
        "name",
        "partition_count",
        "queues",
        "unplaced",
    )

    def __init__(self, name: str, accumulator: Accumulator) -> None:
        self.name = name
        self.partition_count = 0
        """0 while it is not known."""
        self.leaderless: frozenset[int] = frozenset()
        self.queues: dict[int, PartitionQueue] = {}
        self.unplaced: list[Unplaced] = []
        self._accumulator = accumulator
        self._sticky = StickyPartition(accumulator.rng)

    def send(
        self,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        timestamp_ms: int,
        headers: Headers,
    ) -> Delivery:
        """Take one record. Raises BufferFullError and RecordTooLargeError."""
        accumulator = self._accumulator
        if accumulator.bytes_left <= 0:
            raise BufferFullError(
                f"{accumulator.options.buffer_memory} bytes wait for their acknowledgement"
            )
        if partition is not None and partition < 0:
            raise ValueError(f"a partition has no number {partition}")
        if self.partition_count <= (partition or 0):
            return self._keep_unplaced(_Arguments(value, key, partition, timestamp_ms, headers))
        return self.place(value, key, partition, timestamp_ms, headers)

    def place(
        self,
        value: bytes | None,
        key: bytes | None,
        partition: int | None,
        timestamp_ms: int,
        headers: Headers,
    ) -> Delivery:
        """Put a record into its partition's last batch, or into a new one."""
        accumulator = self._accumulator
        bound = size_bound(key, value, headers)
        if bound > accumulator.record_bytes_max:
            raise too_large(bound, accumulator.record_bytes_max)
        goes_anywhere = False
        if partition is None:
            if key is not None:
                partition = key_number(key) % self.partition_count
            else:
                goes_anywhere = True
                partition = self._sticky.current
                if not 0 <= partition < self.partition_count:
                    partition = self._sticky.rotate(self.partition_count, self.leaderless)
        queue = self.queues.get(partition) or self._queue(partition)
        batch = queue.open
        if batch is None:
            batch = accumulator.open_batch(queue)
        elif batch.size + bound > accumulator.batch_bytes:
            if goes_anywhere:
                # One batch is a partition's share: records without a key go elsewhere now.
                accumulator.close_batch(queue)
                partition = self._sticky.rotate(self.partition_count, self.leaderless)
                queue = self.queues.get(partition) or self._queue(partition)
            batch = accumulator.room_for(queue, bound)
        before = batch.size
        try:
            delivery = batch.append(timestamp_ms, key, value, headers)
        except BaseException:
            accumulator.drop_empty(queue, batch)
            raise
        accumulator.bytes_left -= batch.size - before
        return delivery

    def sticky_partition(self) -> int:
        """Where records without a key go now."""
        if not 0 <= self._sticky.current < self.partition_count:
            return self._sticky.rotate(self.partition_count, self.leaderless)
        return self._sticky.current

    # -- many at once ----------------------------------------------------------------------------

    def place_rows(self, rows: Rows, first: int, end: int, into: Taken) -> None:
        """Each row by its key; those without one go where records without a key go now."""
        if rows.keys is None:
            self._place_keyless(rows, first, end, into)
            return
        keyless = self.sticky_partition()
        order, shares = place_rows(rows, first, end, self.partition_count, keyless)
        for partition, start, stop in shares:
            self.append_rows(partition, rows, order, start, stop, into)

    def _place_keyless(self, rows: Rows, first: int, end: int, into: Taken) -> None:
        while first < end:
            first = self._fill(self.sticky_partition(), rows, None, first, end, into)

    def append_rows(
        self,
        partition: int,
        rows: Rows,
        order: array[int] | None,
        first: int,
        end: int,
        into: Taken,
    ) -> None:
        """Rows of one partition: those from `first` to `end` of `order`, or of the columns."""
        while first < end:
            first = self._fill(partition, rows, order, first, end, into)

    def _fill(
        self,
        partition: int,
        rows: Rows,
        order: array[int] | None,
        first: int,
        end: int,
        into: Taken,
    ) -> int:
        """Rows into the partition's last batch, or into a new one; the first that has no room."""
        accumulator = self._accumulator
        queue = self.queues.get(partition) or self._queue(partition)
        batch = queue.open or accumulator.open_batch(queue)
        index, before = batch.count, batch.size
        try:
            stopped = batch.append_rows(rows, order, first, end, accumulator.batch_bytes)
        except BaseException:
            accumulator.drop_empty(queue, batch)
            raise
        accumulator.bytes_left -= batch.size - before
        if stopped > first:
            into.add(batch, index, range(first, stopped) if order is None else order[first:stopped])
        if stopped < end:
            accumulator.close_batch(queue)
            self.drained(partition)
        return stopped

    def drained(self, partition: int) -> None:
        """The partition's open batch was sent: records without a key go elsewhere now."""
        if partition == self._sticky.current and self.partition_count:
            self._sticky.rotate(self.partition_count, self.leaderless)

    def _queue(self, partition: int) -> PartitionQueue:
        queue = self._accumulator.new_queue(TopicPartition(self.name, partition))
        self.queues[partition] = queue
        return queue

    def _keep_unplaced(self, arguments: _Arguments) -> Delivery:
        accumulator = self._accumulator
        # Copied: the caller may use the same list for the next record.
        kept = arguments._replace(headers=tuple(arguments.headers))
        # What cannot be encoded is told to who sends it, not when the topic is found.
        BlockWriter().write(kept.timestamp_ms, kept.key, kept.value, kept.headers)
        record = UnplacedRecord(kept, accumulator.clock.monotonic_ms())
        if record.size > accumulator.record_bytes_max:
            raise too_large(record.size, accumulator.record_bytes_max)
        self.unplaced.append(record)
        accumulator.bytes_left -= record.size
        accumulator.on_work()
        return record.delivery

    async def find_partitions(self, partition: int | None) -> None:
        """Wait until they are known, this one among them. Raises DeliveryTimeoutError."""
        if self.partition_count > (partition or 0):
            return
        unplaced = UnplacedRows(partition, self._accumulator.clock.monotonic_ms())
        self.unplaced.append(unplaced)
        self._accumulator.on_work()
        try:
            while not unplaced.settled:
                await unplaced.changed()
        finally:
            if not unplaced.settled:
                self.unplaced.remove(unplaced)
                # Cancelled: a flush may wait for these rows as well.
                unplaced.settle()
        if unplaced.error is not None:
            raise unplaced.error

    def place_waiting(self) -> list[tuple[Unplaced, PartitionerError]]:
        """Partitions have become known: place what has waited for them, in order.

        Returns those that no partition was found for: they stand in no list any more.
        """
        waiting, self.unplaced = self.unplaced, []
        refused: list[tuple[Unplaced, PartitionerError]] = []
        for unplaced in waiting:
            if (unplaced.wanted_partition or 0) >= self.partition_count:
                self.unplaced.append(unplaced)
                continue
            # What is placed takes its room anew, as part of a batch.
            self._accumulator.bytes_left += unplaced.size
            error = unplaced.place(self)
            if error is not None:
                self._accumulator.bytes_left -= unplaced.size
                refused.append((unplaced, error))
        return refused


def too_large(size: int, size_max: int) -> RecordTooLargeError:
    """To raise."""
    return RecordTooLargeError(
        f"a record of about {size} bytes; max_request_size and buffer_memory allow {size_max}"
    )


class Accumulator:
    """All records without an outcome. `bytes_left` may go below zero by one record."""

    def __init__(
        self,
        options: ProducerOptions,
        *,
        clock: Clock,
        rng: Rng,
        on_work: Callable[[], None],
        make_topic: Callable[[str, Accumulator], TopicRecords] = TopicRecords,
    ) -> None:
        self.options = options
        self._make_topic = make_topic
        self.clock = clock
        self.rng = rng
        self.on_work = on_work
        """Called when a batch is opened, one is full, or a topic must be looked up."""
        self.bytes_left = options.buffer_memory
        self.batch_bytes = options.batch_bytes
        self.record_bytes_max = min(options.max_request_size, options.buffer_memory)
        self.topics: dict[str, TopicRecords] = {}
        self.busy: dict[TopicPartition, PartitionQueue] = {}
        """Queues with something in them; who was served last stands last."""
        self.mutes = False
        """Whether a new partition must first become part of a transaction."""
        self._is_idempotent = options.is_idempotent
        self._is_transactional = options.transactional_id is not None

    def topic(self, name: str) -> TopicRecords:
        """The records of a topic, known or not."""
        found = self.topics.get(name)
        if found is None:
            found = self.topics[name] = self._make_topic(name, self)
        return found

    def new_queue(self, partition: TopicPartition) -> PartitionQueue:
        """For `TopicRecords`."""
        queue = PartitionQueue(
            partition,
            linger_ms=self.options.linger_ms,
            idempotent=self._is_idempotent,
            transactional=self._is_transactional,
        )
        queue.muted = self.mutes
        return queue

    def open_batch(self, queue: PartitionQueue) -> ProducerBatch:
        """Begin a batch at the queue's end; the one before it is full and may go."""
        batch = ProducerBatch(queue.partition, self.clock.monotonic_ms())
        queue.fresh.append(batch)
        queue.open = batch
        self.busy[queue.partition] = queue
        self.on_work()
        return batch

    def room_for(self, queue: PartitionQueue, size: int) -> ProducerBatch:
        """The queue's open batch where it has so much room; else it is closed, and a new one."""
        batch = queue.open
        if batch is not None and batch.size + size <= self.batch_bytes:
            return batch
        return self.open_batch(queue)

    def close_batch(self, queue: PartitionQueue) -> None:
        """The queue's last batch is full, and may go."""
        queue.open = None
        self.on_work()

    @staticmethod
    def drop_empty(queue: PartitionQueue, batch: ProducerBatch) -> None:
        """Forget a batch whose first record was not taken after all."""
        if not batch.count:
            queue.fresh.pop()
            queue.open = None

    def release(self, size: int) -> None:
        """The memory of a batch with an outcome."""
        self.bytes_left += size

    def unsettled(self) -> list[Settling]:
        """Everything without an outcome now."""
        waiting: list[Settling] = []
        for queue in self.busy.values():
            waiting += queue.unsettled
        for topic in self.topics.values():
            waiting += topic.unplaced
        return waiting
