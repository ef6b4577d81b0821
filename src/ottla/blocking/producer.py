"""The producer for plain calls and threads: the twin of `ottla.client.producer.Producer`."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, TypeVar, Unpack

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.base.limits import BLOCKING_HANDED_RECORD_BYTES
from ottla.blocking.call import Work
from ottla.blocking.client import BlockingClient
from ottla.blocking.delivery import BatchDelivery, BlockingRowsCutOffError, Delivery
from ottla.blocking.hand_over import HandOver
from ottla.client.address import Address
from ottla.client.group_member import GroupMember
from ottla.client.producer import BatchDelivery as AsyncioBatchDelivery
from ottla.client.producer import Producer as AsyncioProducer
from ottla.client.producer import (
    ProducerClosedError,
    ProducerMetrics,
    ProducerOptions,
    RecordMetadata,
    RecordTooLargeError,
    RowsCutOffError,
)
from ottla.client.producer.producer import Fields
from ottla.client.producer.record_encoding import encoder_of
from ottla.client.producer.record_size import RECORD_OVERHEAD_BYTES_MAX, size_bound
from ottla.client.producer.row_columns import ArrowColumn, ArrowTable, Column, RowHeaders
from ottla.wire.records.record import Record
from ottla.wire.records.rows import check_record

T = TypeVar("T")
Headers = Sequence[tuple[str, bytes | None]]
Listener = Callable[[Delivery], object]

_SERIALIZERS: Final = ("key_serializer", "value_serializer")
_MILLISECOND_NS: Final = 1_000_000


class Producer(BlockingClient):
    """Writes records to any Kafka-compatible cluster, from any number of threads.

    with Producer("localhost:9092", compression="zstd") as producer:
        delivery = producer.send("orders", b"value", key=b"key")
        print(delivery.result().offset)

    The end of the block waits until every record has its outcome. Records that one thread sends to
    one partition are stored in their order. After a fork the child makes a producer of its own.
    """

    def __init__(self, bootstrap: str | Sequence[Address], **settings: Any) -> None:
        """`settings` are those of `ottla.Producer`. Asks nothing yet.

        Raises UserError for a setting that is unknown, or contradicts another.
        """
        super().__init__()
        self._inner = AsyncioProducer(bootstrap, **settings)
        self.options: ProducerOptions = self._inner.options
        """The settings in use."""
        self._encoder = encoder_of(self.options)
        if self._encoder is not None:
            # Serializers work in the thread that sends; the loop is given bytes.
            plain = {name: value for name, value in settings.items() if name not in _SERIALIZERS}
            self._inner = AsyncioProducer(bootstrap, **plain)
        self._hand_over: HandOver | None = None
        options = self.options
        self._is_transactional = options.transactional_id is not None
        self._block_s = options.max_block_ms / 1000
        # Of key, value and headers: what is not longer needs no closer look.
        self._plain_bytes_max = (
            min(options.max_request_size, options.buffer_memory) - RECORD_OVERHEAD_BYTES_MAX
        )

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin; `with` does it. With a transactional_id, take it.

        Raises UserError for what is no address, and what the transactional_id's coordinator says.
        """
        self._begin(self._inner.start)
        self._hand_over = HandOver(self._here(), self._inner)

    def close(self, *, timeout_s: float | None = None) -> None:
        """Wait until every record has its outcome, for up to `timeout_s`, and let go.

        What has no outcome then gets ProducerClosedError. An open transaction is aborted. Closing
        twice is fine.
        """
        self._finish(timeout_s)

    def _end(self, timeout_s: float | None) -> Callable[[], Coroutine[Any, Any, None]]:
        inner, hand_over = self._inner, self._hand_over

        async def end() -> None:
            left_s = timeout_s
            if hand_over is not None:
                began_s = time.monotonic()
                await hand_over.close(timeout_s, ProducerClosedError("the producer was closed"))
                if timeout_s is not None:
                    left_s = max(timeout_s - (time.monotonic() - began_s), 0)
            await inner.close(timeout_s=left_s)

        return end

    def _not_open(self) -> UserError:
        return ProducerClosedError("the producer is closed, or was not started")

    def _left_behind(self, error: UserError) -> None:
        if self._hand_over is not None:
            self._hand_over.leave(error)
            self._hand_over = None

    # -- sending ---------------------------------------------------------------------------------

    def send(
        self,
        topic: str,
        value: Any,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
        *,
        on_delivery: Listener | None = None,
    ) -> Delivery:
        """Take one record; wait only where the buffer is full. What it returns tells the outcome.

        `on_delivery` is called with the delivery at its outcome, in the thread of all blocking
        clients: it may send and must not wait. Raises BufferFullError after `max_block_ms`,
        RecordTooLargeError, ProducerClosedError, SerializationError, TypeError for what is not
        bytes, ValueError for an impossible timestamp or partition; the error of a transaction that
        must be aborted. Serializers run in the calling thread.
        """
        hand_over = self._hand_over
        if hand_over is None or self._is_closed:
            self._here()
            raise self._not_open()
        if hand_over.is_refused or self._is_transactional:
            self._inner.check_open()
        if self._encoder is not None:
            value, key, headers = self._encoder.encode(topic, value, key, headers)
        size = 0
        # All that could be refused later is refused now, while there is somebody to tell.
        if key is not None or value.__class__ is not bytes or headers or timestamp_ms is not None:
            headers = tuple(headers)
            check_record(Record(0, timestamp_ms or 0, key, value, headers))
            size = size_bound(key, None, headers)
        if timestamp_ms is None:
            timestamp_ms = time.time_ns() // _MILLISECOND_NS
        if value is not None:
            size += len(value)
        if size > self._plain_bytes_max:
            self._check_size(key, value, headers)
        if partition is not None and partition < 0:
            raise ValueError(f"a partition has no number {partition}")
        delivery = Delivery(hand_over)
        hand_over.put(
            (
                delivery,
                on_delivery,
                size + BLOCKING_HANDED_RECORD_BYTES,
                (topic, value, key, partition, timestamp_ms, headers),
            ),
            self._block_s,
        )
        return delivery

    def _check_size(self, key: bytes | None, value: bytes | None, headers: Headers) -> None:
        size_max = self._plain_bytes_max + RECORD_OVERHEAD_BYTES_MAX
        size = size_bound(key, value, headers)
        if size > size_max:
            raise RecordTooLargeError(
                f"a record of about {size} bytes; max_request_size and buffer_memory allow "
                f"{size_max}"
            )

    def put(self, topic: str, value: Any, key: Any = None, **fields: Unpack[Fields]) -> Delivery:
        """As `send`, which waits for room here."""
        return self.send(topic, value, key, **fields)

    def send_and_wait(
        self, topic: str, value: Any, key: Any = None, **fields: Unpack[Fields]
    ) -> RecordMetadata:
        """`send`, and its outcome. Raises DeliveryError too. Interrupted, it is still sent."""
        return self.send(topic, value, key, **fields).result()

    def send_batch(
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
        headers. Nobody may change them until this returns. What is returned tells the places of
        the rows.

        Before any row is taken: TypeError, ValueError, RecordTooLargeError, DeliveryTimeoutError
        where the topic is not found, and what `send` raises of a closed producer; ImportError for
        Arrow without pyarrow. After that RowsCutOffError. Interrupted, it has taken the first so
        many rows, which are sent once like any.
        """
        self._here()
        hand_over, inner = self._hand_over, self._inner
        assert hand_over is not None

        def send() -> Coroutine[Any, Any, AsyncioBatchDelivery]:
            return inner.send_batch(
                topic,
                values,
                keys=keys,
                timestamps=timestamps,
                headers=headers,
                partition=partition,
            )

        try:
            return BatchDelivery(hand_over, self._run_behind(send))
        except RowsCutOffError as error:
            raise BlockingRowsCutOffError(error, hand_over) from error.__cause__

    def metrics(self) -> ProducerMetrics:
        """What was done so far. Raises ProducerClosedError before the start and after the end."""

        async def metrics() -> ProducerMetrics:
            return self._inner.metrics()

        return self._run(metrics)

    def flush(self) -> None:
        """Send all that is here at once, and wait until each record has its outcome.

        Raises nothing of the records' own: their deliveries tell.
        """
        self._run_behind(self._inner.flush)

    def _run_behind(self, work: Work[T]) -> T:
        """Run on the loop, when the producer there has all that was sent before."""
        hand_over = self._hand_over

        async def main() -> T:
            if hand_over is not None:
                await hand_over.handed_over()
            return await work()

        return self._run(main)

    # -- transactions ----------------------------------------------------------------------------

    def begin_transaction(self) -> None:
        """Begin; one at a time. Raises UserError, and the fatal error of a fenced producer."""
        self._run_behind(self._inner.begin_transaction)

    def commit_transaction(self) -> None:
        """Wait for every record, then commit. Raises TransactionError: abort it then."""
        self._run_behind(self._inner.commit_transaction)

    def abort_transaction(self) -> None:
        """Drop what was not sent; readers of committed records see nothing of the transaction."""
        self._run_behind(self._inner.abort_transaction)

    def send_offsets(self, offsets: Mapping[TopicPartition, int], group: str | GroupMember) -> None:
        """Commit a group's positions (the next offsets to read) with this transaction."""
        self._run_behind(lambda: self._inner.send_offsets(offsets, group))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block; abort where the block or the commit raises."""
        transaction = self._inner.transaction()
        self._run(transaction.__aenter__)
        try:
            yield
        except BaseException as error:
            cause = error
            self._run_behind(lambda: transaction.__aexit__(type(cause), cause, cause.__traceback__))
            raise
        self._run_behind(lambda: transaction.__aexit__(None, None, None))
