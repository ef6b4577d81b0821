"""Which records of a batch are printed, and up to where."""

from __future__ import annotations

from array import array

import pytest

from ottla.cli.records.choosing import Choice, rows_before
from ottla.wire.records.columns import RecordColumns
from ottla.wire.records.layout import BytesColumn, HeadersColumn


def columns(*pairs: tuple[bytes | None, bytes | None]) -> RecordColumns:
    count = len(pairs)
    return RecordColumns(
        array("q", range(count)),
        array("q", [0] * count),
        BytesColumn.of([key for key, _ in pairs]),
        BytesColumn.of([value for _, value in pairs]),
        HeadersColumn.empty(count),
        count,
        0,
    )


BATCH = columns((b"a", b"x"), (None, b"a"), (b"b", None), (b"ab", b"xy"))


@pytest.mark.parametrize(
    ("anywhere", "key", "value", "invert", "rows"),
    [
        (None, None, None, False, [0, 1, 2, 3]),
        ("a", None, None, False, [0, 1, 3]),
        ("a", None, None, True, [2]),
        (None, "^a", None, False, [0, 3]),
        (None, None, "^x$", False, [0]),
        ("b", None, "x", False, [3]),
    ],
)
def test_all_expressions_must_hold(
    anywhere: str | None, key: str | None, value: str | None, invert: bool, rows: list[int]
) -> None:
    choice = Choice(anywhere=anywhere, key=key, value=value, invert=invert)
    assert list(choice.rows(BATCH, 4)) == rows
    assert list(choice.rows(BATCH, 2)) == [row for row in rows if row < 2]


@pytest.mark.parametrize(
    ("offsets", "end", "count"),
    [([], 5, 0), ([3, 4, 9], None, 3), ([3, 4, 9], 10, 3), ([3, 4, 9], 9, 2), ([3, 4, 9], 1, 0)],
)
def test_rows_before_an_end_are_counted_by_their_offsets(
    offsets: list[int], end: int | None, count: int
) -> None:
    assert rows_before(array("q", offsets), end) == count
