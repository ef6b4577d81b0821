"""Which produced batches are taken, and with which error the others are refused."""

from __future__ import annotations

import struct

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log.config import LogConfig
from ottla.log.validation import RefusedRecordsError, validate_batch
from ottla.wire.records.batch import (
    HEADER_SIZE,
    BatchHeader,
    TimestampType,
    assemble,
    build_batch,
    check_crc,
    read_header,
)
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records
from tests.unit.log.support import NOW_MS, batch_of

CONFIG = LogConfig()


def refusal(records: bytes | bytearray | None, config: LogConfig = CONFIG) -> ErrorCode:
    with pytest.raises(ProtocolError) as refused:
        validate_batch(
            None if records is None else memoryview(records), config=config, now_ms=NOW_MS
        )
    return refused.value.code


def changed(batch: bytearray, **fields: int) -> bytearray:
    """The batch with other header fields, and a checksum that fits."""
    header = msgspec.structs.replace(read_header(batch), **fields)
    return assemble(header, batch[HEADER_SIZE:])


def test_a_usual_batch_is_taken_as_it_is() -> None:
    batch = memoryview(batch_of(b"a", b"b"))
    found, header = validate_batch(batch, config=CONFIG, now_ms=NOW_MS)
    assert found is batch
    assert header == read_header(batch)


@pytest.mark.parametrize("codec", Codec)
def test_every_codec_is_taken(codec: Codec) -> None:
    batch = memoryview(batch_of(b"a" * 1000, codec=codec))
    assert validate_batch(batch, config=CONFIG, now_ms=NOW_MS)[0] is batch


def test_no_batch_a_cut_one_and_several_are_invalid() -> None:
    batch = batch_of(b"a")
    for records in (None, b"", bytes(10), batch[:-1], batch[:30], batch + batch, batch + b"x"):
        assert refusal(records) is ErrorCode.INVALID_RECORD


def test_old_and_unknown_formats() -> None:
    for magic, code in ((0, ErrorCode.INVALID_RECORD), (1, ErrorCode.INVALID_RECORD),
                        (3, ErrorCode.CORRUPT_MESSAGE)):  # fmt: skip
        batch = batch_of(b"a")
        batch[16] = magic
        assert refusal(batch) is code
        assert refusal(batch[:40]) is code


def test_a_length_that_cannot_be_is_corrupt() -> None:
    for length in (0, 48, -1):
        batch = batch_of(b"a")
        struct.pack_into(">i", batch, 8, length)
        assert refusal(batch) is ErrorCode.CORRUPT_MESSAGE


def test_a_damaged_batch_is_corrupt() -> None:
    batch = batch_of(b"a")
    for position in range(21, len(batch)):
        damaged = bytearray(batch)
        damaged[position] ^= 0x10
        assert refusal(damaged) is ErrorCode.CORRUPT_MESSAGE


def test_a_batch_larger_than_the_topic_allows() -> None:
    batch = batch_of(bytes(500))
    assert refusal(batch, LogConfig(max_message_bytes=len(batch) - 1)) is (
        ErrorCode.MESSAGE_TOO_LARGE
    )
    validate_batch(memoryview(batch), config=LogConfig(max_message_bytes=len(batch)), now_ms=NOW_MS)
    assert refusal(batch, LogConfig(segment_bytes=len(batch) - 1)) is (
        ErrorCode.RECORD_LIST_TOO_LARGE
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"base_offset": 5},
        {"record_count": 0},
        {"record_count": -1},
        {"record_count": 3},
        {"last_offset_delta": 2},
        {"last_offset_delta": -1, "record_count": 0},
        {"attributes": 0x20},
        {"producer_id": 7, "base_sequence": -1},
    ],
)
def test_headers_that_contradict_themselves(fields: dict[str, int]) -> None:
    assert refusal(changed(batch_of(b"a", b"b"), **fields)) is ErrorCode.INVALID_RECORD


