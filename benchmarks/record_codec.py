"""Opening batches into columns and making them again: both forms, beside records one by one.

Million records a second on one core. The records of a batch have a key of 10 bytes, a time and no
headers; a call opens or makes one batch of 1,000 records.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from benchmarks.report import Figure
from ottla.wire.records import blocks, columns
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record, iter_records
from ottla.wire.records.rows import Rows, rows_of

RECORDS = 1000
VALUE_SIZES = (100, 1024)
SECONDS = 0.3
"""How long each figure is measured, after a first call that counts for nothing."""

FIRST_MS = 1_795_000_000_000


def run() -> Iterator[Figure]:
    """The figures of one run."""
    for size in VALUE_SIZES:
        records = _records(size)
        yield from _opening(size, bytes(build_batch(records)))
        yield from _encoding(size, records)
        yield from _writing(size, records)


def _records(size: int) -> list[Record]:
    return [
        Record(number, FIRST_MS + number, b"key-%06d" % number, bytes(size))
        for number in range(RECORDS)
    ]


def _opening(size: int, batch: bytes) -> Iterator[Figure]:
    def opened(form: columns.Opening) -> Callable[[], object]:
        return lambda: columns.open_records(batch, form=form)

    yield _figure(f"open {size} B, iter_records", lambda: list(iter_records(batch)))
    yield _figure(f"open {size} B, columns in Python", opened(columns.open_in_python))
    if columns.IS_COMPILED:
        yield _figure(f"open {size} B, columns in C", opened(columns.open_in_c))
        yield _figure(
            f"open {size} B, columns in C, to records",
            lambda: columns.open_records(batch, form=columns.open_in_c).to_list(),
        )


def _encoding(size: int, records: list[Record]) -> Iterator[Figure]:
    opened = columns.open_records(build_batch(records))
    columns_of_bytes = rows_of(opened.values, keys=opened.keys, timestamps=opened.timestamps)
    values, keys = opened.values.to_list(), opened.keys.to_list()
    lists = rows_of(values, keys=keys, timestamps=opened.timestamps)

    def from_columns(form: blocks.Encoding, given: Rows) -> Callable[[], object]:
        return lambda: form(given)

    yield _figure(f"make {size} B, build_batch", lambda: build_batch(records))
    yield _figure(
        f"make {size} B, columns in Python", from_columns(blocks.encode_in_python, columns_of_bytes)
    )
    if blocks.IS_COMPILED:
        yield _figure(
            f"make {size} B, columns in C", from_columns(blocks.encode_in_c, columns_of_bytes)
        )
        yield _figure(
            f"make {size} B, lists in C",
            from_columns(blocks.encode_in_c, lists),
        )


def _writing(size: int, records: list[Record]) -> Iterator[Figure]:
    rows = [(record.timestamp, record.key, record.value) for record in records]

    def written(
        form: Callable[[], blocks.BlockWriterInPython | blocks.BlockWriterInC],
    ) -> Callable[[], object]:
        def write_all() -> object:
            writer = form()
            for timestamp, key, value in rows:
                writer.write(timestamp, key, value)
            return writer.encoded()

        return write_all

    yield _figure(f"write {size} B one by one, Python", written(blocks.BlockWriterInPython))
    if blocks.IS_COMPILED:
        yield _figure(f"write {size} B one by one, C", written(blocks.BlockWriterInC))


def _figure(what: str, work: Callable[[], object]) -> Figure:
    work()
    calls = 0
    started = time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        work()
        calls += 1
    return Figure(what, calls * RECORDS / elapsed / 1e6, "million/s")
