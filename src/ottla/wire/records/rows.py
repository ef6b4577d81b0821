"""Records that are to be written, as columns: how large they are, and where their keys put them.

A row is a record by its number in the columns. Nothing here makes an object per row, but the forms
in Python; their twins are in `_rows.c`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ottla.base.limits import RECORD_TIMESTAMP_MS_MAX
from ottla.wire.records.header import NO_TIMESTAMP
from ottla.wire.records.key_hash import hash_number
from ottla.wire.records.layout import BytesColumn, HeadersColumn
from ottla.wire.records.record import Record, RecordHeader
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _rows
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

Values = Sequence[bytes | None] | BytesColumn
Headers = Sequence[Sequence[RecordHeader]] | HeadersColumn
InC = tuple[int, Any, Any, "array[int] | int", Any]

RECORD_OVERHEAD_BYTES_MAX: Final = 36
"""What a record has beside its key, value and headers: lengths and deltas, each at its longest."""

HEADER_OVERHEAD_BYTES_MAX: Final = 10


class Rows(msgspec.Struct, frozen=True, gc=False):
    """Records as columns of one length; made by `rows_of`.

    `timestamps` are milliseconds, one for each or one for all, -1 for none. Lists and buffers are
    the caller's: whoever changes them meanwhile gets a ValueError, or other records.
    """

    values: list[bytes | None] | BytesColumn
    keys: list[bytes | None] | BytesColumn | None
    timestamps: array[int] | int
    headers: HeadersColumn | None

    def __len__(self) -> int:
        return len(self.values)

    def timestamp(self, row: int) -> int:
        """One row's time."""
        return self.timestamps if isinstance(self.timestamps, int) else self.timestamps[row]

    def record(self, row: int) -> Record:
        """One row, as Python's."""
        return Record(
            0,
            self.timestamp(row),
            None if self.keys is None else self.keys[row],
            self.values[row],
            () if self.headers is None else self.headers[row],
        )

    def in_c(self) -> InC:
        """What the compiled twins take."""
        headers = self.headers
        named = headers and (headers.ends, column_in_c(headers.names), column_in_c(headers.values))
        keys = None if self.keys is None else column_in_c(self.keys)
        return (len(self), column_in_c(self.values), keys, self.timestamps, named)

    def check(self) -> None:
        """Raises ValueError where buffers contradict each other; the twins in C check by row."""
        for column in (self.values, self.keys, self.headers):
            if isinstance(column, BytesColumn | HeadersColumn):
                column.check()


def column_in_c(values: list[bytes | None] | BytesColumn) -> Any:
    """A column as its buffers, a list as it is."""
    if isinstance(values, BytesColumn):
        return (values.data, values.ends, values.valid)
    return values


def rows_of(
    values: Values,
    *,
    keys: Values | None = None,
    timestamps: Sequence[int] | int = NO_TIMESTAMP,
    headers: Headers | None = None,
) -> Rows:
    """Raises ValueError for columns that differ in length, and for times beyond 64 bits."""
    count = len(values)
    if not isinstance(timestamps, int):
        _check_length("timestamps", len(timestamps), count)
        timestamps = _int64s(timestamps)
    if keys is not None:
        _check_length("keys", len(keys), count)
    if headers is not None:
        _check_length("headers", len(headers), count)
        if not isinstance(headers, HeadersColumn):
            headers = _headers_column(headers)
    return Rows(_listed(values), None if keys is None else _listed(keys), timestamps, headers)


def _listed(values: Values) -> list[bytes | None] | BytesColumn:
    return values if isinstance(values, list | BytesColumn) else list(values)


def _check_length(what: str, length: int, count: int) -> None:
    if length != count:
        raise ValueError(f"{length} {what} for {count} values")


def _headers_column(headers: Sequence[Sequence[RecordHeader]]) -> HeadersColumn:
    try:
        return HeadersColumn.of(headers)
    except OverflowError as error:
        raise ValueError("headers of more than 2 GiB") from error


def _int64s(timestamps: Sequence[int]) -> array[int]:
    if isinstance(timestamps, array) and timestamps.typecode == "q":
        return timestamps
    try:
        return array("q", timestamps)
    except OverflowError as error:
        raise ValueError(f"a timestamp is above {RECORD_TIMESTAMP_MS_MAX}") from error


