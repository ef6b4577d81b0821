"""Produce: validate batches, give them their places, write what one read event brought, answer.

Nothing here awaits and nothing opens a record. Between `frame` and `commit` the batches lie in the
connection's read buffer; `commit` runs before that buffer is reused.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_OFFSET, Offset
from ottla.broker.partition import Partition
from ottla.broker.replies import Exchange
from ottla.log.config import FLUSH_NEVER
from ottla.log.errors import DuplicateBatchError, StorageError
from ottla.log.producers import Verification
from ottla.log.validation import RefusedRecordsError, validate_batch
from ottla.replication.acks import PendingAck
from ottla.wire.messages.produce import (
    BatchIndexAndErrorMessage,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.wire.records.compression import Codec
from ottla.wire.records.header import HEADER_SIZE, TRANSACTIONAL_BIT, read_header

if TYPE_CHECKING:
    from ottla.base.world import Clock
    from ottla.broker.replicas import LocalReplicas

log = logging.getLogger(__name__)

ACKS_ALL = -1
ACKS_NONE = 0
ACKS_LEADER = 1
NAMES_TOPICS_BY_ID = 13
"""From this version a request names topics by their ids alone (KIP-516)."""
ALLOWS_ZSTD = 7
"""Clients of older versions may not know the codec (KIP-110)."""
NO_TIMESTAMP = -1
ID_MISSING = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
"""Of a transactional batch in a request without transactional id: as Apache Kafka, which takes it
for somebody who may use none."""


class StagedBatch(msgspec.Struct, gc=False):
    """A batch that has its place in a partition, and the answer that will tell it."""

    partition: Partition
    next_offset: Offset
    answer: PartitionProduceResponse

    @property
    def is_committed(self) -> bool:
        return self.next_offset <= self.partition.high_watermark


class PendingProduce:
    """One produce request between its parsing and its answer."""

    __slots__ = (
        "acks",
        "exchange",
        "response",
        "staged",
        "timeout_ms",
        "timer",
        "verification",
        "waiting",
    )

    def __init__(
        self,
        exchange: Exchange,
        request: ProduceRequest,
        verification: Verification | None = None,
    ) -> None:
        self.exchange = exchange
        self.verification = verification
        self.acks = request.acks
        self.timeout_ms = request.timeout_ms
        self.response = ProduceResponse()
        self.staged: list[StagedBatch] = []
        self.waiting: dict[PendingAck, PartitionProduceResponse] = {}
        self.timer: asyncio.TimerHandle | None = None

    def refusal(
        self, index: int, error: ErrorCode, message: str | None = None
    ) -> PartitionProduceResponse:
        """The answer of a partition that does not take its batch."""
        self.exchange.count_refusal(error)
        return PartitionProduceResponse(
            index=index, error_code=error, base_offset=NO_OFFSET, error_message=message
        )

    def settled(self, ack: PendingAck, error: ErrorCode) -> None:
        """One more partition has its records on every in-sync replica, or never will here."""
        self.waiting.pop(ack).error_code = error
        if error:
            self.exchange.count_refusal(error)
        if not self.waiting:
            self.finish()

    def timed_out(self) -> None:
        """Not every in-sync replica has the records in time: they stay, unacknowledged."""
        for ack, answer in self.waiting.items():
            ack.cancelled = True
            answer.error_code = ErrorCode.REQUEST_TIMED_OUT
            self.exchange.count_refusal(ErrorCode.REQUEST_TIMED_OUT)
        self.finish()

    def finish(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.exchange.answer(self.response)


class ProducePath:
    """The produce requests of one broker."""

    def __init__(self, replicas: LocalReplicas, clock: Clock) -> None:
        self._replicas = replicas
        self._clock = clock
        self._pending: list[PendingProduce] = []
        self._touched: dict[Partition, None] = {}
        # Of this commit: partitions whose records must be on the disk before they count.
        self._syncing: set[Partition] = set()
        self._loop = asyncio.get_running_loop()

    def frame(
        self,
        request: ProduceRequest,
        exchange: Exchange,
        verification: Verification | None = None,
        refusals: Iterable[TopicProduceResponse] = (),
    ) -> None:
        """Stage one request; `commit` answers it.

        `verification` is what its transactional batches stand on, and `refusals` are the answers
        of partitions that were taken out of it: see `transactional_produce.py`.
        """
        pending = PendingProduce(exchange, request, verification)
        pending.response.responses.extend(refusals)
        if not ACKS_ALL <= request.acks <= ACKS_LEADER:
            self._refuse_all(request, pending, ErrorCode.INVALID_REQUIRED_ACKS)
        else:
            now_ms = self._clock.now_ms()
            for topic in request.topic_data:
                self._stage_topic(topic, pending, now_ms)
        self._pending.append(pending)

    def commit(self) -> None:
        """Write everything staged, one append a partition, and answer what can be answered."""
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        touched, self._touched = self._touched, {}
        self._syncing.clear()
        failed = self._write(touched)
        for produce in pending:
            if failed:
                _tell_failures(produce, failed)
            self._acknowledge(produce)
        for partition in touched:
            if partition.waiters:
                partition.wake_waiters()

    # -- staging ---------------------------------------------------------------------------------

    def _stage_topic(self, topic: TopicProduceData, pending: PendingProduce, now_ms: int) -> None:
        by_id = pending.exchange.version >= NAMES_TOPICS_BY_ID
        find = self._replicas.find_by_id if by_id else self._replicas.find
        key = topic.topic_id if by_id else topic.name
        answers = [
            self._stage_partition(find(key, data.index), data, pending, now_ms)  # type: ignore[arg-type]  # the key is what the chosen finder takes
            for data in topic.partition_data
        ]
        pending.response.responses.append(
            TopicProduceResponse(
                name=topic.name, topic_id=topic.topic_id, partition_responses=answers
            )
        )

    def _stage_partition(
        self,
        partition: Partition | ErrorCode,
        data: PartitionProduceData,
        pending: PendingProduce,
        now_ms: int,
    ) -> PartitionProduceResponse:
        if isinstance(partition, ErrorCode):
            return pending.refusal(data.index, partition)
        error = _may_append(partition, pending.acks)
        if error:
            return pending.refusal(data.index, error)
        if pending.exchange.version < ALLOWS_ZSTD and _is_zstd(data.records):
            return pending.refusal(data.index, ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        try:
            batch, header = validate_batch(data.records, config=partition.log.config, now_ms=now_ms)
            if header.attributes & TRANSACTIONAL_BIT and pending.verification is None:
                return pending.refusal(data.index, ID_MISSING)
            base_offset = partition.log.stage(
                batch, header, partition.leader_epoch, now_ms, pending.verification
            )
        except DuplicateBatchError as stored:
            return self._answer_duplicate(partition, data.index, pending, stored)
        except RefusedRecordsError as refused:
            refusal = pending.refusal(data.index, refused.code, refused.message)
            refusal.record_errors = _record_errors(refused)
            return refusal
        except ProtocolError as refused:
            return pending.refusal(data.index, refused.code, refused.message)
        answer = PartitionProduceResponse(
            index=data.index,
            error_code=ErrorCode.NONE,
            base_offset=base_offset,
            log_append_time_ms=_append_time(partition, now_ms),
            log_start_offset=partition.log.log_start_offset,
        )
        next_offset = Offset(base_offset + header.last_offset_delta + 1)
        pending.staged.append(StagedBatch(partition, next_offset, answer))
        self._touched[partition] = None
        return answer

    def _answer_duplicate(
        self,
        partition: Partition,
        index: int,
        pending: PendingProduce,
        stored: DuplicateBatchError,
    ) -> PartitionProduceResponse:
        """Answer as the first time, and no sooner: the batch may be staged, or on no disk yet."""
        answer = PartitionProduceResponse(
            index=index,
            error_code=ErrorCode.NONE,
            base_offset=stored.base_offset,
            # As Kafka does, whoever set the timestamps.
            log_append_time_ms=stored.timestamp,
            log_start_offset=partition.log.log_start_offset,
        )
        pending.staged.append(StagedBatch(partition, Offset(stored.last_offset + 1), answer))
        self._touched[partition] = None
        return answer

    def _refuse_all(
        self, request: ProduceRequest, pending: PendingProduce, error: ErrorCode
    ) -> None:
        pending.response.responses.extend(
            TopicProduceResponse(
                name=topic.name,
                topic_id=topic.topic_id,
                partition_responses=[
                    pending.refusal(data.index, error) for data in topic.partition_data
                ],
            )
            for topic in request.topic_data
        )

    # -- writing ---------------------------------------------------------------------------------

    def _write(self, touched: dict[Partition, None]) -> dict[Partition, StorageError]:
        """Append what is staged to each partition; the partitions whose disk refused."""
        failed: dict[Partition, StorageError] = {}
        for partition in touched:
            try:
                partition.log.commit()
            except StorageError as error:
                log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                    "the disk refused an append: %s",
                    error.message,
                    extra={"partition": str(partition)},
                )
                # Its traceback holds the files of the log (see `log.errors.storage_error`), and
                # would be held by its own frame.
                failed[partition] = error.with_traceback(None)
                partition.directory.suspect(error)
            if partition.flush_messages != FLUSH_NEVER and partition.must_flush:
                self._syncing.add(partition)
                partition.flushing.request()
            else:
                partition.appended()
        return failed

    # -- answering -------------------------------------------------------------------------------

    def _acknowledge(self, pending: PendingProduce) -> None:
        if pending.acks == ACKS_ALL:
            self._acknowledge_when_committed(pending)
        elif pending.acks == ACKS_NONE:
            _finish_unacknowledged(pending)
        elif self._syncing:
            self._acknowledge_when_synced(pending)
        else:
            pending.finish()

    def _acknowledge_when_synced(self, pending: PendingProduce) -> None:
        for staged in pending.staged:
            if not staged.answer.error_code and staged.partition in self._syncing:
                ack = PendingAck(staged.next_offset, pending.settled)
                pending.waiting[ack] = staged.answer
                staged.partition.flush_acks.add(ack)
        if not pending.waiting:
            pending.finish()

    def _acknowledge_when_committed(self, pending: PendingProduce) -> None:
        for staged in pending.staged:
            if not staged.answer.error_code and not staged.is_committed:
                ack = PendingAck(staged.next_offset, pending.settled)
                pending.waiting[ack] = staged.answer
                staged.partition.acks.add(ack)
        if not pending.waiting:
            pending.finish()
            return
        pending.timer = self._loop.call_later(pending.timeout_ms / 1000, pending.timed_out)


def _is_zstd(records: memoryview | None) -> bool:
    """Whether a batch says that zstd compresses it; one that cannot be read is judged elsewhere."""
    if records is None or len(records) < HEADER_SIZE:
        return False
    return read_header(records).codec_id == Codec.ZSTD


def _may_append(partition: Partition, acks: int) -> ErrorCode:
    """Whether this broker may take a write for the partition now."""
    if partition.leader is None or partition.offline_reason is not None:
        return partition.check_leadership(-1)
    if partition.is_internal:
        return ErrorCode.INVALID_TOPIC_EXCEPTION  # its coordinator counts on writing it alone
    if partition.directory.is_full:
        return ErrorCode.KAFKA_STORAGE_ERROR  # clients try again: there may be room by then
    if acks == ACKS_ALL and not partition.leader.has_enough_replicas(partition.min_insync_replicas):
        return ErrorCode.NOT_ENOUGH_REPLICAS
    return ErrorCode.NONE


def _append_time(partition: Partition, now_ms: int) -> int:
    return now_ms if partition.log.config.is_log_append_time else NO_TIMESTAMP


def _record_errors(refused: RefusedRecordsError) -> list[BatchIndexAndErrorMessage]:
    return [
        BatchIndexAndErrorMessage(batch_index=batch_index, batch_index_error_message=reason)
        for batch_index, reason in refused.record_errors
    ]


def _tell_failures(produce: PendingProduce, failed: dict[Partition, StorageError]) -> None:
    """Turn the answers of batches that were not written into refusals."""
    for staged in produce.staged:
        error = failed.get(staged.partition)
        # A commit may write the first batches of a partition and fail at a later one.
        if error is not None and staged.next_offset > staged.partition.log.log_end_offset:
            staged.answer.error_code = error.code
            staged.answer.error_message = error.message
            staged.answer.base_offset = NO_OFFSET
            produce.exchange.count_refusal(error.code)


def _finish_unacknowledged(pending: PendingProduce) -> None:
    """acks=0 has no answer; the one way to tell of an error is to close the connection."""
    for topic in pending.response.responses:
        for answer in topic.partition_responses:
            if answer.error_code:
                code = ErrorCode(answer.error_code).name
                pending.exchange.connection.refuse(f"a produce with acks=0 failed: {code}")
                return
    if pending.exchange.meter is not None:
        pending.exchange.meter.charge(None)
    pending.exchange.send(())
