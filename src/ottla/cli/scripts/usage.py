"""Options and what they do, in two columns of at most 80 characters, as jopt-simple shows them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Final, NamedTuple

_WIDTH: Final = 80
_INDENT: Final = "  "


class Line(NamedTuple):
    """An option with its value's name, and its help."""

    option: str
    help: str


def usage_text(lines: Iterable[Line]) -> str:
    """All of them under a heading."""
    rows = [Line("Option", "Description"), Line("------", "-----------"), *lines]
    longest = max(len(row.option) for row in rows)
    left = min(longest, (_WIDTH - 1) // 2)
    return "\n".join(text for row in rows for text in _row(row, left))


def _row(row: Line, left: int) -> Iterator[str]:
    options = textwrap.wrap(row.option, left, subsequent_indent=_INDENT, break_on_hyphens=False)
    helps = [
        part
        for line in row.help.splitlines()
        for part in textwrap.wrap(line, _WIDTH - left - 1, subsequent_indent=_INDENT)
    ]
    for option, told in zip_longest(options, helps, fillvalue=""):
        yield f"{option:<{left}} {told}".rstrip()
