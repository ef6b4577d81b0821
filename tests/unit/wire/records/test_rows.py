"""Rows of columns: measured, placed and written, alike in Python and in C."""

from __future__ import annotations

import random
from array import array
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.wire.records import blocks, rows
from ottla.wire.records.batch import build_batch
from ottla.wire.records.blocks import BlockWriterInPython
from ottla.wire.records.columns import open_records
from ottla.wire.records.key_hash import hash_number
from ottla.wire.records.layout import BytesColumn, HeadersColumn
from ottla.wire.records.record import Record
from ottla.wire.records.rows import (
    Measure,
    Measuring,
    Placing,
    Rows,
    measure_in_c,
    measure_in_python,
    place_in_c,
    place_in_python,
    rows_of,
)
from tests.unit.wire.records.record_strategies import any_records
from tests.unit.wire.strategies import examples

NO_LIMIT = 2**62
needs_c = pytest.mark.skipif(not rows.IS_COMPILED, reason="the C twins were not compiled")
EVERY_MEASURE = pytest.mark.parametrize(
    "measure",
    [
        pytest.param(measure_in_python, id="python"),
        pytest.param(measure_in_c, id="c", marks=needs_c),
    ],
)
EVERY_PLACING = pytest.mark.parametrize(
    "place",
    [pytest.param(place_in_python, id="python"), pytest.param(place_in_c, id="c", marks=needs_c)],
)
WriterForm = Callable[..., BlockWriterInPython]
EVERY_WRITER = pytest.mark.parametrize(
    "writer_form",
    [
        pytest.param(BlockWriterInPython, id="python"),
        pytest.param(getattr(blocks, "BlockWriterInC", None), id="c", marks=needs_c),
    ],
)


def as_lists(records: Sequence[Record]) -> Rows:
    return rows_of(
        [record.value for record in records],
        keys=[record.key for record in records],
        timestamps=[record.timestamp for record in records],
        headers=[record.headers for record in records],
    )


def as_columns(records: Sequence[Record]) -> Rows:
    opened = open_records(build_batch(records))
    return rows_of(
        opened.values, keys=opened.keys, timestamps=opened.timestamps, headers=opened.headers
    )


def written(writer_form: WriterForm, given: Rows, order: array[int] | None) -> object:
    writer = writer_form()
    end = len(given) if order is None else len(order)
    assert writer.write_rows(given, order, 0, end, NO_LIMIT) == end
    return writer.encoded()


def one_by_one(records: Sequence[Record]) -> BlockWriterInPython:
    writer = BlockWriterInPython()
    for record in records:
        writer.write(record.timestamp, record.key, record.value, record.headers)
    return writer


# -- measuring -----------------------------------------------------------------------------------


@EVERY_MEASURE
@given(records=any_records)
@examples(100)
def test_no_block_is_longer_than_its_measure(measure: Measuring, records: list[Record]) -> None:
    for given_rows in (as_lists(records), as_columns(records)):
        measured = measure(given_rows, 0, len(records), NO_LIMIT)
        assert measured == measure_in_python(given_rows, 0, len(records), NO_LIMIT)
        assert one_by_one(records).size <= measured.size
        alone = one_by_one([records[measured.largest_row]]).size
        assert alone <= measured.largest <= measured.size


@EVERY_MEASURE
def test_rows_are_measured_up_to_the_limit_and_the_first_always(measure: Measuring) -> None:
    given_rows = rows_of([bytes(64), bytes(164), bytes(64)])
    assert measure(given_rows, 0, 3, 300) == Measure(2, 300, 200, 1)
    assert measure(given_rows, 0, 3, 299) == Measure(1, 100, 100, 0)
    assert measure(given_rows, 1, 3, 1) == Measure(2, 200, 200, 1)
    assert measure(given_rows, 3, 3, 1) == Measure(3, 0, 0, 0)


