"""Columns of records as Apache Arrow's, without copying them.

pyarrow is imported when it is needed, and only here: nothing else of the platform asks for it.
"""

from __future__ import annotations

import importlib
from array import array
from typing import Any, Protocol

from ottla.base.world import Buffer
from ottla.wire.records.header import NO_TIMESTAMP


class Binary(Protocol):
    """`layout.BytesColumn`, as far as Arrow is concerned."""

    def __len__(self) -> int: ...
    @property
    def data(self) -> Buffer: ...
    @property
    def ends(self) -> array[int]: ...
    @property
    def valid(self) -> bytes | None: ...


class Pairs(Protocol):
    """`layout.HeadersColumn`."""

    def __len__(self) -> int: ...
    @property
    def ends(self) -> array[int]: ...
    @property
    def names(self) -> Binary: ...
    @property
    def values(self) -> Binary: ...


class Rows(Protocol):
    """`layout.RecordColumns`."""

    @property
    def offsets(self) -> array[int]: ...
    @property
    def timestamps(self) -> array[int]: ...
    @property
    def keys(self) -> Binary: ...
    @property
    def values(self) -> Binary: ...
    @property
    def headers(self) -> Pairs: ...


def to_arrow(columns: Rows) -> Any:
    """A `pyarrow.RecordBatch`: offset, timestamp, key, value, headers.

    Its memory is that of the columns. A timestamp is in milliseconds, UTC, null where a record has
    none; headers are a list of (name, value). Raises ImportError where pyarrow is missing.
    """
    arrow = load_pyarrow()
    fields = {
        "offset": _int64s(arrow, columns.offsets),
        "timestamp": _timestamps(arrow, columns.timestamps),
        "key": _binary(arrow, columns.keys, arrow.binary()),
        "value": _binary(arrow, columns.values, arrow.binary()),
        "headers": _headers(arrow, columns.headers),
    }
    return arrow.RecordBatch.from_arrays(list(fields.values()), names=list(fields))


def load_pyarrow() -> Any:
    try:
        return importlib.import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            "Arrow's columns need pyarrow, which is not installed: pip install 'ottla[arrow]'"
        ) from error


def _int64s(arrow: Any, numbers: array[int]) -> Any:
    return arrow.Array.from_buffers(arrow.int64(), len(numbers), [None, arrow.py_buffer(numbers)])


def _timestamps(arrow: Any, timestamps: array[int]) -> Any:
    numbers = _int64s(arrow, timestamps)
    compute = importlib.import_module("pyarrow.compute")
    # Its bits are those of a validity bitmap.
    has_time = compute.not_equal(numbers, NO_TIMESTAMP)
    return arrow.Array.from_buffers(
        arrow.timestamp("ms", tz="UTC"),
        len(timestamps),
        [has_time.buffers()[1] if has_time.false_count else None, numbers.buffers()[1]],
    )


def _binary(arrow: Any, column: Binary, of_type: Any) -> Any:
    valid = None if column.valid is None else arrow.py_buffer(column.valid)
    return arrow.Array.from_buffers(
        of_type,
        len(column),
        [valid, arrow.py_buffer(column.ends), arrow.py_buffer(column.data)],
    )


def _headers(arrow: Any, headers: Pairs) -> Any:
    pairs = arrow.StructArray.from_arrays(
        [
            _binary(arrow, headers.names, arrow.string()),
            _binary(arrow, headers.values, arrow.binary()),
        ],
        names=["name", "value"],
    )
    return arrow.Array.from_buffers(
        arrow.list_(pairs.type),
        len(headers),
        [None, arrow.py_buffer(headers.ends)],
        children=[pairs],
    )
