"""Whether a batch from a producer may enter a log, by its header alone.

What Apache Kafka checks inside of records is checked here only where a topic's settings ask for
it: compacted topics need keys. Codes and the order of the checks are those of Kafka 4.3.
"""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log.config import LogConfig
from ottla.wire.records.batch import recompress
from ottla.wire.records.crc32c import crc32c
from ottla.wire.records.header import (
    CODEC_BITS,
    CONTROL_BIT,
    CRC_FROM,
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    MAGIC_AT,
    BatchHeader,
)
from ottla.wire.records.record import null_key_indexes

_SUSPECT_BITS: Final = LOG_APPEND_TIME_BIT | CONTROL_BIT | 0x04
"""Attributes that a usual batch does not have; 4 is the bit of zstd and of no codec at all."""

_LAST_CODEC: Final = 4
_NO_TIMESTAMP: Final = -1


class RefusedRecordsError(ProtocolError):
    """Single records are at fault: `record_errors` has their indexes in the batch and reasons.

    As in ProduceResponse's RecordErrors (KIP-467).
    """

    def __init__(self, code: ErrorCode, record_errors: list[tuple[int, str]]) -> None:
        super().__init__(
            code,
            f"{len(record_errors)} records of the batch are refused, the first at index "
            f"{record_errors[0][0]}: {record_errors[0][1]}",
        )
        self.record_errors = record_errors


def validate_batch(
    records: memoryview | None, *, config: LogConfig, now_ms: int
) -> tuple[memoryview, BatchHeader]:
    """The one batch of a partition in a produce request, and its header.

    The same memory, unless the topic wants another codec: then a new batch of the same records.
    Raises ProtocolError: INVALID_RECORD for none, several or a cut batch, an old format, counts
    that do not agree, control records, a missing sequence or a missing key; MESSAGE_TOO_LARGE,
    RECORD_LIST_TOO_LARGE, CORRUPT_MESSAGE, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION_TYPE.
    """
    if records is None or len(records) < HEADER_SIZE:
        raise _refuse_framing(records)
    header = BatchHeader(*HEADER.unpack_from(records))
    size = header.batch_length + LENGTH_OVERHEAD
    if header.magic != MAGIC or size != len(records):
        raise _refuse_framing(records)
    if header.base_offset != 0:
        raise _invalid(f"the base offset of a produced batch is 0, not {header.base_offset}")
    if size > config.max_message_bytes or size > config.segment_bytes:
        raise _too_large(size, config)
    if crc32c(records[CRC_FROM:]) != header.crc:
        raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, "the batch's CRC differs from its header's")
    if header.record_count <= 0 or header.last_offset_delta != header.record_count - 1:
        raise _invalid(
            f"{header.record_count} records do not take offsets 0 to {header.last_offset_delta}"
        )
    if header.attributes & _SUSPECT_BITS:
        _check_attributes(header)
    if header.producer_id >= 0 and header.base_sequence < 0:
        raise _invalid(f"producer {header.producer_id} sends no sequence number")
    if (
        header.max_timestamp - now_ms > config.timestamp_after_max_ms
        or now_ms - header.base_timestamp > config.timestamp_before_max_ms
    ) and not config.is_log_append_time:
        _check_timestamps(header, config, now_ms)
    if config.is_compacted:
        _check_keys(records, header)
    if config.codec is not None and config.codec != header.attributes & CODEC_BITS:
        return _in_codec_of_topic(records, header, config)
    return records, header


def _invalid(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_RECORD, reason)


def _refuse_framing(records: memoryview | None) -> ProtocolError:
    """What arrived is not exactly one batch of format v2."""
    if records is None or len(records) <= MAGIC_AT:
        return _invalid("a partition comes without its record batch")
    magic = records[MAGIC_AT]
    if magic > MAGIC:
        return ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"no record format has the magic {magic}")
    if magic != MAGIC:
        return _invalid(f"only record batches of magic 2 are taken (KIP-724), not of {magic}")
    length = int.from_bytes(records[8:LENGTH_OVERHEAD], "big", signed=True)
    size = length + LENGTH_OVERHEAD
    if size < HEADER_SIZE:
        return ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"a batch of {size} bytes has no header")
    if size > len(records):
        return _invalid(f"a batch of {size} bytes is cut to {len(records)}")
    return _invalid("a partition comes with more than its one record batch")


def _too_large(size: int, config: LogConfig) -> ProtocolError:
    if size > config.max_message_bytes:
        return ProtocolError(
            ErrorCode.MESSAGE_TOO_LARGE,
            f"a batch of {size} bytes exceeds max.message.bytes={config.max_message_bytes}",
        )
    return ProtocolError(
        ErrorCode.RECORD_LIST_TOO_LARGE,
        f"a batch of {size} bytes exceeds segment.bytes={config.segment_bytes}",
    )


def _check_attributes(header: BatchHeader) -> None:
    if header.attributes & CONTROL_BIT:
        raise _invalid("clients do not write control records")
    if header.attributes & LOG_APPEND_TIME_BIT:
        raise ProtocolError(
            ErrorCode.INVALID_TIMESTAMP, "producers do not set the timestamp type LogAppendTime"
        )
    if header.attributes & CODEC_BITS > _LAST_CODEC:
        raise ProtocolError(
            ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
            f"no codec has the id {header.attributes & CODEC_BITS}",
        )


def _check_timestamps(header: BatchHeader, config: LogConfig, now_ms: int) -> None:
    """The first and the largest timestamp of the batch; -1, none, is always fine (KIP-937)."""
    for timestamp in (header.base_timestamp, header.max_timestamp):
        if timestamp == _NO_TIMESTAMP:
            continue
        earliest = now_ms - config.timestamp_before_max_ms
        latest = now_ms + config.timestamp_after_max_ms
        if not earliest <= timestamp <= latest:
            raise ProtocolError(
                ErrorCode.INVALID_TIMESTAMP,
                f"timestamp {timestamp} is outside of [{earliest}, {latest}]",
            )


def _check_keys(records: memoryview, header: BatchHeader) -> None:
    missing = null_key_indexes(records, header)
    if missing:
        reason = "a compacted topic needs a key in each record"
        raise RefusedRecordsError(ErrorCode.INVALID_RECORD, [(index, reason) for index in missing])


def _in_codec_of_topic(
    records: memoryview, header: BatchHeader, config: LogConfig
) -> tuple[memoryview, BatchHeader]:
    assert config.codec is not None
    batch, changed = recompress(records, header, config.codec, level=config.level_of(config.codec))
    if changed.size > config.max_message_bytes or changed.size > config.segment_bytes:
        raise _too_large(changed.size, config)
    return memoryview(batch), changed