COUNT_2 = [b"a", b"b"]
IMPOSSIBLE: dict[str, tuple[Callable[[], Rows], type[Exception]]] = {
    "a value that is text": (lambda: rows_of([b"a", "b"]), TypeError),  # type: ignore[list-item] # the test's point
    "a key that is a number": (lambda: rows_of(COUNT_2, keys=[b"", 1]), TypeError),  # type: ignore[list-item] # the test's point
    "a time before -1": (lambda: rows_of(COUNT_2, timestamps=[0, -2]), ValueError),
    "a time of all before -1": (lambda: rows_of(COUNT_2, timestamps=-2), ValueError),
    "ends that go back": (
        lambda: rows_of(BytesColumn(b"abc", array("i", [0, 3, 1]))),
        ValueError,
    ),
    "ends beyond the data": (lambda: rows_of(BytesColumn(b"a", array("i", [0, 1, 2]))), ValueError),
    "a bitmap too short": (
        lambda: rows_of(BytesColumn(b"", array("i", [0] * 10), valid=b"\xff")),
        ValueError,
    ),
    "a header without a name": (
        lambda: rows_of(
            COUNT_2,
            headers=HeadersColumn(
                array("i", [0, 0, 1]), BytesColumn.of([None]), BytesColumn.of([b"x"])
            ),
        ),
        ValueError,
    ),
    "a header's name that is no UTF-8": (
        lambda: rows_of(
            COUNT_2,
            headers=HeadersColumn(
                array("i", [0, 0, 1]), BytesColumn.of([b"\xff"]), BytesColumn.of([b"x"])
            ),
        ),
        ValueError,
    ),
}


@EVERY_MEASURE
@pytest.mark.parametrize("what", IMPOSSIBLE)
def test_what_cannot_be_written_is_told_by_measuring(measure: Measuring, what: str) -> None:
    make, kind = IMPOSSIBLE[what]
    given_rows = make()
    with pytest.raises(kind):
        measure(given_rows, 0, len(given_rows), NO_LIMIT)


@EVERY_MEASURE
@pytest.mark.parametrize("span", [(-1, 1), (0, 3), (2, 1)])
def test_rows_that_are_not_there_are_not_measured(
    measure: Measuring, span: tuple[int, int]
) -> None:
    with pytest.raises(ValueError, match="outside"):
        measure(rows_of(COUNT_2), *span, NO_LIMIT)


def test_columns_of_different_lengths_are_no_rows() -> None:
    with pytest.raises(ValueError, match="1 keys for 2 values"):
        rows_of(COUNT_2, keys=[b""])
    with pytest.raises(ValueError, match="3 timestamps"):
        rows_of(COUNT_2, timestamps=[1, 2, 3])
    with pytest.raises(ValueError, match="0 headers"):
        rows_of(COUNT_2, headers=[])


# -- placing -------------------------------------------------------------------------------------


@EVERY_PLACING
@given(
    keys=st.lists(st.none() | st.binary(max_size=9), min_size=1, max_size=40),
    partitions=st.integers(1, 9),
)
@examples(150)
def test_each_row_is_in_the_share_of_its_key_and_in_its_order(
    place: Placing, keys: list[bytes | None], partitions: int
) -> None:
    keyless = partitions - 1
    for column in (keys, BytesColumn.of(keys)):
        order, shares = place(rows_of(keys, keys=column), 0, len(keys), partitions, keyless)
        assert sorted(order) == list(range(len(keys)))
        assert [share[0] for share in shares] == sorted({share[0] for share in shares})
        reached = 0
        for partition, start, end in shares:
            assert reached == start < end
            reached = end
            assert list(order[start:end]) == sorted(order[start:end])
            for row in order[start:end]:
                key = keys[row]
                assert partition == (keyless if key is None else hash_number(key) % partitions)
        assert reached == len(keys)


@EVERY_PLACING
def test_a_part_of_the_rows_is_placed_under_their_own_numbers(place: Placing) -> None:
    order, shares = place(rows_of([b""] * 5, keys=[b"k"] * 5), 2, 4, 1, 0)
    assert (list(order), shares) == ([2, 3], [(0, 0, 2)])
    assert place(rows_of([b""] * 5), 1, 1, 3, 2).shares == []


@EVERY_PLACING
@pytest.mark.parametrize("where", [(0, 0), (2, 2), (2, -1)])
def test_partitions_that_are_not_there_take_no_rows(place: Placing, where: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="partition"):
        place(rows_of(COUNT_2), 0, 2, *where)


# -- writing -------------------------------------------------------------------------------------


@EVERY_WRITER
@given(records=any_records, rng=st.randoms(use_true_random=False))
@examples(100)
def test_rows_in_any_order_become_the_block_of_their_records(
    writer_form: WriterForm, records: list[Record], rng: random.Random
) -> None:
    order = list(range(len(records)))
    rng.shuffle(order)
    shuffled = [records[row] for row in order]
    given_rows = as_lists(records)
    assert written(writer_form, given_rows, None) == one_by_one(records).encoded()
    assert written(writer_form, given_rows, array("i", order)) == one_by_one(shuffled).encoded()


