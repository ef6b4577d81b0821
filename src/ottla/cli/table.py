"""Aligned columns of text, for people; as easily cut by `awk` when they go into a pipe.

Not rich's tables: a command that lists is over before rich would be imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

GAP: Final = "   "
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?")
BOLD: Final = "\x1b[1m"
PLAIN: Final = "\x1b[0m"


def table_lines(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, bold: bool = False
) -> Iterator[str]:
    """The headings and the rows, none cut however long, columns that are numbers to the right."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    widths = [_width(heading) for heading in headings]
    for row in cells:
        widths = [max(width, _width(cell)) for width, cell in zip(widths, row, strict=True)]
    right = [_are_numbers(column) for column in zip(*cells, strict=True)] or [False] * len(widths)
    head = _line(headings, widths, right)
    yield f"{BOLD}{head}{PLAIN}" if bold else head
    for row in cells:
        yield _line(row, widths, right)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        " " * (width - _width(cell)) + cell if is_right else cell + " " * (width - _width(cell))
        for cell, width, is_right in zip(cells, widths, right, strict=True)
    )
    return GAP.join(padded).rstrip()


def _are_numbers(column: Sequence[str]) -> bool:
    """Numbers alone, but for those that are not there."""
    there = [cell for cell in column if cell != "-"]
    return bool(there) and all(_NUMBER.fullmatch(cell) for cell in there)


def _one_line(cell: str) -> str:
    """A name of somebody else's may hold line ends, and what moves a terminal's cursor."""
    if cell.isprintable():
        return cell
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cell)


def _width(text: str) -> int:
    """Columns of a terminal: letters of East Asia take two, combining marks none."""
    if text.isascii():
        return len(text)
    import unicodedata

    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )
