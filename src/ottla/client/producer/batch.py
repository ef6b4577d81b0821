"""Records of one partition that are sent, stored and acknowledged together."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ottla.base.ids import NO_EPOCH, NO_OFFSET, NO_PRODUCER, TopicPartition
from ottla.base.world import WritableBuffer
from ottla.client.producer.delivery import Delivery, RecordMetadata, Settling
from ottla.wire.records.batch import assemble, complete
from ottla.wire.records.blocks import BlockWriter
from ottla.wire.records.compression import Codec
from ottla.wire.records.header import (
    HEADER_SIZE,
    MAGIC,
    NO_SEQUENCE,
    TRANSACTIONAL_BIT,
    BatchHeader,
)
from ottla.wire.records.record import iter_records
from ottla.wire.records.rows import Rows

SEQUENCE_MASK: Final = 0x7FFF_FFFF
"""Sequences count records, from 0 to this, and begin again."""


class Identity(NamedTuple):
    """A producer's id, and which of its lives this is."""

    producer_id: int
    epoch: int


NOBODY: Final = Identity(NO_PRODUCER, -1)


class ProducerBatch(Settling):
    """One batch, from its first record to its outcome.

    `in_doubt`: it was sent, and whether it is stored nobody here knows. Such a batch keeps its
    identity and its sequence until the cluster says: under another one it could be stored twice.
    """

    __slots__ = (
        "_block",
        "_codec",
        "_is_encoded",
        "_packed",
        "_parts",
        "attempts",
        "base_offset",
        "count",
        "created_ms",
        "identity",
        "in_doubt",
        "in_flight",
        "is_being_packed",
        "is_part_in_doubt",
        "log_append_time_ms",
        "partition",
        "retry_at_ms",
        "sequence",
        "size",
    )

    def __init__(self, partition: TopicPartition, created_ms: int) -> None:
        super().__init__()
        self.partition = partition
        self.created_ms = created_ms
        self.size = 0
        self.attempts = 0
        self.retry_at_ms = 0.0
        self.in_flight = False
        self.in_doubt = False
        self.identity = NOBODY
        self.sequence = NO_SEQUENCE
        self.base_offset: int = NO_OFFSET
        self.log_append_time_ms = -1
        self.is_being_packed = False
        """Whether a thread compresses it: until then it is not sent."""
        self.is_part_in_doubt = False
        """Whether it was sent before as part of a larger batch, which may be stored."""
        self.count = 0
        """Records in it."""
        self._block = BlockWriter(HEADER_SIZE)
        self._is_encoded = False
        self._codec = Codec.NONE
        self._packed = b""
        self._parts: tuple[ProducerBatch, ProducerBatch] | None = None

    @property
    def next_sequence(self) -> int:
        """Where the batch after this one begins."""
        return (self.sequence + self.count) & SEQUENCE_MASK

    def append(
        self,
        timestamp_ms: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes | None]],
    ) -> Delivery:
        """One more record; `size` grows."""
        self.size = self._block.write(timestamp_ms, key, value, headers)
        index = self.count
        self.count = index + 1
        return Delivery(self, index)

    def append_rows(
        self, rows: Rows, order: array[int] | None, first: int, end: int, size_max: int
    ) -> int:
        """More records, as `BlockWriter.write_rows` takes them; the first that was not taken."""
        stopped = self._block.write_rows(rows, order, first, end, size_max)
        self.count, self.size = self._block.count, self._block.size
        return stopped

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed already."""
        return self._codec is not Codec.NONE

    def take_plain(self) -> memoryview:
        """Its records, to be given back compressed: none is appended any more."""
        plain = self._block.take()[HEADER_SIZE:]
        self._block.drop_records()
        return plain

    def packed(self, codec: Codec, block: bytes) -> None:
        """Take its records back, compressed."""
        self._codec = codec
        self._packed = block

    def encode(self, *, transactional: bool) -> WritableBuffer:
        """The batch as it is sent now, always of the same records: none is appended any more.

        The bytes of an earlier call stay as they are: they may still be on their way.
        """
        header = self._header(transactional=transactional)
        if self.is_packed:
            return assemble(header, self._packed)
        batch: WritableBuffer = self._block.take()
        if self._is_encoded:
            batch = bytearray(batch)
        self._is_encoded = True
        complete(header, batch)
        return batch

    def _header(self, *, transactional: bool) -> BatchHeader:
        return BatchHeader(
            base_offset=0,
            batch_length=0,
            partition_leader_epoch=NO_EPOCH,
            magic=MAGIC,
            crc=0,
            attributes=self._codec | (TRANSACTIONAL_BIT if transactional else 0),
            last_offset_delta=self.count - 1,
            base_timestamp=self._block.base_timestamp,
            max_timestamp=self._block.max_timestamp,
            producer_id=self.identity.producer_id,
            producer_epoch=self.identity.epoch,
            base_sequence=self.sequence,
            record_count=self.count,
        )

    def split(self) -> tuple[ProducerBatch, ProducerBatch]:
        """Two batches of the same records, under the same sequences; this one is no more."""
        assert self.count > 1
        half = self.count // 2
        parts = self._part(), self._part()
        for index, record in enumerate(iter_records(self.encode(transactional=False))):
            part = parts[index >= half]
            part.append(record.timestamp, record.key, record.value, record.headers)
        if self.sequence != NO_SEQUENCE:
            parts[0].sequence = self.sequence
            parts[1].sequence = parts[0].next_sequence
        self._parts = parts
        self.hand_on()
        return parts

    def _part(self) -> ProducerBatch:
        part = ProducerBatch(self.partition, self.created_ms)
        part.attempts = self.attempts
        part.identity = self.identity
        part.in_doubt = part.is_part_in_doubt = self.in_doubt
        return part

    def forward(self, index: int) -> tuple[Settling, int] | None:
        """The part that has the record, after a split."""
        if self._parts is None:
            return None
        first, second = self._parts
        return (first, index) if index < first.count else (second, index - first.count)

    def onward(self) -> tuple[ProducerBatch, ...]:
        """The parts, after a split."""
        return self._parts or ()

    def stretches(self, index: int, count: int) -> Iterator[tuple[ProducerBatch, int, int]]:
        """Where these records are now: (batch, index in it, count) in their order."""
        if self._parts is None:
            yield self, index, count
            return
        for part in self._parts:
            here = min(max(part.count - index, 0), count)
            if here:
                yield from part.stretches(index, here)
            index, count = max(index - part.count, 0), count - here

    def stored(self, base_offset: int, log_append_time_ms: int) -> None:
        """The good outcome; offset -1 where it is not known."""
        self.base_offset = base_offset
        self.log_append_time_ms = log_append_time_ms
        self.settle()

    def settle(self, error: Exception | None = None) -> None:
        """Also lets go of the records' bytes: deliveries may be kept for long."""
        super().settle(error)
        self._packed = b""
        self._block.drop_records()

    def record(self, index: int) -> RecordMetadata:
        """Where the record of this index is stored."""
        topic, partition = self.partition
        offset = NO_OFFSET if self.base_offset < 0 else self.base_offset + index
        timestamp_ms = self.log_append_time_ms
        if timestamp_ms < 0:
            timestamp_ms = self._block.time_at(index)
        return RecordMetadata(topic, partition, offset, timestamp_ms)