@EVERY_WRITER
def test_rows_join_records_that_were_written_before(writer_form: WriterForm) -> None:
    writer = writer_form()
    writer.write(7, b"k", b"v", ())
    writer.write_rows(rows_of(COUNT_2, timestamps=[9, -1]), None, 0, 2, NO_LIMIT)
    records = [Record(0, 7, b"k", b"v"), Record(0, 9, None, b"a"), Record(0, -1, None, b"b")]
    assert writer.encoded() == one_by_one(records).encoded()
    assert [writer.time_at(index) for index in range(3)] == [7, 9, -1]


@EVERY_WRITER
def test_a_block_takes_rows_up_to_its_limit_but_always_one(writer_form: WriterForm) -> None:
    writer = writer_form()
    given_rows = rows_of([bytes(100)] * 5)
    assert writer.write_rows(given_rows, None, 0, 5, 1) == 1
    size = writer.size
    assert writer.write_rows(given_rows, None, 1, 5, 3 * size) == 3
    assert writer.write_rows(given_rows, None, 3, 5, 3 * size) == 3
    assert (writer.count, writer.size) == (3, 3 * size)


@EVERY_WRITER
@pytest.mark.parametrize(
    ("given_rows", "order"),
    [
        (rows_of([b"a", "b"]), None),  # type: ignore[list-item] # the test's point
        (rows_of(COUNT_2, timestamps=[3, -2]), None),
        (rows_of(COUNT_2), array("i", [0, 2])),
    ],
    ids=["no bytes", "no time", "no row"],
)
def test_a_block_is_as_before_after_rows_that_cannot_be(
    writer_form: WriterForm, given_rows: Rows, order: array[int] | None
) -> None:
    writer = writer_form()
    writer.write(7, b"k", b"v", ())
    before = writer.encoded()
    with pytest.raises((TypeError, ValueError, IndexError)):
        writer.write_rows(given_rows, order, 0, 2, NO_LIMIT)
    assert writer.encoded() == before
    writer.write(8, None, b"", ())
    assert writer.time_at(1) == 8


@EVERY_WRITER
@pytest.mark.parametrize("records", [0, 1, 500])
def test_a_header_fits_into_the_room_before_a_block(writer_form: WriterForm, records: int) -> None:
    writer, plain = writer_form(3), writer_form()
    for _ in range(records):
        assert writer.write(7, b"k", b"v" * 100, ()) == plain.write(7, b"k", b"v" * 100, ())
    block = plain.encoded().block
    assert writer.encoded() == plain.encoded()
    taken = writer.take()
    assert taken == bytes(3) + block
    taken[:3] = b"abc"
    assert writer.take() == b"abc" + block, "it is the same memory"
    assert writer.encoded().block == block


@EVERY_WRITER
def test_nothing_follows_what_was_taken(writer_form: WriterForm) -> None:
    writer = writer_form(61)
    writer.write(7, b"k", b"v", ())
    taken = writer.take()
    before = bytes(taken)
    with pytest.raises(ValueError, match="taken"):
        writer.write(7, b"k", b"v", ())
    with pytest.raises(ValueError, match="taken"):
        writer.write_rows(rows_of([b"a"]), None, 0, 1, NO_LIMIT)
    assert (writer.count, writer.size) == (1, len(before) - 61)
    assert taken == before
    writer.drop_records()
    assert (writer.count, writer.size) == (1, 0)
    assert writer.take() == bytes(61)
    assert taken == before, "whoever has it keeps it"
    for wrong in (-1, 10_000):
        with pytest.raises(ValueError, match="header"):
            writer_form(wrong)


@EVERY_WRITER
def test_times_and_counts_outlive_the_bytes(writer_form: WriterForm) -> None:
    writer = writer_form()
    for time in range(100):
        writer.write(time, None, b"v", ())
    writer.drop_records()
    assert writer.encoded().block == b""
    assert (writer.count, writer.base_timestamp, writer.max_timestamp) == (100, 0, 99)
    assert [writer.time_at(index) for index in range(100)] == list(range(100))
    for index in (-1, 100):
        with pytest.raises(IndexError):
            writer.time_at(index)
