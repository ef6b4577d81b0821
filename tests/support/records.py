"""Record batches as producers send them, and records as consumers see them."""

from __future__ import annotations

from ottla.base.world import Buffer
from ottla.wire.records.batch import BatchHeader, Codec, build_batch, iter_batches
from ottla.wire.records.record import Record, iter_records
from tests.support.stepped_loop import START_MS


def batch_of(
    *values: bytes | None,
    timestamp: int = START_MS,
    codec: Codec = Codec.NONE,
    key: bytes | None = b"k",
) -> bytearray:
    """One batch, a record for each value, a millisecond apart."""
    return build_batch(
        [
            Record(timestamp=timestamp + index, key=key, value=value)
            for index, value in enumerate(values)
        ],
        codec=codec,
    )


def headers_of(data: Buffer | None) -> list[BatchHeader]:
    """The headers of all whole batches."""
    return [header for header, _ in iter_batches(data or b"")]


def records_of(data: Buffer | None) -> list[Record]:
    """All records of all whole batches."""
    return [record for _, batch in iter_batches(data or b"") for record in iter_records(batch)]


def values_of(data: Buffer | None) -> list[bytes | None]:
    """The values of all records of all whole batches."""
    return [record.value for record in records_of(data)]


def offsets_of(data: Buffer | None) -> list[int]:
    return [record.offset for record in records_of(data)]
