"""Apache Arrow's columns, in whatever form they come, as records that can be written."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from ottla.wire.records import from_arrow
from ottla.wire.records.arrow import to_arrow
from ottla.wire.records.batch import build_batch
from ottla.wire.records.columns import open_records
from ottla.wire.records.from_arrow import (
    bytes_column,
    columns_of_table,
    headers_column,
    is_arrow,
    is_table,
    timestamps_column,
)
from ottla.wire.records.record import Record
from ottla.wire.records.rows import measure_rows, rows_of

VALUES = [b"a", None, b"", b"\xff" * 300, b"e", None, b"g", b"h", b"i", None, b"k"]


class OnlyTheInterface:
    """What another library gives: nothing but Arrow's C data interface."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
        return self._of.__arrow_c_array__(requested_schema)


class OnlyTheStream:
    """The same of chunks."""

    def __init__(self, of: Any) -> None:
        self._of = of

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._of.__arrow_c_stream__(requested_schema)


@pytest.fixture
def arrow() -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is an extra: pip install 'ottla[arrow]'")


@pytest.mark.parametrize("kind", ["binary", "large_binary", "binary_view"])
def test_byte_strings_of_every_layout_are_a_column(arrow: Any, kind: str) -> None:
    given = arrow.array(VALUES, getattr(arrow, kind)())
    assert bytes_column(given).to_list() == VALUES


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_texts_are_their_utf_8(arrow: Any, kind: str) -> None:
    given = arrow.array(["naïve", None, ""], getattr(arrow, kind)())
    assert bytes_column(given).to_list() == ["naïve".encode(), None, b""]


def test_codes_of_a_dictionary_are_what_they_stand_for(arrow: Any) -> None:
    given = arrow.array([b"a", b"b", b"a"]).dictionary_encode()
    assert bytes_column(given).to_list() == [b"a", b"b", b"a"]


@pytest.mark.parametrize("start", range(10))
@pytest.mark.parametrize("count", [0, 1, 8, 9])
def test_a_slice_is_those_values_alone(arrow: Any, start: int, count: int) -> None:
    column = bytes_column(arrow.array(VALUES, arrow.binary()).slice(start, count))
    column.check()
    assert column.to_list() == VALUES[start : start + count]
    assert [column[index] for index in range(len(column))] == VALUES[start : start + count]
    if len(column):
        assert measure_rows(rows_of(column, keys=column), 0, len(column), 2**62).end == len(column)


@pytest.mark.parametrize("wrap", [OnlyTheInterface, OnlyTheStream])
def test_any_library_s_arrow_is_taken(arrow: Any, wrap: Any) -> None:
    array = arrow.array(VALUES)
    given = wrap(array if wrap is OnlyTheInterface else arrow.chunked_array([array, array]))
    assert is_arrow(given)
    assert not is_table(given)
    assert bytes_column(given).to_list() == VALUES * (1 if wrap is OnlyTheInterface else 2)


def test_chunks_are_one_column(arrow: Any) -> None:
    assert bytes_column(arrow.chunked_array([VALUES[:3], VALUES[3:]])).to_list() == VALUES
    assert bytes_column(arrow.chunked_array([], arrow.binary())).to_list() == []


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_every_unit_are_milliseconds(arrow: Any, unit: str) -> None:
    moment = datetime(2026, 11, 21, 12, 30, 15, 0, UTC)
    given = arrow.array([moment, None, moment], arrow.timestamp(unit, tz="UTC"))
    ms = int(moment.timestamp() * 1000)
    assert list(timestamps_column(given)) == [ms, -1, ms]
    assert list(timestamps_column(given.slice(1, 2))) == [-1, ms]


def test_a_time_between_milliseconds_is_the_earlier(arrow: Any) -> None:
    assert list(timestamps_column(arrow.array([1_999], arrow.timestamp("us")))) == [1]


def test_numbers_are_times_too(arrow: Any) -> None:
    assert list(timestamps_column(arrow.array([5, None, 7]))) == [5, -1, 7]
    assert list(timestamps_column(arrow.array([], arrow.int64()))) == []


HEADERS: list[list[tuple[str, bytes | None]]] = [[("a", b"1"), ("b", None)], [], [("a", b"")]]


