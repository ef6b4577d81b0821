"""The `.properties` form that Kafka's configuration files have.

`key=value`, `key: value` or `key value` a line; `#` and `!` start a comment line, a backslash at
the end continues one, and `\\n`, `\\t`, `\\uXXXX` are escapes. Of a key that stands twice the last
counts. Source: java.util.Properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ottla.base.errors import UserError

_KEY = re.compile(r"((?:\\.|[^\\:=\s])*)\s*[:=]?\s*", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> dict[str, str]:
    """All keys and values of a file's text. Raises UserError with the line of a broken escape."""
    found = {}
    for number, line in _logical_lines(text):
        split = _KEY.match(line)
        assert split is not None
        key = _unescape(split[1], number)
        found[key] = _unescape(line[split.end() :], number)
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines without comments and empty ones, continued ones joined, with their number."""
    begun = ""
    begun_at = 0
    for number, natural in enumerate(text.splitlines(), start=1):
        line = natural.lstrip(" \t\f")
        if not begun and (not line or line[0] in "#!"):
            continue
        begun_at = begun_at if begun else number
        if _is_continued(line):
            begun += line[:-1]
            continue
        yield begun_at, begun + line
        begun = ""
    if begun:
        yield begun_at, begun


def _is_continued(line: str) -> bool:
    backslashes = len(line) - len(line.rstrip("\\"))
    return backslashes % 2 == 1


def _unescape(text: str, number: int) -> str:
    if "\\" not in text:
        return text

    def meaning(found: re.Match[str]) -> str:
        escape = found[1]
        if len(escape) > 1:
            return chr(int(escape[1:], 16))
        if escape == "u":
            raise UserError(f"line {number}: \\u wants four hexadecimal digits")
        return _CONTROL.get(escape, escape)

    return _ESCAPE.sub(meaning, text)
