"""What is in a file, item by item: batches and records, entries, producers, offsets.

An `Item` is plain data for a table or for JSON. Damage is an item, too, and never an end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.ids import format_uuid
from ottla.base.world import Disk
from ottla.log import checkpoints, names
from ottla.log.aborted_transactions import decode_aborted
from ottla.log.index_file import DamagedIndexError
from ottla.log.inspection.decoders import Decoder, decoder_for, tell, tell_control
from ottla.log.inspection.index_check import OFFSET_ENTRY, TIME_ENTRY
from ottla.log.inspection.producer_check import TXN_ENTRY_SIZE
from ottla.log.inspection.scan import Broken, Whole, scan
from ottla.log.producer_snapshots import decode_snapshot
from ottla.wire.records.header import BatchHeader, TimestampType
from ottla.wire.records.record import Record, iter_records

_STATES: Final = (names.DELETED_SUFFIX, names.CLEANED_SUFFIX, names.SWAP_SUFFIX)
_SNAPSHOT_OF_METADATA: Final = re.compile(r"(bootstrap|\d{20}-\d{10})\.checkpoint")
_OFFSET_FILES: Final = (
    checkpoints.RECOVERY_POINTS,
    checkpoints.LOG_START_OFFSETS,
    checkpoints.HIGH_WATERMARKS,
    checkpoints.CLEANER_OFFSETS,
)
_METADATA_TOPIC: Final = "__cluster_metadata"
_OFFSET_MAX: Final = (1 << 63) - 1


class Item(NamedTuple):
    """One thing in a file; `fields` are of JSON's types."""

    kind: str
    fields: dict[str, Any]


class Wanted(NamedTuple):
    """Which batches, and whether their records, too; offsets from the first up to the last."""

    records: bool = False
    first_offset: int = 0
    last_offset: int = _OFFSET_MAX


def dump_file(disk: Disk, path: str, wanted: Wanted) -> Iterator[Item] | None:
    """The items of a file; None for a file that this knows nothing of.

    Raises OSError. Content that cannot be what the name says is an item of the kind `damage`.
    """
    folder, _, name = path.rpartition("/")
    for state in _STATES:
        name = name.removesuffix(state)
    if name.endswith(names.LOG_SUFFIX) and names.is_of_segment(name):
        return _batches(disk, path, wanted, decoder_for(_topic_of(folder)))
    if _SNAPSHOT_OF_METADATA.fullmatch(name):
        return _batches(disk, path, wanted, decoder_for(_METADATA_TOPIC))
    read = _reader_of(name)
    return None if read is None else _whole_file(disk, path, read, name)


def _topic_of(folder: str) -> str | None:
    key = names.folder_partition(folder.rpartition("/")[2])
    return key.topic if key else None


# --- batches ---


def _batches(disk: Disk, path: str, wanted: Wanted, decoder: Decoder) -> Iterator[Item]:
    file = disk.open(path)
    try:
        for found in scan(file):
            if isinstance(found, Broken):
                yield _damaged_stretch(found)
            elif found.header.last_offset >= wanted.first_offset:
                if found.header.base_offset > wanted.last_offset:
                    return
                yield Item("batch", _batch_fields(found.position, found.header))
                if wanted.records:
                    yield from _records(found, wanted, decoder)
    finally:
        file.close()


def _damaged_stretch(found: Broken) -> Item:
    return Item(
        "damage",
        {
            "position": found.position,
            "bytes": found.end - found.position,
            "problem": str(found.problem),
            "detail": found.detail,
        },
    )


def _batch_fields(position: int, header: BatchHeader) -> dict[str, Any]:
    try:
        codec = header.codec.name.lower()
    except ProtocolError:
        codec = f"unknown ({header.codec_id})"
    by_broker = header.timestamp_type is TimestampType.LOG_APPEND_TIME
    return {
        "baseOffset": header.base_offset,
        "lastOffset": header.last_offset,
        "count": header.record_count,
        "baseSequence": header.base_sequence,
        "lastSequence": header.last_sequence,
        "producerId": header.producer_id,
        "producerEpoch": header.producer_epoch,
        "partitionLeaderEpoch": header.partition_leader_epoch,
        "isTransactional": header.is_transactional,
        "isControl": header.is_control,
        "deleteHorizonMs": header.delete_horizon_ms,
        "position": position,
        "timestampType": "LogAppendTime" if by_broker else "CreateTime",
        "timestamp": header.max_timestamp,
        "size": header.size,
        "codec": codec,
        "crc": header.crc,
    }


def _records(found: Whole, wanted: Wanted, decoder: Decoder) -> Iterator[Item]:
    is_control = found.header.is_control
    try:
        for record in iter_records(found.batch):
            if wanted.first_offset <= record.offset <= wanted.last_offset:
                yield _record(record, None if is_control else decoder)
    except ProtocolError as error:
        yield _damage(found.position, f"the records cannot be read: {error.message}")


def _record(record: Record, decoder: Decoder | None) -> Item:
    told = tell_control(record) if decoder is None else tell(record, decoder)
    headers = [[key, None if value is None else value.hex()] for key, value in record.headers]
    return Item(
        "control" if decoder is None else "record",
        {
            "offset": record.offset,
            "timestamp": record.timestamp,
            "keySize": -1 if record.key is None else len(record.key),
            "valueSize": -1 if record.value is None else len(record.value),
            "headers": headers,
            "key": told.key,
            "value": told.value,
        },
    )


