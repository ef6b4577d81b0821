from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.wire.records import layout
from ottla.wire.records.layout import BytesColumn, HeadersColumn, Listing, list_in_python

LISTINGS: list[Listing] = [list_in_python]
if layout.IS_COMPILED:
    from ottla.wire.records import _columns

    LISTINGS.append(_columns.values)

values_and_nulls = st.lists(st.none() | st.binary(max_size=5), max_size=20)


@given(values=values_and_nulls)
def test_values_come_back_from_a_column(values: list[bytes | None]) -> None:
    column = BytesColumn.of(values)
    assert len(column) == len(values)
    assert column.to_list() == list(column) == values
    assert [column[index] for index in range(len(values))] == values
    assert (column.valid is None) == (None not in values)
    column.check()


@given(values=values_and_nulls, begin=st.integers(0, 20), end=st.integers(0, 20))
def test_a_part_of_a_column_is_that_part_of_its_values(
    values: list[bytes | None], begin: int, end: int
) -> None:
    begin, end = min(begin, len(values)), min(max(begin, end), len(values))
    end = max(begin, end)
    assert BytesColumn.of(values).to_list(begin, end) == values[begin:end]
    headers = [(("name", value),) * (index % 3) for index, value in enumerate(values)]
    assert HeadersColumn.of(headers).to_list(begin, end) == headers[begin:end]


@pytest.mark.parametrize("listed", LISTINGS)
@given(
    values=values_and_nulls,
    before=st.binary(max_size=3),
    begin=st.integers(0, 20),
    end=st.integers(0, 20),
)
def test_values_are_listed_alike_in_python_and_c(
    listed: Listing, values: list[bytes | None], before: bytes, begin: int, end: int
) -> None:
    begin, end = min(begin, len(values)), min(max(begin, end), len(values))
    column = BytesColumn.of(values)
    ends = array("i", [each + len(before) for each in column.ends])
    data = memoryview(before + column.data)
    found = listed(data, ends, column.valid, begin, end)
    assert found == values[begin:end]
    assert all(type(value) is bytes for value in found if value is not None)


@pytest.mark.skipif(not layout.IS_COMPILED, reason="the C twins were not compiled")
@pytest.mark.parametrize("ends", [[0, 2, 1], [0, 1, 4], [-1, 1, 2], [0], []])
def test_nothing_beyond_the_data_is_listed(ends: list[int]) -> None:
    with pytest.raises(ValueError, match=r"positions|rows"):
        _columns.values(b"abc", array("i", ends), None, 0, 2)
    with pytest.raises(ValueError, match="rows"):
        _columns.values(b"abc", array("i", [0] * 11), b"", 0, 10)


def test_a_column_lies_as_arrow_wants_it() -> None:
    column = BytesColumn.of([b"ab", None, b"", b"c", *[b""] * 5])
    assert column.data == b"abc"
    assert column.ends == array("i", [0, 2, 2, 2, 3, 3, 3, 3, 3, 3])
    assert column.valid == bytes([0b11111101, 0b1])


@pytest.mark.parametrize("data", [b"abc", bytearray(b"abc"), memoryview(b"abc")])
def test_a_value_is_bytes_whatever_holds_it(data: bytes | bytearray | memoryview) -> None:
    column = BytesColumn(data, array("i", [0, 1, 3]))
    assert column.to_list() == [b"a", b"bc"]
    assert type(column[1]) is bytes


@pytest.mark.parametrize("index", [-1, 2, 100])
def test_there_is_nothing_beyond_the_ends(index: int) -> None:
    with pytest.raises(IndexError):
        BytesColumn.of([b"a", b"b"])[index]
    with pytest.raises(IndexError):
        HeadersColumn.empty(2)[index]


@given(
    headers=st.lists(
        st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=3)
    )
)
def test_headers_come_back_from_a_column(headers: list[list[tuple[str, bytes | None]]]) -> None:
    column = HeadersColumn.of(headers)
    assert column.to_list() == list(column) == [tuple(pairs) for pairs in headers]
    assert [column[index] for index in range(len(headers))] == column.to_list()
    column.check()


def test_records_without_headers_have_an_empty_column() -> None:
    assert HeadersColumn.empty(3) == HeadersColumn.of([(), (), ()])
    assert HeadersColumn.empty(3).to_list() == [(), (), ()]