def check_record(record: Record) -> None:
    """Raises TypeError for what is not bytes, ValueError for an impossible time."""
    if not NO_TIMESTAMP <= record.timestamp <= RECORD_TIMESTAMP_MS_MAX:
        raise ValueError(f"a timestamp of {record.timestamp} ms")
    _check_bytes("key", record.key)
    _check_bytes("value", record.value)
    for header in record.headers:
        _check_header(header)


def _check_header(header: object) -> None:
    if not isinstance(header, tuple) or len(header) != 2 or not isinstance(header[0], str):
        raise TypeError("a header is a name and a value")
    _check_bytes("header", header[1])


def _check_bytes(what: str, given: object) -> None:
    if given is not None and not isinstance(given, bytes):
        raise TypeError(f"a {what} is bytes or None, not {type(given).__name__}")


# -- how large -----------------------------------------------------------------------------------


class Measure(NamedTuple):
    """What rows take in a block at most. `largest` is one record's, `largest_row` says which."""

    end: int
    """The row after the last one that was counted."""
    size: int
    largest: int
    largest_row: int


Measuring = Callable[[Rows, int, int, int], Measure]
"""(rows, first, end, limit) -> their size, up to the row with which it would exceed the limit.

The first row always counts. Raises ValueError and TypeError for a row that cannot be written."""


def measure_in_python(rows: Rows, first: int, end: int, limit: int) -> Measure:
    """See `Measuring`."""
    _check_range(rows, first, end)
    rows.check()
    size = largest = 0
    widest = 0
    for row in range(first, end):
        bound = _bound_of(rows.record(row))
        if row > first and size + bound > limit:
            return Measure(row, size, largest, widest)
        size += bound
        if bound > largest:
            largest, widest = bound, row
    return Measure(end, size, largest, widest)


def _check_range(rows: Rows, first: int, end: int) -> None:
    if not 0 <= first <= end <= len(rows):
        raise ValueError("rows outside of the columns")


def _bound_of(record: Record) -> int:
    check_record(record)
    bound = RECORD_OVERHEAD_BYTES_MAX + len(record.key or b"") + len(record.value or b"")
    for name, value in record.headers:
        bound += HEADER_OVERHEAD_BYTES_MAX + len(name.encode()) + len(value or b"")
    return bound


def measure_in_c(rows: Rows, first: int, end: int, limit: int) -> Measure:
    """See `Measuring`; only where `_rows` was compiled."""
    return Measure(*_rows.measure(rows.in_c(), first, end, limit))


# -- whereto -------------------------------------------------------------------------------------


class Placement(NamedTuple):
    """Rows by partition. `order` are row numbers (int32); a share is (partition, start, end) of it.

    Shares are in the order of their partitions, the rows of each in their own.
    """

    order: array[int]
    shares: list[tuple[int, int, int]]


Placing = Callable[[Rows, int, int, int, int], Placement]
"""(rows, first, end, partitions, keyless) -> where their keys put them, as Kafka's clients do.

Those without a key go to the partition `keyless`."""


def place_in_python(rows: Rows, first: int, end: int, partitions: int, keyless: int) -> Placement:
    """See `Placing`."""
    _check_range(rows, first, end)
    if not 0 <= keyless < partitions:
        raise ValueError("a partition that is not there, or too many rows")
    chosen: list[int] = []
    for row in range(first, end):
        key = None if rows.keys is None else rows.keys[row]
        chosen.append(keyless if key is None else hash_number(key) % partitions)
    return group_rows(first, chosen)


def group_rows(first: int, chosen: Sequence[int]) -> Placement:
    """Rows from `first` on by the partition that was chosen for each."""
    by_partition: dict[int, list[int]] = {}
    for row, partition in enumerate(chosen, first):
        by_partition.setdefault(partition, []).append(row)
    order = array("i")
    shares: list[tuple[int, int, int]] = []
    for partition, rows in sorted(by_partition.items()):
        shares.append((partition, len(order), len(order) + len(rows)))
        order.extend(rows)
    return Placement(order, shares)


def place_in_c(rows: Rows, first: int, end: int, partitions: int, keyless: int) -> Placement:
    """See `Placing`; only where `_rows` was compiled."""
    order, shares = _rows.place(rows.in_c(), first, end, partitions, keyless)
    return Placement(array("i", order), shares)


measure_rows: Measuring = measure_in_python
place_rows: Placing = place_in_python
if IS_COMPILED and not is_c_refused():
    measure_rows = measure_in_c
    place_rows = place_in_c
