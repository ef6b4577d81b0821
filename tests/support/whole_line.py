"""Our producer and our consumer with a whole broker between them, in memory, and seeded trouble.

Time stands still and is stepped, nothing has a socket, and all chance comes from one seed: a run
that fails is the same run every time. What is lost, doubled or out of order, `check` finds.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, NamedTuple, TypeVar

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.base.limits import MIB
from ottla.client.cluster import Cluster
from ottla.client.consumer import Consumer
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import DeadlineError, RefusedError
from ottla.client.options import ClusterOptions
from ottla.client.producer import (
    BatchDelivery,
    Delivery,
    DeliveryError,
    OutcomeUnknownError,
    Producer,
)
from ottla.client.producer.errors import TransactionAbortedError, TransactionError
from ottla.client.producer.line import ClusterLine
from ottla.testing.memory_broker import BEHIND, FRONT, MemoryBroker
from ottla.wire.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    PartitionData,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopic,
    OffsetFetchResponse,
)
from ottla.wire.records.batch import iter_batches
from ottla.wire.records.record import Record, iter_records
from tests.support.cluster import SeededRng
from tests.support.stepped_loop import SteppedClock, SteppedLoop

T = TypeVar("T")

TOPIC = "t"
PARTITIONS = 2
GROUP = "g"
LONGEST_STEP_MS = 50
SECONDS_MAX = 180
READING_SECONDS_MAX = 60
BROKER_DOWN_MS_MAX = 400
QUICK = {
    "request_timeout_ms": 2_000,
    "retry_backoff_max_ms": 200,
    "reconnect_backoff_max_ms": 200,
    "metadata_max_age_ms": 700,
    "socket_connection_setup_timeout_ms": 1_000,
}
REFUSALS = {
    "Produce": ["NOT_LEADER_OR_FOLLOWER", "REQUEST_TIMED_OUT", "UNKNOWN_TOPIC_OR_PARTITION"],
    "Fetch": ["NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION", "FETCH_SESSION_ID_NOT_FOUND"],
    "Metadata": ["LEADER_NOT_AVAILABLE", "UNKNOWN_TOPIC_OR_PARTITION"],
    "ListOffsets": ["NOT_LEADER_OR_FOLLOWER", "LEADER_NOT_AVAILABLE"],
    "InitProducerId": ["COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR"],
    "FindCoordinator": ["COORDINATOR_NOT_AVAILABLE"],
    "EndTxn": ["COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "CONCURRENT_TRANSACTIONS"],
    "AddPartitionsToTxn": ["CONCURRENT_TRANSACTIONS", "NOT_COORDINATOR"],
    "TxnOffsetCommit": ["NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS"],
}
"""Errors that help themselves, by the API that tells them."""


class Sent(NamedTuple):
    """A record that was given to the producer; `delivery` is None where its call was cut off."""

    value: bytes
    delivery: Delivery | None


class Transaction:
    """What one wrote, by partition; `outcome` says whether it is there, None where none can say."""

    def __init__(self, values: list[set[bytes]]) -> None:
        self.values = values
        self.position: int | None = None
        self.outcome: bool | None = None


class WholeLine:
    """One run. Make it, `run` it, `check` it; it closes itself."""

    def __init__(
        self, seed: int, *, api_versions: str | None = None, transactional: bool = False
    ) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.clock = SteppedClock()
        self.loop = SteppedLoop(self.clock)
        self.is_transactional = transactional
        self.sent: list[list[Sent]] = [[] for _ in range(PARTITIONS)]
        self.committed: list[set[bytes]] = [set() for _ in range(PARTITIONS)]
        self.batches: list[tuple[int, list[bytes], BatchDelivery]] = []
        self.transactions: list[Transaction] = []
        self.seen: list[list[tuple[int, bytes | None]]] = [[] for _ in range(PARTITIONS)]
        self.stored: list[list[Record]] = []
        self.position = -1
        self.is_quiet = False
        self.is_written = False
        self.troubles: list[str] = []
        self._numbers = iter(range(1 << 30))
        self._api_versions = api_versions
        self.broker: MemoryBroker

    # -- time ------------------------------------------------------------------------------------

    def run(self, count: int) -> None:
        """Write so many records and read them, in trouble; then let it end in peace."""
        task = self.loop.create_task(self._run(count))
        end_ms = self.clock.elapsed_ms + SECONDS_MAX * 1000
        try:
            while not task.done():
                assert self.clock.elapsed_ms < end_ms, f"not done, seed {self.seed}"
                self.loop.advance(self._next_step_ms())
            task.result()
        finally:
            for left in asyncio.all_tasks(self.loop):
                left.cancel()
            self.loop.settle()
            self.loop.close()

    def _next_step_ms(self) -> int:
        """Until the next timer is due, and no further than what a clock may be late."""
        timers = self.loop._scheduled  # type: ignore[attr-defined]  # the heap of asyncio's own loops
        due_ms = timers[0].when() * 1000 - self.clock.elapsed_ms if timers else LONGEST_STEP_MS
        return max(1, min(LONGEST_STEP_MS, int(due_ms) + 1))

    async def _run(self, count: int) -> None:
        self.broker = MemoryBroker(
            {"log.cleaner.enable": False, "log.retention.check.interval.ms": 3_600_000},
            api_versions=self._api_versions,
            clock=self.clock,
            rng=SeededRng(self.seed),
        )
        await self.broker.start()
        await self.broker.create_topic(TOPIC, PARTITIONS)
        troubling = asyncio.ensure_future(self._trouble())
        reading = asyncio.ensure_future(self._read())
        try:
            await self._write(count)
            self.is_written = True
            self.is_quiet = True
            await troubling
            await self._look_at_logs()
            await asyncio.wait([reading], timeout=READING_SECONDS_MAX)
            assert reading.done(), f"seed {self.seed}: the reader does not come to the end"
            reading.result()
        finally:
            troubling.cancel()
            reading.cancel()
            await asyncio.wait([troubling, reading])
            await self.broker.close()

    # -- chance ----------------------------------------------------------------------------------

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    async def cut_off(self, work: Coroutine[Any, Any, T], *, probability: float = 0.3) -> T | None:
        """What it returns, unless it is cancelled: at one of its first awaits, or at any time."""
        task = asyncio.ensure_future(work)
        if not self.is_quiet and self.chance(probability):
            if self.chance(0.6):
                for _ in range(self.random.randrange(25)):
                    await asyncio.sleep(0)
            else:
                await asyncio.wait([task], timeout=self.random.randrange(600) / 1000)
            task.cancel()
        await asyncio.wait([task])
        return None if task.cancelled() else task.result()

    # -- trouble ---------------------------------------------------------------------------------

    async def _trouble(self) -> None:
        kinds: list[Callable[[], Awaitable[None] | None]] = [
            self._cut_everything,
            self._cut_in_the_midst,
            self._cut_in_the_midst,
            self._lose_answers,
            self._refuse,
            self._refuse,
            self._hold_up,
            self._slow_network,
            self._restart,
        ]
        while not self.is_quiet:
            await asyncio.sleep(self.random.randrange(1, 250) / 1000)
            kind = self.random.choice(kinds)
            self.troubles.append(kind.__name__)
            work = kind()
            if work is not None:
                await work
        network = self.broker.network
        self.broker.faults.clear()
        network.cut_at, network.piece_bytes, network.delay_ms = None, MIB, lambda: 0
        if not self.broker.running:
            await self.broker.start()

    def _cut_everything(self) -> None:
        self.broker.network.cut(self.random.choice([FRONT, BEHIND]))

    def _cut_in_the_midst(self) -> None:
        network = self.broker.network
        network.piece_bytes = self.random.choice([1 << 20, 200, 37])
        network.cut_at = network.events + self.random.randrange(1, 40)

    def _lose_answers(self) -> None:
        api = self.random.choice(["Produce", "Produce", "Fetch", "EndTxn", "InitProducerId"])
        self.broker.faults.lose_answer(api, nth=self.random.randrange(1, 3))

    def _refuse(self) -> None:
        api = self.random.choice(list(REFUSALS))
        error = self.random.choice(REFUSALS[api])
        self.broker.faults.fail(api, error, times=self.random.randrange(1, 3))

    def _hold_up(self) -> None:
        api = self.random.choice(["Produce", "Fetch", "Metadata"])
        # Longer than a client waits, too.
        late_ms = self.random.choice([5, 100, 2_500])
        self.broker.faults.delay(api, late_ms, times=1)

    def _slow_network(self) -> None:
        ms = self.random.choice([0, 0, 1, 5, 30])
        self.broker.network.delay_ms = lambda: self.random.randrange(ms + 1)

    async def _restart(self) -> None:
        await (self.broker.kill() if self.chance(0.7) else self.broker.stop())
        await asyncio.sleep(self.random.randrange(BROKER_DOWN_MS_MAX) / 1000)
        await self.broker.start()

    # -- writing ---------------------------------------------------------------------------------

    def _new_value(self) -> bytes:
        return b"%d" % next(self._numbers)

    async def _write(self, count: int) -> None:
        linger_ms = self.random.choice([0, 1, 5])
        settings: dict[str, Any] = {"linger_ms": linger_ms, "batch_bytes": 300, **QUICK}
        if self.is_transactional:
            settings["transactional_id"] = "mine"
        options = ClusterOptions(
            **QUICK,  # type: ignore[arg-type]  # numbers
            connector=self.broker.connector,
        )
        async with Cluster(self.broker.bootstrap, options, rng=SeededRng(self.seed)) as cluster:
            producer = Producer(self.broker.bootstrap, **settings)
            line = ClusterLine(cluster, producer.options.transactional_id)
            await producer.start_on(line, clock=self.clock, rng=SeededRng(self.seed))
            try:
                if self.is_transactional:
                    await self._write_transactions(producer, count)
                else:
                    await self._write_some(producer, count)
                    await self.cut_off(producer.flush())
                    self.is_quiet = True
                    await producer.flush()
            finally:
                await producer.close()

    async def _write_some(self, producer: Producer, count: int) -> None:
        for _ in range(count):
            await self._write_one(producer)
            if self.chance(0.15):
                await self.cut_off(producer.flush(), probability=0.7)
            if self.chance(0.5):
                await asyncio.sleep(self.random.randrange(150) / 1000)

    async def _write_one(self, producer: Producer) -> None:
        partition = self.random.randrange(PARTITIONS)
        value = self._new_value()
        sent = self.sent[partition]
        match self.random.randrange(5):
            case 0:
                # Cancelled, it was not taken: it may be put again, and is there once.
                delivery = await self.cut_off(producer.put(TOPIC, value, partition=partition))
                if delivery is None:
                    delivery = await producer.put(TOPIC, value, partition=partition)
                sent.append(Sent(value, delivery))
            case 1:
                # Cancelled, it may have been taken or not. Its place is before what comes later.
                sent.append(Sent(value, None))
                done = await self.cut_off(producer.send_and_wait(TOPIC, value, partition=partition))
                if done is not None:
                    self.committed[partition].add(value)
            case 2:
                values = [value, *(self._new_value() for _ in range(self.random.randrange(8)))]
                sent.extend(Sent(row, None) for row in values)
                rows = await producer.send_batch(TOPIC, values, partition=partition)
                assert rows.taken == len(values)
                self.batches.append((partition, values, rows))
            case _:
                sent.append(Sent(value, producer.send(TOPIC, value, partition=partition)))

    async def _write_transactions(self, producer: Producer, count: int) -> None:
        """Some of them move the position of a group, to the number of the transaction."""
        for number in range(1, count + 1):
            await self._begin(producer)
            transaction = Transaction([set() for _ in range(PARTITIONS)])
            self.transactions.append(transaction)
            try:
                await self._fill_transaction(producer, transaction, number)
                if self.chance(0.3):
                    await self._abort(producer)
                    transaction.outcome = False
                else:
                    transaction.outcome = await self._commit(producer)
            except (DeadlineError, TransactionError, TransactionAbortedError, DeliveryError):
                await self._abort(producer)
                # An end that was under way may have been done.
                transaction.outcome = None
            if self.chance(0.5):
                await asyncio.sleep(self.random.randrange(100) / 1000)
        self.is_quiet = True
        await self._begin(producer)

    async def _begin(self, producer: Producer) -> None:
        """Whatever became of a commit that nobody waited for."""
        try:
            await producer.begin_transaction()
        except (TransactionError, TransactionAbortedError, UserError):
            await self._abort(producer)
            await producer.begin_transaction()

    async def _fill_transaction(
        self, producer: Producer, transaction: Transaction, number: int
    ) -> None:
        for _ in range(self.random.randrange(6)):
            partition = self.random.randrange(PARTITIONS)
            value = self._new_value()
            delivery = await producer.put(TOPIC, value, partition=partition)
            self.sent[partition].append(Sent(value, delivery))
            transaction.values[partition].add(value)
        if self.chance(0.4):
            transaction.position = number
            done = await self.cut_off(self._moved(producer, number), probability=0.1)
            if not done:
                raise TransactionAbortedError("its positions were cut off")

    async def _moved(self, producer: Producer, number: int) -> bool:
        await producer.send_offsets({TopicPartition(TOPIC, 0): number}, GROUP)
        return True

    async def _commit(self, producer: Producer) -> bool | None:
        """True where it is surely committed."""

        async def commit() -> bool:
            await producer.commit_transaction()
            return True

        if await self.cut_off(commit()):
            return True
        try:
            # Cut off before it had begun, it is still to be done; else it goes on by itself.
            await producer.commit_transaction()
        except (TransactionError, TransactionAbortedError):
            raise
        except UserError:
            return None
        return True

    async def _abort(self, producer: Producer) -> None:
        """Cut off, it goes on."""
        await self.cut_off(producer.abort_transaction(), probability=0.2)
        with contextlib.suppress(UserError):  # it has ended, or is ending
            await producer.abort_transaction()

    # -- reading ---------------------------------------------------------------------------------

    async def _read(self) -> None:
        settings = {
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed" if self.is_transactional else "read_uncommitted",
            "fetch_max_wait_ms": self.random.choice([50, 500]),
            "max_partition_fetch_bytes": self.random.choice([200, 100_000]),
            **QUICK,
        }
        options = ClusterOptions(**QUICK, connector=self.broker.connector)  # type: ignore[arg-type]  # numbers
        async with Cluster(self.broker.bootstrap, options, rng=SeededRng(self.seed)) as cluster:
            consumer = Consumer(self.broker.bootstrap, **settings)
            await consumer.start_on(cluster)
            try:
                consumer.assign([(TOPIC, index) for index in range(PARTITIONS)])
                while not self._all_read():
                    await self.cut_off(self._read_once(consumer))
            finally:
                await consumer.close()

    def _all_read(self) -> bool:
        """Whether all that is stored at last has been read."""
        return bool(self.stored) and all(
            len(seen) >= len(self.stored[partition]) for partition, seen in enumerate(self.seen)
        )

    async def _read_once(self, consumer: Consumer) -> None:
        """In one of all ways; what is handed out is noted in the step in which it is."""
        match self.random.randrange(3):
            case 0:
                for partition, columns in (await consumer.poll_batch(0.3)).items():
                    seen = self.seen[partition.partition]
                    seen += [(row.offset, row.value) for row in columns.to_list()]
            case 1:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.3 + self.random.random()):
                        record = await anext(consumer)
                        self.seen[record.partition].append((record.offset, record.value))
            case _:
                for record in await consumer.poll(self.random.randrange(1, 40), 0.3):
                    self.seen[record.partition].append((record.offset, record.value))

    # -- what must hold --------------------------------------------------------------------------

    async def _look_at_logs(self) -> None:
        """What is stored, and committed, read by hand."""
        options = ClusterOptions(connector=self.broker.connector)
        async with Cluster(self.broker.bootstrap, options, rng=SeededRng(0)) as cluster:
            topic_id = (await cluster.topic(TOPIC)).topic_id
            stored = [await self._log(cluster, topic_id, index) for index in range(PARTITIONS)]
            if self.is_transactional:
                self.position = await self._committed_position(cluster)
        self.stored = stored

    async def _log(self, cluster: Cluster, topic_id: bytes, index: int) -> list[Record]:
        connection = await cluster.any_node()
        partition = FetchPartition(partition=index, fetch_offset=0, partition_max_bytes=100 * MIB)
        request = FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=100 * MIB,
            isolation_level=self.is_transactional,
            topics=[FetchTopic(topic=TOPIC, topic_id=topic_id, partitions=[partition])],
        )
        response = await connection.call(request, FetchResponse)
        (data,) = response.responses[0].partitions
        return committed_records(data)

    async def _committed_position(self, cluster: Cluster) -> int:
        # Asking for it makes the topic of groups, where no transaction came so far as to need it.
        coordinator = await cluster.coordinator_of(CoordinatorKind.GROUP, GROUP)
        connection = await cluster.connection(coordinator)
        topic = OffsetFetchRequestTopic(name=TOPIC, partition_indexes=[0])
        version = connection.version_of(OffsetFetchRequest, at_most=7)
        request = OffsetFetchRequest(group_id=GROUP, topics=[topic], require_stable=version == 7)

        async def ask() -> int:
            response = await connection.call(request, OffsetFetchResponse, at_most=version)
            if response.error_code:
                raise RefusedError(ErrorCode(response.error_code), "the positions of the group")
            (answer,) = response.topics[0].partitions
            if answer.error_code:
                raise RefusedError(ErrorCode(answer.error_code), "the position of the group")
            return answer.committed_offset

        return await cluster.retry(ask, failed="no position")

    def check(self) -> None:
        """Nothing lost, doubled, out of order, or told wrongly."""
        for partition in range(PARTITIONS):
            self._check_stored(partition)
            stored = [(record.offset, record.value) for record in self.stored[partition]]
            assert self.seen[partition] == stored, f"seed {self.seed}: not read as it is stored"
        self._check_transactions()

    def _check_transactions(self) -> None:
        stored = [{record.value for record in records} for records in self.stored]
        positions = [-1]
        for number, transaction in enumerate(self.transactions, start=1):
            where = f"transaction {number}, seed {self.seed}"
            there = [
                value in stored[partition]
                for partition, values in enumerate(transaction.values)
                for value in values
            ]
            assert len(set(there)) < 2, f"{where}: a part of it is stored"
            outcome = there[0] if there else transaction.outcome
            assert transaction.outcome in (None, outcome), f"{where}: not as it was told"
            if transaction.position is not None:
                if outcome is not False:
                    positions.append(transaction.position)
                if outcome:
                    positions = [transaction.position]
        if self.is_transactional:
            assert self.position in positions, f"seed {self.seed}: the group is elsewhere"

    def _check_stored(self, partition: int) -> None:
        stored = self.stored[partition]
        place = {record.value: record.offset for record in stored}
        where = f"partition {partition}, seed {self.seed}"
        assert len(place) == len(stored), f"{where}: a record is stored twice"
        order = [int(record.value or b"") for record in stored]
        assert order == sorted(order), f"{where}: records are out of order"
        for value in self.committed[partition]:
            assert value in place, f"{where}: {value!r} is lost"
        for index, values, rows in self.batches:
            assert rows.done(), f"{where}: {values} have no outcome"
            if index == partition and rows.exception() is None:
                assert place.keys() >= set(values), f"{where}: some of {values} are lost"
        for value, delivery in self.sent[partition]:
            if delivery is not None:
                self._check_told(where, value, delivery, place)

    def _check_told(
        self, where: str, value: bytes, delivery: Delivery, place: dict[bytes | None, int]
    ) -> None:
        assert delivery.done(), f"{where}: {value!r} has no outcome"
        error = delivery.exception()
        if self.is_transactional:
            return  # what it was told holds only if its transaction is committed
        if error is None:
            offset = delivery.result().offset
            assert value in place, f"{where}: {value!r} is acknowledged and not stored"
            assert offset in (place[value], -1), f"{where}: {value!r} is not at {offset}"
        elif not isinstance(error, OutcomeUnknownError):
            assert isinstance(error, DeliveryError), error
            assert value not in place, f"{where}: {value!r} is stored, and said not to be"


def committed_records(data: PartitionData) -> list[Record]:
    """What a reader of committed records is to see of a whole log: a second opinion on it."""
    begins = sorted(
        (aborted.first_offset, aborted.producer_id) for aborted in data.aborted_transactions or ()
    )
    aborting: set[int] = set()
    records: list[Record] = []
    for header, batch in iter_batches(data.records or b""):
        while begins and begins[0][0] <= header.base_offset:
            aborting.add(begins.pop(0)[1])
        if header.is_control:
            aborting.discard(header.producer_id)
        elif not (header.is_transactional and header.producer_id in aborting):
            records += iter_records(batch)
    return records