def _damage(position: int, detail: str) -> Item:
    return Item("damage", {"position": position, "detail": detail})


# --- the small files ---

_Reader = Callable[[bytes, str], Iterator[Item]]


def _whole_file(disk: Disk, path: str, read: _Reader, name: str) -> Iterator[Item]:
    content = disk.read_file(path)
    try:
        yield from read(content, name)
    except (ValueError, DamagedIndexError) as error:
        yield _damage(0, str(error))


def _reader_of(name: str) -> _Reader | None:
    if names.is_of_segment(name):
        return _OF_SEGMENTS.get(name[name.rindex(".") :])
    return _BY_NAME.get(name)


def _offset_entries(content: bytes, name: str) -> Iterator[Item]:
    base_offset = names.base_offset_of(name)
    yield from _partial(content, OFFSET_ENTRY.size)
    for at in range(0, len(content) - OFFSET_ENTRY.size + 1, OFFSET_ENTRY.size):
        relative, position = OFFSET_ENTRY.unpack_from(content, at)
        yield Item("entry", {"offset": base_offset + relative, "position": position})


def _time_entries(content: bytes, name: str) -> Iterator[Item]:
    base_offset = names.base_offset_of(name)
    yield from _partial(content, TIME_ENTRY.size)
    for at in range(0, len(content) - TIME_ENTRY.size + 1, TIME_ENTRY.size):
        timestamp, relative = TIME_ENTRY.unpack_from(content, at)
        yield Item("entry", {"timestamp": timestamp, "offset": base_offset + relative})


def _partial(content: bytes, size: int) -> Iterator[Item]:
    rest = len(content) % size
    if rest:
        yield _damage(len(content) - rest, f"{rest} bytes are no whole entry of {size}")


def _aborted(content: bytes, _: str) -> Iterator[Item]:
    yield from _partial(content, TXN_ENTRY_SIZE)
    for entry in decode_aborted(content[: len(content) - len(content) % TXN_ENTRY_SIZE]):
        yield Item(
            "aborted",
            {
                "producerId": entry.producer_id,
                "firstOffset": entry.first_offset,
                "lastOffset": entry.last_offset,
                "lastStableOffset": entry.last_stable_offset,
            },
        )


def _producers(content: bytes, _: str) -> Iterator[Item]:
    for producer_id, state in decode_snapshot(content):
        last = state.batches[-1] if state.batches else None
        yield Item(
            "producer",
            {
                "producerId": producer_id,
                "producerEpoch": state.epoch,
                "coordinatorEpoch": state.coordinator_epoch,
                "currentTxnFirstOffset": state.transaction_start,
                "lastTimestamp": state.timestamp,
                "firstSequence": last.base_sequence if last else -1,
                "lastSequence": last.last_sequence if last else -1,
                "lastOffset": last.last_offset if last else -1,
            },
        )


def _epochs(content: bytes, _: str) -> Iterator[Item]:
    for epoch, first_offset in checkpoints.decode_epochs(content):
        yield Item("epoch", {"epoch": epoch, "startOffset": first_offset})


def _offsets(content: bytes, _: str) -> Iterator[Item]:
    if not content:  # as Kafka makes it, before it writes the first time
        return
    for key, offset in sorted(checkpoints.decode_offsets(content).items()):
        fields = {"topic": key.topic, "partition": key.partition, "offset": offset}
        yield Item("offset", fields)


def _identity(content: bytes, _: str) -> Iterator[Item]:
    topic_id = checkpoints.decode_partition_metadata(content)
    yield Item("identity", {"topicId": format_uuid(topic_id)})


def _meta(content: bytes, _: str) -> Iterator[Item]:
    meta = checkpoints.decode_meta_properties(content)
    yield Item(
        "meta",
        {
            "clusterId": meta.cluster_id,
            "nodeId": meta.node_id,
            "directoryId": format_uuid(meta.directory_id),
        },
    )


def _clean_shutdown(content: bytes, _: str) -> Iterator[Item]:
    yield Item("stop", {"brokerEpoch": checkpoints.decode_clean_shutdown(content)})


def _as_it_is(content: bytes, _: str) -> Iterator[Item]:
    yield Item("text", {"content": content.decode()})


_OF_SEGMENTS: Final[dict[str, _Reader]] = {
    names.OFFSET_INDEX_SUFFIX: _offset_entries,
    names.TIME_INDEX_SUFFIX: _time_entries,
    names.TXN_INDEX_SUFFIX: _aborted,
    names.SNAPSHOT_SUFFIX: _producers,
}
_BY_NAME: Final[dict[str, _Reader]] = {
    names.LEADER_EPOCHS: _epochs,
    names.PARTITION_METADATA: _identity,
    checkpoints.META_PROPERTIES: _meta,
    checkpoints.CLEAN_SHUTDOWN: _clean_shutdown,
    "quorum-state": _as_it_is,
    **dict.fromkeys(_OFFSET_FILES, _offsets),
}
