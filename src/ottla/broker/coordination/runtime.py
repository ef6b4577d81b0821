"""Runs the shards of one internal topic: decide, replay, append, and answer once it is committed.

What several commands decide in one turn of the loop goes out in one batch. Every answer, also one
to a mere question, waits until all that was decided before it is committed: so nobody is told what
a failing disk or a change of leaders may take back. When an append or a command fails, the shard is
thrown away and read again from its log, which alone knows what is true.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from ottla.base.effects import Effects, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import Offset
from ottla.base.world import Clock
from ottla.broker.coordination.loading import replay_log
from ottla.broker.coordination.shard import NEVER, Moment, Shard
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.log.errors import StorageError
from ottla.replication.acks import PendingAck
from ottla.wire.payloads.coordinator import RecordTypes
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.records.batch import build_batch
from ottla.wire.records.header import HEADER_SIZE
from ottla.wire.records.record import Record

log = logging.getLogger(__name__)

ShardT = TypeVar("ShardT", bound=Shard)
Command = Callable[[ShardT, Ticket, Moment], Effects[CoordinatorRecord]]

RECORD_OVERHEAD_BYTES: Final = 40
"""Of one record beside its key and value, generously."""
NO_PRODUCER: Final = ProducerIdentity(-1, -1)


class _Batch:
    """Records of one turn that go out together, and who is answered with them."""

    __slots__ = ("base_offset", "producer", "records", "replies", "size")

    def __init__(self, producer: ProducerIdentity | None, base_offset: int) -> None:
        self.producer = producer
        self.base_offset = base_offset
        self.records: list[Record] = []
        self.replies: list[tuple[Ticket, object]] = []
        self.size = HEADER_SIZE


class _Loaded(Generic[ShardT]):
    """A shard that serves, with the partition that keeps it."""

    def __init__(self, shard: ShardT, partition: Partition, leader_epoch: int) -> None:
        self.shard = shard
        self.partition = partition
        self.leader_epoch = leader_epoch
        self.batches: list[_Batch] = []
        self.next_offset: int = partition.log.log_end_offset
        self.timer: asyncio.TimerHandle | None = None
        self.timer_due_ms = NEVER
        self.is_scheduled = False


class CoordinatorRuntime(Generic[ShardT]):
    """All shards of one topic that this broker leads."""

    def __init__(
        self,
        topic: str,
        record_types: RecordTypes,
        make_shard: Callable[[int], ShardT],
        replicas: LocalReplicas,
        clock: Clock,
        *,
        served: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`make_shard` gets the partition's number, and `served` each time it is read whole."""
        self.topic = topic
        self._record_types = record_types
        self._make_shard = make_shard
        self._replicas = replicas
        self._clock = clock
        self._served = served
        self._loaded: dict[int, _Loaded[ShardT]] = {}
        self._loading: dict[int, asyncio.Task[None]] = {}
        self._waiting: dict[Ticket, tuple[int, asyncio.Future[object]]] = {}
        self._next_ticket = 0

    # -- asking ----------------------------------------------------------------------------------

    async def run(self, index: int, command: Command[ShardT]) -> object:
        """Let the shard of a partition decide; its answer, once that is committed.

        Raises ProtocolError: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, and
        COORDINATOR_NOT_AVAILABLE where the log could not take the records.
        """
        loaded = self._serving(index)
        self._next_ticket += 1
        ticket = self._next_ticket
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[ticket] = index, future
        try:
            self._decide(loaded, index, lambda shard, now: command(shard, ticket, now))
            return await future
        finally:
            self._waiting.pop(ticket, None)

    def peek(self, index: int) -> ShardT:
        """The shard itself, for a look at it. Raises ProtocolError as `run`."""
        return self._serving(index).shard

    @property
    def led(self) -> list[int]:
        """The partitions that are served here."""
        return sorted(self._loaded)

    @property
    def serving(self) -> list[ShardT]:
        """The shards themselves, for a look at them."""
        return [loaded.shard for loaded in self._loaded.values() if self._is_still_led(loaded)]

    @property
    def loading_count(self) -> int:
        """How many are being read."""
        return len(self._loading)

    @property
    def is_loading(self) -> bool:
        """Whether any is being read."""
        return bool(self._loading)

    def _serving(self, index: int) -> _Loaded[ShardT]:
        loaded = self._loaded.get(index)
        if loaded is None or not self._is_still_led(loaded):
            self._refresh(index)
            loaded = self._loaded.get(index)
        if loaded is not None:
            return loaded
        if index in self._loading:
            raise ProtocolError(
                ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, f"{self.topic}-{index} is being read"
            )
        raise ProtocolError(ErrorCode.NOT_COORDINATOR, f"{self.topic}-{index} is not led here")

    @staticmethod
    def _is_still_led(loaded: _Loaded[ShardT]) -> bool:
        partition = loaded.partition
        leader = partition.leader
        return (
            leader is not None
            and partition.offline_reason is None
            and leader.epoch == loaded.leader_epoch
        )

    def _moment(self) -> Moment:
        return Moment(self._clock.now_ms(), self._clock.monotonic_ms())

    # -- deciding, appending ---------------------------------------------------------------------

    def _decide(
        self,
        loaded: _Loaded[ShardT],
        index: int,
        decision: Callable[[ShardT, Moment], Effects[CoordinatorRecord]],
    ) -> None:
        """Let the shard decide. A fault of ours may have left it half changed: it is read again."""
        try:
            self._take(loaded, index, decision(loaded.shard, self._moment()))
        except ProtocolError:
            raise  # a refusal, before anything was changed
        except Exception:
            log.exception(
                "a fault in a coordinator, its state is read again; please report this",
                extra={"partition": str(loaded.partition)},
            )
            self._drop(index, ErrorCode.COORDINATOR_NOT_AVAILABLE)

    def _take(
        self, loaded: _Loaded[ShardT], index: int, effects: Effects[CoordinatorRecord]
    ) -> None:
        """Replay what was decided, and see that it is written in this turn of the loop."""
        if not effects.records and not loaded.batches and not self._is_behind(loaded):
            self._answer(effects.replies)
        else:
            self._note(loaded, effects)
            if not loaded.is_scheduled:
                loaded.is_scheduled = True
                asyncio.get_running_loop().call_soon(self._write, loaded, index)
        self._set_timer(loaded, index)

    @staticmethod
    def _is_behind(loaded: _Loaded[ShardT]) -> bool:
        """Whether something was decided that is not committed yet."""
        partition = loaded.partition
        return partition.leader is None or partition.high_watermark < loaded.next_offset

    def _note(self, loaded: _Loaded[ShardT], effects: Effects[CoordinatorRecord]) -> None:
        now_ms = self._clock.now_ms()
        encoded = [record.encoded(now_ms) for record in effects.records]
        offset = loaded.next_offset
        for some in _pieces(encoded, loaded.partition.log.config.max_message_bytes):
            batch = self._batch_for(loaded, effects.producer if some else None, some)
            batch.records += some
            loaded.next_offset += len(some)
        batch.replies += effects.replies
        for record in effects.records:
            loaded.shard.replay(record.key, record.value, offset=offset, producer=effects.producer)
            offset += 1

    @staticmethod
    def _batch_for(
        loaded: _Loaded[ShardT], producer: ProducerIdentity | None, records: list[Record]
    ) -> _Batch:
        """The batch under way, or a new one: what is given here is not torn apart."""
        size = sum(map(_size, records))
        batch = loaded.batches[-1] if loaded.batches else None
        size_max = loaded.partition.log.config.max_message_bytes
        is_full = batch is not None and bool(batch.records) and batch.size + size > size_max
        if batch is None or is_full or (records and batch.producer != producer):
            batch = _Batch(producer, loaded.next_offset)
            loaded.batches.append(batch)
        batch.size += size
        return batch

    def _write(self, loaded: _Loaded[ShardT], index: int) -> None:
        """Append what this turn has decided, and answer what is committed."""
        loaded.is_scheduled = False
        batches, loaded.batches = loaded.batches, []
        if self._loaded.get(index) is not loaded:
            return  # it was thrown away, and those who waited have been told
        if not self._is_still_led(loaded):
            self._drop(index, ErrorCode.NOT_COORDINATOR)
            return
        partition = loaded.partition
        try:
            for batch in batches:
                if batch.records:
                    self._append(partition, batch)
        except StorageError as error:
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a coordinator's log refused an append, its state is read again: %s",
                error.message,
                extra={"partition": str(partition)},
            )
            self._drop(index, ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        replies = [reply for batch in batches for reply in batch.replies]
        self._answer_when_committed(partition, replies)

    def _append(self, partition: Partition, batch: _Batch) -> None:
        producer = batch.producer or NO_PRODUCER
        encoded = build_batch(
            batch.records,
            producer_id=producer.producer_id,
            producer_epoch=producer.producer_epoch,
            transactional=batch.producer is not None,
        )
        base_offset = partition.log.append(
            encoded, leader_epoch=partition.leader_epoch, now_ms=self._clock.now_ms()
        )
        assert base_offset == batch.base_offset, "somebody else writes to a coordinator's log"
        self._appended(partition)

    @staticmethod
    def _appended(partition: Partition) -> None:
        if partition.must_flush:
            partition.flushing.request()
        else:
            partition.appended()
        if partition.waiters:
            partition.wake_waiters()

    def _answer_when_committed(
        self, partition: Partition, replies: list[tuple[Ticket, object]]
    ) -> None:
        if not replies:
            return
        end_offset = partition.log.log_end_offset
        if partition.high_watermark >= end_offset:
            self._answer(replies)
            return

        def settled(_: PendingAck, error: ErrorCode) -> None:
            if error:
                self._refuse([ticket for ticket, _ in replies], ErrorCode.NOT_COORDINATOR)
            else:
                self._answer(replies)

        partition.acks.add(PendingAck(Offset(end_offset), settled))

    def _answer(self, replies: list[tuple[Ticket, object]]) -> None:
        for ticket, response in replies:
            _, future = self._waiting.get(ticket, (0, None))
            if future is not None and not future.done():
                future.set_result(response)

    def _refuse(self, tickets: list[Ticket], error: ErrorCode) -> None:
        for ticket in tickets:
            _, future = self._waiting.get(ticket, (0, None))
            if future is not None and not future.done():
                future.set_exception(ProtocolError(error, f"{self.topic} is not served here now"))

    # -- markers ---------------------------------------------------------------------------------

    def write_marker(
        self, index: int, producer: ProducerIdentity, batch: bytes, *, is_committed: bool
    ) -> None:
        """Append a transaction's marker, behind all that was decided before.

        Raises ProtocolError as `run`, StorageError.
        """
        loaded = self._serving(index)
        self._write(loaded, index)
        if self._loaded.get(index) is not loaded:
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the log refused an append")
        partition = loaded.partition
        partition.log.append(
            batch, leader_epoch=partition.leader_epoch, now_ms=self._clock.now_ms()
        )
        loaded.next_offset = partition.log.log_end_offset
        loaded.shard.replay_marker(producer, is_committed=is_committed)
        self._appended(partition)
        self._set_timer(loaded, index)

    # -- time ------------------------------------------------------------------------------------

    def _set_timer(self, loaded: _Loaded[ShardT], index: int) -> None:
        due_ms = loaded.shard.next_deadline_ms
        if due_ms >= loaded.timer_due_ms and loaded.timer is not None:
            return  # it looks again when it fires
        if loaded.timer is not None:
            loaded.timer.cancel()
            loaded.timer = None
        loaded.timer_due_ms = due_ms
        if due_ms < NEVER:
            delay = max(due_ms - self._clock.monotonic_ms(), 0) / 1000
            loaded.timer = asyncio.get_running_loop().call_later(delay, self._expire, loaded, index)

    def _expire(self, loaded: _Loaded[ShardT], index: int) -> None:
        loaded.timer = None
        loaded.timer_due_ms = NEVER
        if self._loaded.get(index) is not loaded:
            return
        if not self._is_still_led(loaded):
            self._drop(index, ErrorCode.NOT_COORDINATOR)
            return
        if loaded.shard.next_deadline_ms <= self._clock.monotonic_ms():
            self._decide(loaded, index, lambda shard, now: shard.expire(now))
        else:
            self._set_timer(loaded, index)

    # -- loading and letting go ------------------------------------------------------------------

    def follow(self) -> None:
        """The metadata changed, or the broker starts: serve what is led here, drop the rest."""
        for index in list(self._loaded):
            if not self._is_still_led(self._loaded[index]):
                self._drop(index, ErrorCode.NOT_COORDINATOR)
        for partition in self._replicas:
            if partition.topic == self.topic and partition.index not in self._loaded:
                self._refresh(partition.index)

    def _refresh(self, index: int) -> None:
        """Begin to read a shard's log, if it is led here."""
        if index in self._loaded:
            self._drop(index, ErrorCode.NOT_COORDINATOR)
        found = self._replicas.find(self.topic, index)
        if isinstance(found, ErrorCode) or found.leader is None or found.offline_reason:
            return
        if index in self._loading:
            return  # its end looks whether it still holds
        if found.log.log_end_offset == found.log.log_start_offset:
            self._serve(index, _Loaded(self._make_shard(index), found, found.leader_epoch))
            return
        task = asyncio.ensure_future(self._load(index, found))
        self._loading[index] = task
        task.add_done_callback(lambda _: self._loading.pop(index, None))

    async def _load(self, index: int, partition: Partition) -> None:
        shard = self._make_shard(index)
        loaded = _Loaded(shard, partition, partition.leader_epoch)
        try:
            loaded.next_offset = await replay_log(partition, shard, self._record_types)
        except (StorageError, ProtocolError) as error:
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a coordinator's log cannot be read: %s",
                error.message,
                extra={"partition": str(partition)},
            )
            return
        if self._is_still_led(loaded):
            self._serve(index, loaded)

    def _serve(self, index: int, loaded: _Loaded[ShardT]) -> None:
        self._loaded[index] = loaded
        self._decide(loaded, index, lambda shard, now: shard.loaded(now))
        if index in self._loaded:
            self._served(index)

    def _drop(self, index: int, error: ErrorCode) -> None:
        """Throw a shard away; whoever waits for it is told to look elsewhere, or again."""
        loaded = self._loaded.pop(index)
        if loaded.timer is not None:
            loaded.timer.cancel()
            loaded.timer = None
        self._answer(loaded.shard.unloaded(error))
        self._refuse(
            [ticket for ticket, (where, _) in self._waiting.items() if where == index], error
        )

    async def stop(self) -> None:
        """Serve nobody any more; what was decided is written."""
        for task in list(self._loading.values()):
            task.cancel()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        for index, loaded in list(self._loaded.items()):
            self._write(loaded, index)
            if index in self._loaded:
                self._drop(index, ErrorCode.COORDINATOR_NOT_AVAILABLE)


def _size(record: Record) -> int:
    return len(record.key or b"") + len(record.value or b"") + RECORD_OVERHEAD_BYTES


def _pieces(records: list[Record], size_max: int) -> list[list[Record]]:
    """What must go out together: a whole decision, but one that only takes back may be torn apart.

    Half of that leaves something whole, of which less is there; and a group may have a hundred
    thousand offsets, whose tombstones are too much for one batch. Readers, Apache Kafka's cleaner
    among them, count on batches of `max.message.bytes` at most.
    """
    if len(records) < 2 or any(record.value is not None for record in records):
        return [records]
    pieces: list[list[Record]] = [[]]
    size = HEADER_SIZE
    for record in records:
        size += _size(record)
        if size > size_max and pieces[-1]:
            pieces.append([])
            size = HEADER_SIZE + _size(record)
        pieces[-1].append(record)
    return pieces