@pytest.mark.parametrize("codec_id", [5, 6, 7])
def test_codecs_that_do_not_exist(codec_id: int) -> None:
    batch = changed(batch_of(b"a"), attributes=codec_id)
    assert refusal(batch) is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


def test_timestamps_outside_of_the_bounds() -> None:
    config = LogConfig(timestamp_before_max_ms=1000, timestamp_after_max_ms=500)
    for timestamp in (NOW_MS - 1000, NOW_MS, NOW_MS + 500, -1):
        batch = memoryview(batch_of(b"a", timestamp=timestamp))
        validate_batch(batch, config=config, now_ms=NOW_MS)
    for timestamp in (NOW_MS - 1001, NOW_MS + 501):
        assert refusal(batch_of(b"a", timestamp=timestamp), config) is ErrorCode.INVALID_TIMESTAMP
    late = batch_of(b"a", timestamp=NOW_MS + 10_000_000)
    assert refusal(late) is ErrorCode.INVALID_TIMESTAMP
    by_broker = LogConfig(timestamp_type=TimestampType.LOG_APPEND_TIME)
    validate_batch(memoryview(late), config=by_broker, now_ms=NOW_MS)


def test_producers_do_not_claim_the_brokers_time() -> None:
    batch = build_batch([Record(timestamp=NOW_MS)], timestamp_type=TimestampType.LOG_APPEND_TIME)
    assert refusal(batch) is ErrorCode.INVALID_TIMESTAMP


def test_compacted_topics_need_keys() -> None:
    compacted = LogConfig(cleanup_policy=("compact", "delete"))
    keyless = build_batch([Record(timestamp=NOW_MS, key=key) for key in (b"k", None, b"", None)])
    with pytest.raises(RefusedRecordsError) as refused:
        validate_batch(memoryview(keyless), config=compacted, now_ms=NOW_MS)
    assert refused.value.code is ErrorCode.INVALID_RECORD
    assert [index for index, _ in refused.value.record_errors] == [1, 3]
    validate_batch(memoryview(keyless), config=CONFIG, now_ms=NOW_MS)
    validate_batch(memoryview(batch_of(b"a")), config=compacted, now_ms=NOW_MS)


@pytest.mark.parametrize("source", Codec)
@pytest.mark.parametrize("target", Codec)
def test_a_topic_with_a_codec_of_its_own_compresses_anew(source: Codec, target: Codec) -> None:
    batch = memoryview(batch_of(b"a" * 100, b"b" * 100, codec=source))
    found, header = validate_batch(batch, config=LogConfig(codec=target), now_ms=NOW_MS)
    assert (found is batch) == (source is target)
    assert header.codec is target
    assert read_header(found) == header
    check_crc(found, 0, len(found))
    assert list(iter_records(found)) == list(iter_records(batch))


def test_what_grows_too_large_uncompressed_is_refused() -> None:
    batch = batch_of(bytes(50_000), codec=Codec.ZSTD)
    config = LogConfig(codec=Codec.NONE, max_message_bytes=10_000)
    assert refusal(batch, config) is ErrorCode.MESSAGE_TOO_LARGE


@given(records=st.binary(max_size=200))
def test_random_bytes_are_refused(records: bytes) -> None:
    assert isinstance(refusal(records), ErrorCode)


@given(data=st.data())
def test_any_header_is_taken_or_refused_but_nothing_else(data: st.DataObject) -> None:
    batch = batch_of(b"a", b"b")
    numbers = data.draw(st.binary(min_size=40, max_size=40))
    batch[21:61] = numbers
    header = BatchHeader(*struct.unpack(">qiiBIhiqqqhii", batch[:61]))
    sealed = assemble(header, batch[HEADER_SIZE:])
    try:
        validate_batch(
            memoryview(sealed), config=LogConfig(cleanup_policy=("compact",)), now_ms=NOW_MS
        )
    except ProtocolError as refused:
        assert refused.code is not ErrorCode.NONE  # noqa: PT017 # it may also be valid
