"""Writes the markers that end transactions into the partitions that are led here.

A marker counts once every in-sync replica has it: only then may a coordinator forget the
transaction. Those in a coordinator's topic go through it: that of groups settles the positions of
the transaction with them.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple, Protocol

from ottla.base.effects import ProducerIdentity
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import Offset, TopicPartition
from ottla.base.world import Clock
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.log.errors import StorageError
from ottla.replication.acks import PendingAck
from ottla.transactions.transaction import EPOCH_PER_TRANSACTION
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import EndTxnMarker
from ottla.wire.records.batch import build_batch
from ottla.wire.records.control import ControlType, control_key
from ottla.wire.records.record import Record

log = logging.getLogger(__name__)

_MARKER_VERSION: Final = struct.pack(">h", 0)


class Marker(NamedTuple):
    """How a producer's transaction ended, by the word of a coordinator of this epoch."""

    producer_id: int
    producer_epoch: int
    is_committed: bool
    coordinator_epoch: int
    transaction_version: int = 0

    @property
    def begins_epoch(self) -> bool:
        """Whether its epoch lies above that of the transaction's records (KIP-1228)."""
        return self.transaction_version >= EPOCH_PER_TRANSACTION

    def encoded(self, now_ms: int) -> bytes:
        """The control batch of this marker."""
        kind = ControlType.COMMIT if self.is_committed else ControlType.ABORT
        value = codec(EndTxnMarker, 0).encode(
            EndTxnMarker(coordinator_epoch=self.coordinator_epoch)
        )
        record = Record(
            timestamp=now_ms, key=control_key(kind), value=_MARKER_VERSION + bytes(value)
        )
        return bytes(
            build_batch(
                [record],
                producer_id=self.producer_id,
                producer_epoch=self.producer_epoch,
                transactional=True,
                control=True,
            )
        )


class CoordinatorMarkers(Protocol):
    """A coordinator, as far as markers in its topic go: `CoordinatorRuntime` is one."""

    def write_marker(
        self, index: int, producer: ProducerIdentity, batch: bytes, *, is_committed: bool
    ) -> None: ...


class TransactionMarkers:
    """The markers of one broker."""

    def __init__(
        self,
        replicas: LocalReplicas,
        clock: Clock,
        coordinators: Mapping[str, CoordinatorMarkers],
    ) -> None:
        """`coordinators`, by their topics: each counts on writing to its own alone."""
        self._replicas = replicas
        self._clock = clock
        self._coordinators = coordinators

    async def write(
        self, marker: Marker, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, ErrorCode]:
        """Append the marker to each partition, and wait until it counts; NONE where it does.

        The appends come before the first wait: no request is served between two of them.
        """
        if marker.producer_id < 0 or marker.producer_epoch < 0:
            return dict.fromkeys(partitions, ErrorCode.INVALID_PRODUCER_ID_MAPPING)
        batch = marker.encoded(self._clock.now_ms())
        appended = [(where, self._append(marker, batch, where)) for where in partitions]
        return {
            where: outcome if isinstance(outcome, ErrorCode) else await outcome
            for where, outcome in appended
        }

    def _append(
        self, marker: Marker, batch: bytes, where: TopicPartition
    ) -> ErrorCode | asyncio.Future[ErrorCode]:
        partition = self._replicas.find(where.topic, where.partition)
        if isinstance(partition, ErrorCode):
            return partition
        error = _may_append(partition)
        if error:
            return error
        try:
            if self._is_needed(marker, partition):
                self._append_to(partition, marker, batch, where)
        except StorageError as refused:
            log.warning(
                "a transaction's marker could not be written: %s",
                refused.message,
                extra={"partition": str(partition)},
            )
            partition.directory.suspect(refused)
            return refused.code
        except ProtocolError as refused:
            return refused.code
        return _when_committed(partition)

    @staticmethod
    def _is_needed(marker: Marker, partition: Partition) -> bool:
        return partition.log.producers.states.needs_marker(
            marker.producer_id,
            marker.producer_epoch,
            coordinator_epoch=marker.coordinator_epoch,
            begins_epoch=marker.begins_epoch,
        )

    def _append_to(
        self, partition: Partition, marker: Marker, batch: bytes, where: TopicPartition
    ) -> None:
        coordinator = self._coordinators.get(where.topic)
        if coordinator is not None:
            producer = ProducerIdentity(marker.producer_id, marker.producer_epoch)
            coordinator.write_marker(
                where.partition, producer, batch, is_committed=marker.is_committed
            )
            return
        partition.log.append(
            batch, leader_epoch=partition.leader_epoch, now_ms=self._clock.now_ms()
        )
        if partition.must_flush:
            partition.flushing.request()
        else:
            partition.appended()
        if partition.waiters:
            partition.wake_waiters()


def _may_append(partition: Partition) -> ErrorCode:
    if partition.leader is None or partition.offline_reason is not None:
        return partition.check_leadership(-1)
    if not partition.leader.has_enough_replicas(partition.min_insync_replicas):
        return ErrorCode.NOT_ENOUGH_REPLICAS
    return ErrorCode.NONE


def _when_committed(partition: Partition) -> ErrorCode | asyncio.Future[ErrorCode]:
    """Also for a marker that an earlier attempt has written: it may not count yet."""
    end_offset = partition.log.log_end_offset
    if partition.high_watermark >= end_offset:
        return ErrorCode.NONE
    future: asyncio.Future[ErrorCode] = asyncio.get_running_loop().create_future()

    def settled(_: PendingAck, error: ErrorCode) -> None:
        if not future.done():
            future.set_result(error)

    partition.acks.add(PendingAck(Offset(end_offset), settled))
    return future
