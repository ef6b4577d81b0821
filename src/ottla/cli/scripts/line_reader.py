"""Lines as records, by the properties of Kafka's line reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ottla.base.errors import UserError

KNOWN = frozenset(
    {
        "topic",
        "parse.key",
        "parse.headers",
        "ignore.error",
        "key.separator",
        "headers.delimiter",
        "headers.separator",
        "headers.key.separator",
        "null.marker",
    }
)

Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """What a line says."""

    key: bytes | None
    value: bytes | None
    headers: Headers


class LineReader:
    """`headers<delimiter>key<separator>value`, of which headers and key are read where wished."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        """Raises UserError for separators that cannot be told apart."""
        self.parses_key = _is_true(properties, "parse.key")
        self.parses_headers = _is_true(properties, "parse.headers")
        self._forgives = _is_true(properties, "ignore.error")
        self._key_separator = properties.get("key.separator", "\t").encode()
        self._delimiter = properties.get("headers.delimiter", "\t").encode()
        self._separator = properties.get("headers.separator", ",").encode()
        self._header_key_separator = properties.get("headers.key.separator", ":").encode()
        marker = properties.get("null.marker")
        self._marker = None if marker is None else marker.encode()
        self._line_number = 0
        self._check()

    def _check(self) -> None:
        named = {
            "key.separator": self._key_separator,
            "headers.delimiter": self._delimiter,
            "headers.separator": self._separator,
            "headers.key.separator": self._header_key_separator,
        }
        for name, separator in named.items():
            if separator == self._marker:
                raise UserError(f"null.marker and {name} may not be equal")
        if self._separator == self._header_key_separator:
            raise UserError("headers.separator and headers.key.separator may not be equal")
        if self.parses_headers and self._delimiter == self._separator:
            raise UserError("headers.delimiter and headers.separator may not be equal")

    @property
    def takes_lines_whole(self) -> bool:
        """Whether a line is a value and nothing else."""
        return not (self.parses_key or self.parses_headers or self._marker is not None)

    def read(self, line: bytes) -> Record:
        """Raises UserError for a line that lacks a part, unless that is forgiven."""
        self._line_number += 1
        headers: Headers = ()
        key: bytes | None = None
        if self.parses_headers:
            part, rest = self._cut(line, self._delimiter, "headers delimiter")
            if part is not None:
                headers = self._headers(part)
            line = rest
        if self.parses_key:
            key, line = self._cut(line, self._key_separator, "key separator")
        return Record(self._or_null(key), self._or_null(line), headers)

    def _cut(self, line: bytes, separator: bytes, what: str) -> tuple[bytes | None, bytes]:
        if not separator:
            return b"", line
        part, found, rest = line.partition(separator)
        if found:
            return part, rest
        if self._forgives:
            return None, line
        shown = line.decode(errors="replace")
        raise UserError(f"No {what} found on line number {self._line_number}: '{shown}'")

    def _headers(self, part: bytes) -> Headers:
        if part == self._marker or not part:
            return ()
        return tuple(self._header(pair) for pair in part.split(self._separator))

    def _header(self, pair: bytes) -> tuple[str, bytes | None]:
        name, found, value = pair.partition(self._header_key_separator)
        if not found and not self._forgives:
            shown = pair.decode(errors="replace")
            raise UserError(
                f"No header key separator found in pair '{shown}' on line number "
                f"{self._line_number}"
            )
        if name == self._marker:
            raise UserError(f"a header has a name, on line number {self._line_number}")
        return name.decode(errors="replace"), self._or_null(value) if found else None

    def _or_null(self, part: bytes | None) -> bytes | None:
        return None if part == self._marker else part


def _is_true(properties: Mapping[str, str], name: str) -> bool:
    return properties.get(name, "false").strip().lower() == "true"
