"""The columns that `send_batch` takes, whatever their form."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Protocol

from ottla.wire.records import from_arrow
from ottla.wire.records.layout import BytesColumn, HeadersColumn
from ottla.wire.records.record import RecordHeader
from ottla.wire.records.rows import Headers, Rows, Values, rows_of


class ArrowArray(Protocol):
    """Whatever offers one array by Arrow's C data interface."""

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any: ...


class ArrowStream(Protocol):
    """Whatever offers arrays of one kind by Arrow's C stream interface."""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


ArrowColumn = ArrowArray | ArrowStream
ArrowTable = ArrowArray | ArrowStream
"""Of structs: a record batch, a table, a data frame."""

Column = Sequence[bytes | None] | BytesColumn | ArrowColumn
RowHeaders = Sequence[Sequence[RecordHeader]] | HeadersColumn


def read_rows(
    values: Column | ArrowTable,
    keys: Column | None,
    timestamps: Sequence[int] | ArrowColumn | int,
    headers: RowHeaders | ArrowColumn | None,
) -> Rows:
    """What stands beside a table takes the place of its own column.

    Raises ValueError for columns that differ in length, TypeError for what is no column,
    ImportError for Arrow's without pyarrow.
    """
    named = None if keys is None else _bytes(keys)
    given = None if headers is None else _headers(headers)
    times = _times(timestamps)
    if from_arrow.is_arrow(values):
        # Once: a stream is empty after it was read.
        values = from_arrow.one_array(values)
    if not (from_arrow.is_arrow(values) and from_arrow.is_table(values)):
        return rows_of(_bytes(values), keys=named, timestamps=times, headers=given)
    table = from_arrow.columns_of_table(values)
    if named is None:
        named = table.keys
    if isinstance(times, int) and table.timestamps is not None:
        times = table.timestamps
    if given is None:
        given = table.headers
    return rows_of(table.values, keys=named, timestamps=times, headers=given)


def _bytes(column: Column | ArrowTable) -> Values:
    if from_arrow.is_arrow(column):
        return from_arrow.bytes_column(column)
    is_text = isinstance(column, bytes | bytearray | str)
    if isinstance(column, Sequence | BytesColumn) and not is_text:
        return column
    raise TypeError(f"a column is a sequence of bytes, not {type(column).__name__}")


def _times(timestamps: Sequence[int] | ArrowColumn | int) -> Sequence[int] | int:
    if isinstance(timestamps, int):
        return timestamps
    if from_arrow.is_arrow(timestamps):
        return from_arrow.timestamps_column(timestamps)
    assert isinstance(timestamps, Sequence | array)
    return timestamps


def _headers(headers: RowHeaders | ArrowColumn) -> Headers:
    if from_arrow.is_arrow(headers):
        return from_arrow.headers_column(headers)
    assert isinstance(headers, Sequence | HeadersColumn)
    return headers
