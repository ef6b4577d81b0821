"""What answers mean for a partition: where it goes on, what to try later, what to tell the user.

Each of these returns whether the metadata is to be asked anew. Pure: time comes in as a number.
"""

from __future__ import annotations

import logging

from ottla.base.errors import ErrorCode
from ottla.client.consumer.assigned import AssignedPartition, LogBounds, NearReplica, Reset
from ottla.client.consumer.chunk import Chunk
from ottla.client.consumer.errors import (
    CorruptRecordsError,
    FetchRefusedError,
    LogTruncatedError,
    OffsetOutOfRangeError,
)
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import Task, start_over
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.fetch import PartitionData
from ottla.wire.messages.list_offsets import ListOffsetsPartitionResponse
from ottla.wire.messages.offset_for_leader_epoch import EpochEnd

_log = logging.getLogger(__name__)


def refused(partition: AssignedPartition, code: int, now_ms: float) -> bool:
    """A node refuses to serve this partition."""
    remedy = remedy_of(code)
    partition.retry_later(now_ms)
    if not remedy.retriable:
        partition.fail(FetchRefusedError(partition.partition, known_error(code)))
    return remedy is Remedy.REFRESH_METADATA or code == ErrorCode.UNKNOWN_LEADER_EPOCH


def fetched(
    task: Task, asked_offset: int, data: PartitionData, options: ConsumerOptions, now_ms: float
) -> bool:
    """What a fetch brought, if it is what is wanted by now."""
    partition = task.partition
    if not task.is_current or partition.fetch_offset != asked_offset:
        return False
    if data.error_code and not task.is_leader:
        # Whatever is wrong there: the leader knows better, and may name another replica.
        partition.replica = None
        partition.retry_later(now_ms)
        return data.error_code != ErrorCode.OFFSET_OUT_OF_RANGE
    match data.error_code:
        case ErrorCode.NONE:
            _keep(partition, asked_offset, data, options)
            return False
        case ErrorCode.OFFSET_OUT_OF_RANGE:
            _out_of_range(partition, options)
            return False
        case ErrorCode.CORRUPT_MESSAGE:
            reason = "the node says that it is damaged"
            partition.retry_later(now_ms)
            partition.fail(CorruptRecordsError(partition.partition, asked_offset, reason))
            return False
        case code:
            return refused(partition, code, now_ms)


def _keep(
    partition: AssignedPartition, offset: int, data: PartitionData, options: ConsumerOptions
) -> None:
    partition.bounds = LogBounds(
        data.log_start_offset, data.last_stable_offset, data.high_watermark
    )
    if not data.records:
        partition.backoff.reset()
        return
    aborted = (data.aborted_transactions or ()) if options.is_committed else ()
    chunk = Chunk(data.records, from_offset=offset, aborted=aborted, with_crc=options.check_crcs)
    partition.take_fetched(chunk)


def _out_of_range(partition: AssignedPartition, options: ConsumerOptions) -> None:
    """Where something is still to be handed out, whether it lasts is asked after that."""
    if partition.hold_if_buffered():
        return
    offset = partition.fetch_offset
    _log.info(
        "an offset is out of range", extra={"partition": partition.partition, "offset": offset}
    )
    start_over(partition, options, OffsetOutOfRangeError(partition.partition, offset))


def redirected(
    task: Task, data: PartitionData, now_ms: float, *, for_ms: float, is_known: bool
) -> bool:
    """Whether a leader names a nearer replica (KIP-392); one that is unknown is asked later."""
    partition = task.partition
    if data.error_code or data.preferred_read_replica < 0:
        return False
    if not task.is_current or not task.is_leader:
        return False
    if is_known:
        known = partition.replica
        if known is None or known.node_id != data.preferred_read_replica:
            partition.replica = NearReplica(data.preferred_read_replica, now_ms + for_ms)
    else:
        partition.retry_later(now_ms)
    return True


def found(task: Task, answer: ListOffsetsPartitionResponse, now_ms: float) -> bool:
    """An offset to begin at, or one step on the way to it."""
    partition = task.partition
    reset = partition.reset
    if not task.is_current or reset is None:
        return False
    if answer.error_code:
        partition.asking = False
        return refused(partition, answer.error_code, now_ms)
    if reset.timestamp >= 0 and reset.end is None:
        partition.begin_at(Reset(reset.timestamp, answer.offset))
    elif answer.offset < 0 and reset.end is not None:
        partition.found(reset.end, -1, task.stamp)
    else:
        partition.found(max(answer.offset, 0), answer.leader_epoch, task.stamp)
    return False


def checked(task: Task, answer: EpochEnd, options: ConsumerOptions, now_ms: float) -> bool:
    """Whether the leader's log still holds what was read (KIP-320)."""
    partition = task.partition
    if not task.is_current:
        return False
    if answer.error_code:
        partition.asking = False
        return refused(partition, answer.error_code, now_ms)
    assert partition.offset is not None
    if answer.leader_epoch >= 0 and answer.end_offset >= partition.offset:
        partition.checked(task.stamp)
    else:
        partition.asking = False
        _truncated(task, answer, options)
    return False


def _truncated(task: Task, answer: EpochEnd, options: ConsumerOptions) -> None:
    partition = task.partition
    assert partition.offset is not None
    is_known = answer.leader_epoch >= 0 and answer.end_offset >= 0
    diverging = answer.end_offset if is_known else None
    error = LogTruncatedError(partition.partition, partition.offset, diverging)
    _log.warning("records that were read are gone", extra={"reason": str(error)})
    if diverging is None or options.auto_offset_reset == "none":
        start_over(partition, options, error)
    else:
        partition.found(diverging, answer.leader_epoch, task.stamp)
