"""Rows of words under headings, padded with spaces as Kafka's tools pad them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Column(NamedTuple):
    """A heading, and how wide it is at least; `grows` with the longest word below it."""

    heading: str
    width: int = 0
    grows: bool = False


def padded(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> list[str]:
    """The headings, and a line for each row. A column without a width is as wide as its word."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [
        max([column.width, *(len(row[place]) for row in texts if column.grows)])
        for place, column in enumerate(columns)
    ]
    lines = [[column.heading for column in columns], *texts]
    return [
        " ".join(word.ljust(width) for word, width in zip(line, widths, strict=True))
        for line in lines
    ]


def tabbed(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """All columns as wide as their longest word, each followed by a tab."""
    texts = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return [
        "".join(f"{word:<{width}}\t" for word, width in zip(line, widths, strict=True))
        for line in texts
    ]
