"""Batches held against two independent implementations: kafka-python's and aiokafka's."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from aiokafka.record.default_records import (  # type: ignore[import-untyped]  # has no types
    DefaultRecordBatch,
    DefaultRecordBatchBuilder,
)

from ottla.wire.records.batch import build_batch, check_crc, read_header
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    import kafka.codec  # type: ignore[import-untyped]  # has no types
    from kafka.record.default_records import (  # type: ignore[import-untyped]  # has no types
        DefaultRecordBatch as KafkaPythonBatch,
    )
    from kafka.record.default_records import DefaultRecordBatchBuilder as KafkaPythonBuilder

RECORDS = [
    Record(n, 1_795_000_000_000 + n * 7, key, value, headers)
    for n, (key, value, headers) in enumerate(
        [
            (b"key", b"value", ()),
            (None, b"", (("h", b"x"), ("empty", b""))),
            (b"", None, ()),
            (b"k" * 200, b"v" * 70_000, (("naïve", b"\x00\xff"),)),
            (None, None, ()),
        ]
    )
]


def skip_without_library(tool: Any, codec: Codec) -> None:
    """kafka-python's snappy and zstd stand on packages that need not be installed."""
    if tool in (KafkaPythonBatch, KafkaPythonBuilder):
        has_library = getattr(kafka.codec, f"has_{codec.name.lower()}", lambda: True)
        if not has_library():
            pytest.skip(f"kafka-python finds no library for {codec.name.lower()}")


def as_ours(record: Any) -> Record:
    return Record(
        record.offset,
        record.timestamp,
        None if record.key is None else bytes(record.key),
        None if record.value is None else bytes(record.value),
        tuple((key, bytes(value)) for key, value in record.headers),
    )


@pytest.mark.parametrize("reader", [DefaultRecordBatch, KafkaPythonBatch])
@pytest.mark.parametrize("codec", Codec)
def test_others_read_what_we_build(reader: Any, codec: Codec) -> None:
    skip_without_library(reader, codec)
    batch = build_batch(RECORDS, codec=codec, producer_id=9, producer_epoch=1, base_sequence=3)
    theirs = reader(bytes(batch))
    assert theirs.validate_crc()
    assert (theirs.producer_id, theirs.base_sequence) == (9, 3)
    assert [as_ours(record) for record in theirs] == RECORDS


@pytest.mark.parametrize("builder", [DefaultRecordBatchBuilder, KafkaPythonBuilder])
@pytest.mark.parametrize("codec", Codec)
def test_we_read_what_others_build(builder: Any, codec: Codec) -> None:
    skip_without_library(builder, codec)
    theirs = builder(
        magic=2,
        compression_type=int(codec),
        is_transactional=True,
        producer_id=9,
        producer_epoch=1,
        base_sequence=3,
        batch_size=1 << 20,
    )
    for record in RECORDS:
        theirs.append(
            record.offset, record.timestamp, record.key, record.value, list(record.headers)
        )
    batch = bytes(theirs.build())
    header = read_header(batch)
    check_crc(batch, 0, len(batch))
    assert header.size == len(batch)
    assert header.is_transactional
    assert header.codec is codec
    assert list(iter_records(batch)) == RECORDS


def test_plain_batches_are_the_same_bytes() -> None:
    theirs = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1 << 20)
    for record in RECORDS:
        theirs.append(
            record.offset, record.timestamp, record.key, record.value, list(record.headers)
        )
    ours = build_batch(
        RECORDS, leader_epoch=read_header(bytes(theirs.build())).partition_leader_epoch
    )
    assert bytes(ours) == bytes(theirs.build())