@pytest.mark.parametrize("kind", ["list", "map"])
def test_headers_are_lists_of_pairs_or_maps(arrow: Any, kind: str) -> None:
    if kind == "list":
        pair = arrow.struct([("name", arrow.string()), ("value", arrow.binary())])
        rows = [[{"name": name, "value": value} for name, value in row] for row in HEADERS]
        given = arrow.array([*rows, None], arrow.list_(pair))
    else:
        given = arrow.array([*HEADERS, None], arrow.map_(arrow.string(), arrow.binary()))
    expected = [tuple(row) for row in HEADERS]
    assert headers_column(given).to_list() == [*expected, ()]
    for start in range(3):
        without_null = headers_column(given.slice(start, 3 - start))
        without_null.check()
        assert without_null.to_list() == expected[start:]


@pytest.mark.parametrize("text", ["string", "large_string", "binary"])
@pytest.mark.parametrize("null", [False, True])
@pytest.mark.parametrize(
    "fields", [("name", "val"), ("key", "value"), ("f0", "f1"), ("value", "name")]
)
def test_fields_of_headers_may_be_called_anything(
    arrow: Any, fields: tuple[str, str], null: bool, text: str
) -> None:
    kinds = [getattr(arrow, text)(), arrow.binary()]
    order = slice(None, None, -1 if fields[0] == "value" else 1)
    pair = arrow.struct(list(zip(fields, kinds[order], strict=True)))
    rows: list[Any] = [
        [{fields[order][0]: name, fields[order][1]: value} for name, value in row]
        for row in HEADERS
    ]
    given = arrow.array([*rows, None] if null else rows, arrow.list_(pair))
    expected = [tuple(row) for row in HEADERS]
    assert headers_column(given).to_list() == ([*expected, ()] if null else expected)


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c"), ("a", "a")])
def test_headers_that_are_no_pairs_are_refused(arrow: Any, names: tuple[str, ...]) -> None:
    pair = arrow.struct([(name, arrow.string()) for name in names])
    with pytest.raises(TypeError, match="is no column of headers"):
        headers_column(arrow.array([[]], arrow.list_(pair)))


def test_what_was_read_as_a_table_is_written_again(arrow: Any) -> None:
    records = [
        Record(0, -1, b"k", b"v"),
        Record(1, 1_795_000_000_123, None, b"", (("naïve", b"\xff"), ("empty", None))),
        Record(2, 0, b"", None),
    ]
    opened = open_records(build_batch(records))
    batch = to_arrow(opened)
    for table in (batch, arrow.Table.from_batches([batch]), OnlyTheInterface(batch)):
        assert is_table(table)
        columns = columns_of_table(table)
        assert columns.values.to_list() == opened.values.to_list()
        assert columns.keys is not None
        assert columns.keys.to_list() == opened.keys.to_list()
        assert columns.timestamps == opened.timestamps
        assert columns.headers is not None
        assert columns.headers.to_list() == opened.headers.to_list()
    part = columns_of_table(batch.slice(1, 2))
    assert part.values.to_list() == [b"", None]
    assert part.timestamps == opened.timestamps[1:]


def test_a_table_needs_values_alone(arrow: Any) -> None:
    columns = columns_of_table(arrow.table({"value": [b"a"], "other": [1]}))
    assert (columns.keys, columns.timestamps, columns.headers) == (None, None, None)
    with pytest.raises(ValueError, match="'value', not only key"):
        columns_of_table(arrow.table({"key": [b"a"]}))


@pytest.mark.parametrize(
    ("read", "given"),
    [(bytes_column, [[b"a"]]), (timestamps_column, [b"soon"]), (headers_column, [1, 2])],
)
def test_a_column_of_another_type_is_refused(arrow: Any, read: Any, given: Any) -> None:
    with pytest.raises(TypeError, match="is no column of"):
        read(arrow.array(given))


def test_without_pyarrow_it_says_what_to_install(
    arrow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = OnlyTheInterface(arrow.array([b"a"]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'ottla\[arrow\]'"):
        from_arrow.bytes_column(given)


@pytest.mark.parametrize("given", [[b"a"], (b"a",), b"a", None, {"value": 1}])
def test_python_s_own_are_not_arrow(given: object) -> None:
    assert not is_arrow(given)
