"""The producer: what a program writes records with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.base.world import Clock, Rng
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.group_member import GroupMember
from ottla.client.options import DEFAULT_CLIENT_ID, ClusterOptions
from ottla.client.producer.accumulator import Accumulator, Headers, TopicRecords
from ottla.client.producer.delivery import Delivery, RecordMetadata
from ottla.client.producer.errors import BufferFullError, ProducerClosedError
from ottla.client.producer.line import ClusterLine, Line
from ottla.client.producer.metrics import ProducerMetrics
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.partitioned_topic import PartitionedTopic
from ottla.client.producer.partitioners import make_partitioner
from ottla.client.producer.record_encoding import encoder_of
from ottla.client.producer.row_columns import ArrowColumn, ArrowTable, Column, RowHeaders, read_rows
from ottla.client.producer.row_intake import RowIntake
from ottla.client.producer.sender import Sender
from ottla.client.producer.taken_rows import BatchDelivery
from ottla.client.producer.transactions import Transactions
from ottla.transport.clock import SystemClock, SystemRng

_log = logging.getLogger(__name__)


class Fields(TypedDict, total=False):
    """What `put` and `send_and_wait` take beside the key, as `send` does."""

    partition: int | None
    timestamp_ms: int | None
    headers: Headers


class Producer:
    """Writes records to any Kafka-compatible cluster, from one event loop.

    async with Producer("localhost:9092", compression="zstd") as producer:
        delivery = producer.send("orders", b"value", key=b"key")
        print((await delivery).offset)

    The end of the block waits until every record has its outcome. No call here loses a record that
    was taken when it is cancelled.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ProducerOptions` and `ClusterOptions`. Asks nothing yet.

        Raises UserError for a setting that is unknown, or contradicts another.
        """
        self.options, self._cluster_options = _read(settings)
        self._encoder = encoder_of(self.options)
        if self._encoder is not None:
            # In the place of the method: sending bytes as they are asks nothing about serializers.
            self.send = self._send_encoded  # type: ignore[method-assign]  # of the same signature
        self._bootstrap = bootstrap
        self._cluster: Cluster | None = None
        self._parts: _Parts | None = None
        self._is_closed = False

    # -- life ------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin; `async with` does it. With a transactional_id, take it.

        Raises UserError for what is no address, and what `Transactions.init` raises.
        """
        if self._parts is not None or self._is_closed:
            raise UserError("a producer is started once")
        self._cluster = Cluster(self._bootstrap, self._cluster_options)
        line = ClusterLine(self._cluster, self.options.transactional_id)
        try:
            await self.start_on(line, clock=SystemClock(), rng=SystemRng())
        except BaseException:
            await self.close()
            raise

    async def start_on(self, line: Line, *, clock: Clock, rng: Rng) -> None:
        """Begin on this line, which stays open at the end: for tests, and shared connections."""
        self._parts = parts = _Parts(line, self.options, clock=clock, rng=rng)
        if parts.transactions is not None:
            await parts.transactions.init()

    async def close(self, *, timeout_s: float | None = None) -> None:
        """Wait until every record has its outcome, for up to `timeout_s`, and let go.

        What has no outcome then gets ProducerClosedError. An open transaction is aborted. Closing
        twice is fine.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            if self._parts is not None:
                await self._parts.close(timeout_s)
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

    def _running(self) -> _Parts:
        parts = self._parts
        if parts is None or self._is_closed:
            raise ProducerClosedError("the producer is closed, or was not started")
        if parts.sender.fatal is not None:
            raise parts.sender.fatal
        if parts.transactions is not None and not parts.transactions.is_open:
            raise UserError("a producer with a transactional_id writes inside a transaction")
        return parts

    def check_open(self) -> None:
        """Raises what `send` would raise for any record: closed, failed, outside a transaction."""
        self._running()

    # -- sending ---------------------------------------------------------------------------------

    def send(
        self,
        topic: str,
        value: Any,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> Delivery:
        """Take one record, and wait for nothing. Await what it returns for the record's place.

        Key and value are bytes or None, or what the serializers of this producer take. Raises
        BufferFullError, RecordTooLargeError, ProducerClosedError, SerializationError, TypeError
        for what is not bytes, ValueError for an impossible timestamp or partition.
        """
        parts = self._running()
        accumulator = parts.accumulator
        records = accumulator.topics.get(topic) or accumulator.topic(topic)
        if timestamp_ms is None:
            timestamp_ms = accumulator.clock.now_ms()
        return records.send(value, key, partition, timestamp_ms, headers)

    def _send_encoded(
        self,
        topic: str,
        value: Any,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> Delivery:
        assert self._encoder is not None
        value, key, headers = self._encoder.encode(topic, value, key, headers)
        return Producer.send(self, topic, value, key, partition, timestamp_ms, headers)

    async def put(
        self, topic: str, value: Any, key: Any = None, **fields: Unpack[Fields]
    ) -> Delivery:
        """As `send`, but wait for room; cancelled, the record was not taken.

        Raises BufferFullError after `max_block_ms`.
        """
        if self._encoder is not None:
            value, key, headers = self._encoder.encode(topic, value, key, fields.get("headers", ()))
            fields["headers"] = headers
        try:
            return Producer.send(self, topic, value, key, **fields)
        except BufferFullError:
            return await self._put_when_there_is_room(topic, value, key, fields)

    async def _put_when_there_is_room(
        self, topic: str, value: Any, key: Any, fields: Fields
    ) -> Delivery:
        """Others may take the room first, again and again: the time is that of all waits."""
        async with self._blocking():
            while True:
                await self._running().sender.wait_for_room()
                with suppress(BufferFullError):
                    return Producer.send(self, topic, value, key, **fields)

    @asynccontextmanager
    async def _blocking(self) -> AsyncIterator[None]:
        """What may take `max_block_ms`. Raises BufferFullError after that."""
        block_ms = self.options.max_block_ms
        try:
            async with asyncio.timeout(block_ms / 1000):
                yield
        except TimeoutError:
            raise BufferFullError(f"no room has come within {block_ms} ms") from None

    async def _wait_for_room(self) -> None:
        async with self._blocking():
            await self._running().sender.wait_for_room()

    async def send_and_wait(
        self, topic: str, value: Any, key: Any = None, **fields: Unpack[Fields]
    ) -> RecordMetadata:
        """`put`, and its outcome. Raises DeliveryError too. Cancelled, the record is still sent."""
        return await (await self.put(topic, value, key, **fields))

    async def send_batch(
        self,
        topic: str,
        values: Column | ArrowTable,
        *,
        keys: Column | None = None,
        timestamps: Sequence[int] | ArrowColumn | int | None = None,
        headers: RowHeaders | ArrowColumn | None = None,
        partition: int | None = None,
    ) -> BatchDelivery:
        """Take many records as columns, in their order; wait for room, not for their outcome.

        Columns are sequences, `BytesColumn`s or Arrow's arrays, with one item for each value; a
        timestamp may be one for all, and `values` an Arrow table of value, key, timestamp and
        headers. Nobody may change them until this returns. What is returned can be awaited for the
        places of the rows.

        Before any row is taken: TypeError, ValueError, RecordTooLargeError, DeliveryTimeoutError
        where the topic is not found, and what `send` raises of a closed producer; ImportError for
        Arrow without pyarrow. After that RowsCutOffError. Cancelled, it has taken the first so many
        rows, which are sent once like any.
        """
        parts = self._running()
        accumulator = parts.accumulator
        if timestamps is None:
            timestamps = accumulator.clock.now_ms()
        rows = read_rows(values, keys, timestamps, headers)
        if partition is not None and partition < 0:
            raise ValueError(f"a partition has no number {partition}")
        number = parts.transactions and parts.transactions.number

        def go_on() -> None:
            transactions = self._running().transactions
            if transactions is not None and transactions.number != number:
                raise UserError("the transaction of these rows has ended")

        intake = RowIntake(
            rows,
            accumulator.topic(topic),
            accumulator,
            partition=partition,
            go_on=go_on,
            wait_for_room=self._wait_for_room,
        )
        return await intake.take_all()

    def metrics(self) -> ProducerMetrics:
        """What was done so far. Raises ProducerClosedError before the start."""
        if self._parts is None:
            raise ProducerClosedError("the producer was not started")
        return self._parts.metrics()

    async def flush(self) -> None:
        """Send all that is here at once, and wait until each record has its outcome.

        Raises nothing of the records' own: their deliveries tell.
        """
        if self._parts is not None:
            await self._parts.sender.flush()

    # -- transactions ----------------------------------------------------------------------------

    def _transactions(self) -> Transactions:
        if self._parts is None or self._is_closed:
            raise ProducerClosedError("the producer is closed, or was not started")
        if self._parts.transactions is None:
            raise UserError("transactions need a transactional_id")
        return self._parts.transactions

    async def begin_transaction(self) -> None:
        """Begin; one at a time. Raises UserError, and the fatal error of a fenced producer."""
        await self._transactions().begin()

    async def commit_transaction(self) -> None:
        """Wait for every record, then commit. Raises TransactionError: abort it then."""
        await self._transactions().commit()

    async def abort_transaction(self) -> None:
        """Drop what was not sent; readers of committed records see nothing of the transaction."""
        await self._transactions().abort()

    async def send_offsets(
        self, offsets: Mapping[TopicPartition, int], group: str | GroupMember
    ) -> None:
        """Commit a group's positions (the next offsets to read) with this transaction."""
        member = GroupMember(group) if isinstance(group, str) else group
        await self._transactions().send_offsets(offsets, member)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Commit at the end of the block; abort where the block or the commit raises."""
        transactions = self._transactions()
        await transactions.begin()
        try:
            yield
            await transactions.commit()
        except BaseException:
            if transactions.can_abort:
                await transactions.abort()
            raise


class _Parts:
    """What a started producer is made of."""

    def __init__(self, line: Line, options: ProducerOptions, *, clock: Clock, rng: Rng) -> None:
        self.accumulator = Accumulator(
            options,
            clock=clock,
            rng=rng,
            on_work=self._on_work,
            make_topic=_topics_of(options),
        )
        self.sender = Sender(line, self.accumulator)
        self.transactions: Transactions | None = None
        if options.transactional_id is not None:
            self.transactions = Transactions(line, self.accumulator, self.sender)

    def metrics(self) -> ProducerMetrics:
        room = self.accumulator.options.buffer_memory
        return self.sender.counts.metrics(
            buffer_bytes_used=room - self.accumulator.bytes_left, buffer_bytes_max=room
        )

    def _on_work(self) -> None:
        self.sender.wake()

    async def close(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._end_transaction()
                await self.sender.flush()
        except TimeoutError as error:
            _log.warning("the producer is closed in haste", extra={"reason": str(error)})
        finally:
            try:
                if self.transactions is not None:
                    await self.transactions.stop()
            finally:
                await self.sender.stop(ProducerClosedError("the producer was closed"))

    async def _end_transaction(self) -> None:
        if self.transactions is None:
            return
        try:
            await self.transactions.close()
        except (UserError, ProtocolError) as error:
            _log.warning("a transaction did not end", extra={"reason": str(error)})


def _topics_of(options: ProducerOptions) -> Callable[[str, Accumulator], TopicRecords]:
    partitioner = make_partitioner(options.partitioner)
    if partitioner is None:
        return TopicRecords
    return partial(PartitionedTopic, partitioner=partitioner)


def _read(settings: dict[str, Any]) -> tuple[ProducerOptions, ClusterOptions]:
    of_producer = set(ProducerOptions.__struct_fields__)
    of_cluster = set(ClusterOptions.__struct_fields__)
    unknown = settings.keys() - of_producer - of_cluster
    if unknown:
        raise UserError(f"a producer has no setting {', '.join(sorted(unknown))}")
    settings = {"client_id": DEFAULT_CLIENT_ID, **settings}
    return (
        ProducerOptions(**{name: settings[name] for name in settings.keys() & of_producer}),
        ClusterOptions(**{name: settings[name] for name in settings.keys() & of_cluster}),
    )
