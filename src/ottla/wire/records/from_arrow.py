"""Columns of Apache Arrow's as ours: whatever speaks its C data interface, by means of pyarrow.

Values are not copied where Arrow keeps them as `binary` or `string`, only their positions are.
"""

from __future__ import annotations

from array import array
from typing import Any, Final

import msgspec

from ottla.wire.records.arrow import load_pyarrow
from ottla.wire.records.header import NO_TIMESTAMP
from ottla.wire.records.layout import BytesColumn, HeadersColumn

_INTERFACES: Final = ("__arrow_c_array__", "__arrow_c_stream__")


class ArrowColumns(msgspec.Struct, frozen=True):
    """The columns `value`, `key`, `timestamp` and `headers` of a table; None for one it lacks."""

    values: BytesColumn
    keys: BytesColumn | None
    timestamps: array[int] | None
    headers: HeadersColumn | None


def is_arrow(given: object) -> bool:
    """Whether it offers itself in Arrow's layout."""
    return any(hasattr(given, name) for name in _INTERFACES)


def one_array(given: Any) -> Any:
    """What is offered as an array of pyarrow's, which all else here takes: streams are read."""
    return _array(load_pyarrow(), given)


def is_table(given: Any) -> bool:
    """Whether it is of named columns. Raises ImportError where pyarrow is missing."""
    arrow = load_pyarrow()
    return bool(arrow.types.is_struct(_array(arrow, given).type))


def columns_of_table(table: Any) -> ArrowColumns:
    """Raises ValueError for one without `value`, TypeError for a column that is no such thing."""
    arrow = load_pyarrow()
    rows = _array(arrow, table)
    fields = {field.name: index for index, field in enumerate(rows.type)}
    if "value" not in fields:
        raise ValueError(f"a table of records has a column 'value', not only {', '.join(fields)}")
    found = {name: rows.field(index) for name, index in fields.items()}
    return ArrowColumns(
        bytes_column(found["value"]),
        bytes_column(found["key"]) if "key" in found else None,
        timestamps_column(found["timestamp"]) if "timestamp" in found else None,
        headers_column(found["headers"]) if "headers" in found else None,
    )


def bytes_column(given: Any) -> BytesColumn:
    """Byte strings or texts. Raises TypeError for anything else, ValueError beyond 2 GiB."""
    arrow = load_pyarrow()
    strings = _array(arrow, given)
    if strings.type not in (arrow.binary(), arrow.string()):
        strings = _cast(arrow, strings, arrow.binary(), "byte strings")
    valid, ends, data = strings.buffers()
    count = len(strings)
    if count == 0:
        return BytesColumn(b"", array("i", [0]))
    positions = array("i")
    positions.frombytes(memoryview(ends)[4 * strings.offset : 4 * (strings.offset + count + 1)])
    return BytesColumn(
        b"" if data is None else memoryview(data),
        positions,
        _bits(valid, strings.offset, count) if strings.null_count else None,
    )


def _bits(bitmap: Any, offset: int, count: int) -> bytes:
    """So many bits from an offset on, as a bitmap of their own."""
    first, shift = divmod(offset, 8)
    part = memoryview(bitmap)[first : (offset + count + 7) // 8]
    size = (count + 7) // 8
    if not shift:
        return bytes(part[:size])
    shifted = int.from_bytes(part, "little") >> shift
    return (shifted & (1 << 8 * size) - 1).to_bytes(size, "little")


def timestamps_column(given: Any) -> array[int]:
    """Milliseconds, from any unit of Arrow's timestamps or from integers; null is -1."""
    arrow = load_pyarrow()
    times = _array(arrow, given)
    if arrow.types.is_timestamp(times.type):
        times = times.cast(arrow.timestamp("ms", times.type.tz), safe=False)
    numbers = _cast(arrow, times, arrow.int64(), "timestamps").fill_null(NO_TIMESTAMP)
    made = array("q")
    values = numbers.buffers()[1]
    if len(numbers):
        made.frombytes(memoryview(values)[8 * numbers.offset : 8 * (numbers.offset + len(numbers))])
    return made


def headers_column(given: Any) -> HeadersColumn:
    """A list of structs of two fields, or a map; null is a record without.

    The first field is the name, whatever it is called, unless it is called `value`.
    """
    arrow = load_pyarrow()
    lists = _array(arrow, given)
    if arrow.types.is_map(lists.type):
        lists = lists.cast(arrow.map_(arrow.string(), arrow.binary()))
        listed = arrow.ListArray.from_arrays(
            lists.offsets,
            arrow.StructArray.from_arrays([lists.keys, lists.items], names=["key", "value"]),
            mask=lists.is_null() if lists.null_count else None,
        )
        lists = listed
    name, value = _fields_of_pairs(arrow, lists.type)
    kinds = {name: arrow.string(), value: arrow.binary()}
    pairs = arrow.struct([(field.name, kinds[field.name]) for field in lists.type.value_type])
    lists = _cast(arrow, lists, arrow.list_(pairs), "headers")
    if lists.null_count:
        # What stands behind a null is not defined, and would be taken for headers.
        rows = [[(pair[name], pair[value]) for pair in row or ()] for row in lists.to_pylist()]
        return HeadersColumn.of(rows)
    ends = array("i")
    ends.frombytes(
        memoryview(lists.offsets.buffers()[1])[4 * lists.offsets.offset :][: 4 * len(lists) + 4]
    )
    return HeadersColumn(
        ends, bytes_column(lists.values.field(name)), bytes_column(lists.values.field(value))
    )


def _fields_of_pairs(arrow: Any, lists: Any) -> tuple[str, str]:
    """What the struct calls names and values. A cast goes by that, and leaves out what differs."""
    pair = getattr(lists, "value_type", None)
    if pair is None or not arrow.types.is_struct(pair) or pair.num_fields != 2:
        raise TypeError(f"Arrow's {lists} is no column of headers: these are lists of pairs")
    first, second = pair.field(0).name, pair.field(1).name
    if first == second:
        raise TypeError(f"Arrow's {lists} is no column of headers: both fields are {first!r}")
    return (second, first) if first == "value" else (first, second)


def _cast(arrow: Any, given: Any, to: Any, what: str) -> Any:
    try:
        return given if given.type == to else given.cast(to)
    except (arrow.ArrowInvalid, arrow.ArrowNotImplementedError) as error:
        raise TypeError(f"Arrow's {given.type} is no column of {what}: {error}") from error


def _array(arrow: Any, given: Any) -> Any:
    """One array of pyarrow's: of structs where it is a table."""
    if isinstance(given, arrow.Array):
        return given
    if isinstance(given, arrow.RecordBatch):
        return given.to_struct_array()
    if isinstance(given, arrow.Table):
        return _one(arrow, given.to_struct_array())
    if isinstance(given, arrow.ChunkedArray):
        return _one(arrow, given)
    if hasattr(given, "__arrow_c_array__"):
        return arrow.array(given)
    return _one(arrow, arrow.chunked_array(given))


def _one(arrow: Any, chunks: Any) -> Any:
    if chunks.num_chunks == 1:
        return chunks.chunk(0)
    if not chunks.num_chunks:
        return arrow.array([], chunks.type)
    return arrow.concat_arrays(chunks.chunks)
