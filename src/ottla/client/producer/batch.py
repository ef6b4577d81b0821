"""Records of one partition that are sent, stored and acknowledged together."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from ottla.base.ids import NO_EPOCH, NO_OFFSET, NO_PRODUCER, TopicPartition
from ottla.base.world import Buffer
from ottla.client.producer.delivery import Delivery, RecordMetadata, Settling
from ottla.wire.records.batch import assemble
from ottla.wire.records.blocks import BlockWriter, EncodedBlock
from ottla.wire.records.compression import Codec, compress
from ottla.wire.records.header import MAGIC, NO_SEQUENCE, TRANSACTIONAL_BIT, BatchHeader
from ottla.wire.records.record import iter_records

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
        "_compressed",
        "_encoded",
        "_parts",
        "_timestamps",
        "attempts",
        "base_offset",
        "created_ms",
        "identity",
        "in_doubt",
        "in_flight",
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
        self._block = BlockWriter()
        self._timestamps = array("q")
        self._encoded: EncodedBlock | None = None
        self._compressed: Buffer = b""
        self._parts: tuple[ProducerBatch, ProducerBatch] | None = None

    @property
    def count(self) -> int:
        """Records in it."""
        return len(self._timestamps)

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
        delivery = Delivery(self, len(self._timestamps))
        self._timestamps.append(timestamp_ms)
        return delivery

    def encode(self, codec: Codec, *, level: int | None, transactional: bool) -> bytearray:
        """The batch as it is sent now, always of the same records: none is appended any more."""
        if self._encoded is None:
            encoded = self._block.encoded()
            self._compressed = (
                encoded.block
                if codec is Codec.NONE
                else compress(encoded.block, codec, level=level)
            )
            self._encoded = msgspec.structs.replace(encoded, block=b"")
        return assemble(
            self._header(self._encoded, codec, transactional=transactional), self._compressed
        )

    def _header(self, encoded: EncodedBlock, codec: Codec, *, transactional: bool) -> BatchHeader:
        return BatchHeader(
            base_offset=0,
            batch_length=0,
            partition_leader_epoch=NO_EPOCH,
            magic=MAGIC,
            crc=0,
            attributes=codec | (TRANSACTIONAL_BIT if transactional else 0),
            last_offset_delta=self.count - 1,
            base_timestamp=encoded.base_timestamp,
            max_timestamp=encoded.max_timestamp,
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
        encoded = self._block.encoded()
        whole = assemble(self._header(encoded, Codec.NONE, transactional=False), encoded.block)
        for index, record in enumerate(iter_records(whole)):
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
        # Had it been stored before, its parts are answered as duplicates: they end before its end.
        part.in_doubt = self.in_doubt
        return part

    def forward(self, index: int) -> tuple[Settling, int] | None:
        """The part that has the record, after a split."""
        if self._parts is None:
            return None
        first, second = self._parts
        return (first, index) if index < first.count else (second, index - first.count)

    def onward(self) -> tuple[Settling, ...]:
        """The parts, after a split."""
        return self._parts or ()

    def stored(self, base_offset: int, log_append_time_ms: int) -> None:
        """The good outcome; offset -1 where it is not known."""
        self.base_offset = base_offset
        self.log_append_time_ms = log_append_time_ms
        self.settle()

    def settle(self, error: Exception | None = None) -> None:
        """Also lets go of the records' bytes: deliveries may be kept for long."""
        super().settle(error)
        self._compressed = b""
        self._block = BlockWriter()

    def record(self, index: int) -> RecordMetadata:
        """Where the record of this index is stored."""
        topic, partition = self.partition
        offset = NO_OFFSET if self.base_offset < 0 else self.base_offset + index
        timestamp_ms = self.log_append_time_ms
        if timestamp_ms < 0:
            timestamp_ms = self._timestamps[index]
        return RecordMetadata(topic, partition, offset, timestamp_ms)
