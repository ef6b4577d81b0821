"""Which records of a batch are wanted."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence

import click

from ottla.wire.records.columns import BytesColumn, RecordColumns


class Choice:
    """Expressions that keys and values must hold; all of them, or with `invert` not all."""

    def __init__(
        self, *, anywhere: str | None, key: str | None, value: str | None, invert: bool
    ) -> None:
        """Raises click.BadParameter for what is no regular expression."""
        self._anywhere = _pattern("--grep", anywhere)
        self._key = _pattern("--grep-key", key)
        self._value = _pattern("--grep-value", value)
        self._invert = invert
        self.is_all = not (self._anywhere or self._key or self._value)

    def rows(self, columns: RecordColumns, count: int) -> Sequence[int]:
        """Of the first `count` rows, those that are wanted."""
        if self.is_all:
            return range(count)
        wanted = set(range(count))
        if self._key is not None:
            wanted &= _matching(self._key, columns.keys, count)
        if self._value is not None:
            wanted &= _matching(self._value, columns.values, count)
        if self._anywhere is not None:
            wanted &= _matching(self._anywhere, columns.keys, count) | _matching(
                self._anywhere, columns.values, count
            )
        return sorted(set(range(count)) - wanted if self._invert else wanted)


def _pattern(option: str, text: str | None) -> re.Pattern[bytes] | None:
    if text is None:
        return None
    try:
        return re.compile(text.encode("utf-8", "surrogateescape"))
    except re.error as error:
        raise click.BadParameter(f"no regular expression: {error}", param_hint=option) from error


def _matching(pattern: re.Pattern[bytes], column: BytesColumn, count: int) -> set[int]:
    search = pattern.search
    return {
        row
        for row, value in enumerate(column.to_list(0, count))
        if value is not None and search(value)
    }


def rows_before(offsets: array[int], end: int | None) -> int:
    """How many rows lie before an end; all where it is None."""
    if end is None or not offsets or offsets[-1] < end:
        return len(offsets)
    return bisect_left(offsets, end)
