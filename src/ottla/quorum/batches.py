"""Metadata batches as bytes: the record batches of Kafka's KRaft log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ottla.base.world import Buffer
from ottla.quorum.contract import LogBatch
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import (
    KRaftVersionRecord,
    LeaderChangeMessage,
    LeaderChangeVoter,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from ottla.wire.payloads.metadata import decode_metadata_record, encode_metadata_record
from ottla.wire.records.batch import build_batch
from ottla.wire.records.control import ControlType, control_key, control_type
from ottla.wire.records.header import BatchHeader
from ottla.wire.records.record import Record, iter_records
from ottla.wire.schema import Payload

CONTROL_VERSION = 0
KRAFT_WITH_VOTERS = 1
"""The kraft.version from which on voters are in the log."""
VOTERS_BATCHES_LENGTH = 2
"""Offsets that `voters_batches` takes."""


def encode_batch(
    records: Sequence[Payload], *, base_offset: int, epoch: int, now_ms: int
) -> bytearray:
    """A batch of metadata records."""
    values = [
        Record(timestamp=now_ms, value=bytes(encode_metadata_record(record))) for record in records
    ]
    return build_batch(values, base_offset=base_offset, leader_epoch=epoch)


def decode_batch(batch: Buffer, header: BatchHeader) -> LogBatch:
    """Read a whole batch, its checksum already verified. Raises ProtocolError."""
    records: tuple[Payload, ...] = ()
    if not header.is_control:
        values = (record.value for record in iter_records(batch))
        records = tuple(decode_metadata_record(memoryview(value or b"")) for value in values)
    return LogBatch(
        base_offset=header.base_offset,
        next_offset=header.next_offset,
        epoch=header.partition_leader_epoch,
        timestamp_ms=header.max_timestamp,
        records=records,
    )


def leader_change_batch(node_id: int, *, base_offset: int, epoch: int, now_ms: int) -> bytearray:
    """The first batch of an epoch. The engine elects, so the leader is all the voters there are.

    Also where voters are in the log (KIP-853): Kafka 4.3 writes version 0, and reads no other.
    """
    message = LeaderChangeMessage(
        version=CONTROL_VERSION,
        leader_id=node_id,
        voters=[LeaderChangeVoter(voter_id=node_id)],
        granting_voters=[LeaderChangeVoter(voter_id=node_id)],
    )
    return _control_batch(
        ControlType.LEADER_CHANGE, message, base_offset=base_offset, epoch=epoch, now_ms=now_ms
    )


def voters_batches(voters: VotersRecord, *, base_offset: int, now_ms: int) -> Iterator[bytearray]:
    """What a snapshot says of the voters, where they are in the log: two batches."""
    version = KRaftVersionRecord(version=CONTROL_VERSION, kraft_version=KRAFT_WITH_VOTERS)
    yield _control_batch(
        ControlType.KRAFT_VERSION, version, base_offset=base_offset, epoch=0, now_ms=now_ms
    )
    yield _control_batch(
        ControlType.KRAFT_VOTERS, voters, base_offset=base_offset + 1, epoch=0, now_ms=now_ms
    )


def voters_move_batch(
    voters: VotersRecord, *, base_offset: int, epoch: int, now_ms: int
) -> bytearray:
    """What the log says once its voters are in it (KIP-853): one batch, for it is all or nothing.

    It takes `VOTERS_BATCHES_LENGTH` offsets, too.
    """
    version = KRaftVersionRecord(version=CONTROL_VERSION, kraft_version=KRAFT_WITH_VOTERS)
    records = [
        _control_record(ControlType.KRAFT_VERSION, version, now_ms=now_ms),
        _control_record(ControlType.KRAFT_VOTERS, voters, now_ms=now_ms),
    ]
    return build_batch(records, base_offset=base_offset, leader_epoch=epoch, control=True)


def snapshot_header_batch(*, last_timestamp_ms: int, now_ms: int) -> bytearray:
    """The first batch of a snapshot, at offset 0."""
    message = SnapshotHeaderRecord(
        version=CONTROL_VERSION, last_contained_log_timestamp=last_timestamp_ms
    )
    return _control_batch(
        ControlType.SNAPSHOT_HEADER, message, base_offset=0, epoch=0, now_ms=now_ms
    )


def snapshot_footer_batch(*, base_offset: int, now_ms: int) -> bytearray:
    """The last batch of a snapshot; without it the file was cut short."""
    message = SnapshotFooterRecord(version=CONTROL_VERSION)
    return _control_batch(
        ControlType.SNAPSHOT_FOOTER, message, base_offset=base_offset, epoch=0, now_ms=now_ms
    )


def control_types(batch: Buffer) -> Iterable[ControlType]:
    """The types of a control batch's records."""
    return [control_type(record.key) for record in iter_records(batch)]


def snapshot_timestamp(batch: Buffer) -> int:
    """What a snapshot's first batch says of the last record it stands for.

    Kafka puts the voters into the same batch, behind the header.
    """
    record = next(iter(iter_records(batch)))
    value = memoryview(record.value or b"")
    message, _ = codec(SnapshotHeaderRecord, CONTROL_VERSION).decode(value, 0, len(value))
    assert isinstance(message, SnapshotHeaderRecord)
    return message.last_contained_log_timestamp


def _control_batch(
    kind: ControlType, message: Payload, *, base_offset: int, epoch: int, now_ms: int
) -> bytearray:
    record = _control_record(kind, message, now_ms=now_ms)
    return build_batch([record], base_offset=base_offset, leader_epoch=epoch, control=True)


def _control_record(kind: ControlType, message: Payload, *, now_ms: int) -> Record:
    value = bytes(codec(type(message), CONTROL_VERSION).encode(message))
    return Record(timestamp=now_ms, key=control_key(kind), value=value)
