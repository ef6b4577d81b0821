"""The producer: what a program writes records with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Final, Self

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.base.world import Clock, Rng
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.options import DEFAULT_CLIENT_ID, ClusterOptions
from ottla.client.producer.accumulator import Accumulator, Headers
from ottla.client.producer.delivery import Delivery, RecordMetadata
from ottla.client.producer.errors import BufferFullError, ProducerClosedError
from ottla.client.producer.line import ClusterLine, Line
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.sender import Sender
from ottla.client.producer.transactions import GroupMember, Transactions
from ottla.transport.clock import SystemClock, SystemRng

_log = logging.getLogger(__name__)

TURN_RECORDS: Final = 1024
"""Records that `send_batch` takes before it lets the loop do other work."""


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

    # -- sending ---------------------------------------------------------------------------------

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> Delivery:
        """Take one record, and wait for nothing. Await what it returns for the record's place.

        Raises BufferFullError, RecordTooLargeError, ProducerClosedError, TypeError for what is
        not bytes, ValueError for an impossible timestamp or partition.
        """
        parts = self._running()
        accumulator = parts.accumulator
        records = accumulator.topics.get(topic) or accumulator.topic(topic)
        if timestamp_ms is None:
            timestamp_ms = accumulator.clock.now_ms()
        return records.send(value, key, partition, timestamp_ms, headers)

    async def put(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> Delivery:
        """As `send`, but wait for room; cancelled, the record was not taken.

        Raises BufferFullError after `max_block_ms`.
        """
        while True:
            try:
                return self.send(topic, value, key, partition, timestamp_ms, headers)
            except BufferFullError:
                await self._wait_for_room()

    async def _wait_for_room(self) -> None:
        parts = self._running()
        block_ms = self.options.max_block_ms
        try:
            async with asyncio.timeout(block_ms / 1000):
                await parts.sender.wait_for_room()
        except TimeoutError:
            raise BufferFullError(f"no room has come within {block_ms} ms") from None

    async def send_and_wait(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Headers = (),
    ) -> RecordMetadata:
        """`put`, and its outcome. Raises DeliveryError too. Cancelled, the record is still sent."""
        return await (await self.put(topic, value, key, partition, timestamp_ms, headers))

    async def send_batch(
        self,
        topic: str,
        values: Iterable[bytes | None],
        *,
        keys: Iterable[bytes | None] | None = None,
        timestamps: Iterable[int] | int | None = None,
        partition: int | None = None,
    ) -> list[Delivery]:
        """Take many records in their order, waiting for room where there is none.

        `keys` and `timestamps` have one for each value; one number is the time of all. Cancelled,
        the first of them were taken. Raises what `put` raises, ValueError for unequal lengths.
        """
        values = list(values)
        named = [None] * len(values) if keys is None else list(keys)
        now_ms = self._running().accumulator.clock.now_ms() if timestamps is None else timestamps
        times = [now_ms] * len(values) if isinstance(now_ms, int) else list(now_ms)
        if not len(values) == len(named) == len(times):
            raise ValueError(f"{len(named)} keys, {len(times)} timestamps, {len(values)} values")
        taken: list[Delivery] = []
        for value, key, timestamp_ms in zip(values, named, times, strict=True):
            try:
                taken.append(self.send(topic, value, key, partition, timestamp_ms))
            except BufferFullError:
                taken.append(await self.put(topic, value, key, partition, timestamp_ms))
            if not len(taken) % TURN_RECORDS:
                await asyncio.sleep(0)
        return taken

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
        self.accumulator = Accumulator(options, clock=clock, rng=rng, on_work=self._on_work)
        self.sender = Sender(line, self.accumulator)
        self.transactions: Transactions | None = None
        if options.transactional_id is not None:
            self.transactions = Transactions(line, self.accumulator, self.sender)

    def _on_work(self) -> None:
        self.sender.wake()

    async def close(self, timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                if self.transactions is not None:
                    await self.transactions.close()
                await self.sender.flush()
        except (TimeoutError, UserError) as error:
            _log.warning("the producer is closed in haste", extra={"reason": str(error)})
        finally:
            if self.transactions is not None:
                await self.transactions.stop()
            await self.sender.stop(ProducerClosedError("the producer was closed"))


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
