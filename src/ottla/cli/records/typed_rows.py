"""What was typed or piped, as columns of records: lines are cut once, never one by one.

A `Parser` makes rows of many lines; `LineCutter` makes lines of pieces of any size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.limits import CLI_LINE_BYTES_MAX
from ottla.cli.records.byte_forms import bytes_of, text_of
from ottla.cli.records.json_rows import read_line
from ottla.wire.records.record import RecordHeader

Column = list[bytes | None]


class Rows(Struct, frozen=True, kw_only=True):
    """Records of one partition, or of those that are chosen for them; None for a column that all
    lack."""

    values: Sequence[bytes | None]
    keys: Sequence[bytes | None] | None = None
    timestamps: Sequence[int] | None = None
    headers: Sequence[Sequence[RecordHeader]] | None = None
    partition: int | None = None

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return sum(map(_length, self.values)) + sum(map(_length, self.keys or ()))


def _length(data: bytes | None) -> int:
    return 0 if data is None else len(data)


class Common(Struct, frozen=True, kw_only=True):
    """What all records of a run have, where their lines say nothing else."""

    key: bytes | None = None
    timestamp_ms: int | None = None
    headers: tuple[RecordHeader, ...] = ()
    partition: int | None = None


class Parser(Protocol):
    """Makes rows of lines. Raises UserError, naming the line (counted from `first`)."""

    def parse(self, lines: Sequence[bytes], first: int) -> Iterator[Rows]: ...


class ValueParser:
    """Each line a value, in a form; or a key and a value with `separator` between them."""

    def __init__(
        self,
        common: Common,
        *,
        key_form: str = "text",
        value_form: str = "text",
        separator: bytes | None = None,
        null: bytes | None = None,
    ) -> None:
        self._common = common
        self._key_form = key_form
        self._value_form = value_form
        self._separator = separator
        self._null = null

    def parse(self, lines: Sequence[bytes], first: int) -> Iterator[Rows]:
        """One set of rows: all go the same way."""
        keys: Sequence[bytes | None] | None = None
        values: Sequence[bytes] = lines
        if self._separator is not None:
            keys, values = self._split(lines, first)
        yield rows_of(self._common, self._column(values, self._value_form, first), keys)

    def _split(
        self, lines: Sequence[bytes], first: int
    ) -> tuple[Sequence[bytes | None], Sequence[bytes]]:
        separator = self._separator
        assert separator is not None
        parts = [line.partition(separator) for line in lines]
        for number, (_, found, _) in enumerate(parts, first):
            if not found:
                raise UserError(f"line {number} has no {text_of(separator)!r} behind its key")
        keys = self._column([key for key, _, _ in parts], self._key_form, first)
        return keys, [value for _, _, value in parts]

    def _column(self, texts: Sequence[bytes], form: str, first: int) -> Sequence[bytes | None]:
        """Plain text stays the list that it is."""
        null = self._null
        if form == "text":
            return texts if null is None else [None if text == null else text for text in texts]
        column: Column = []
        for number, text in enumerate(texts, first):
            try:
                column.append(None if text == null else _in_form(text, form))
            except UserError as error:
                raise UserError(f"line {number}: {error}") from error
        return column


def _in_form(text: bytes, form: str) -> bytes:
    return bytes_of(text.decode("utf-8", "surrogateescape"), form)


def rows_of(
    common: Common,
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None] | None = None,
) -> Rows:
    """These values with what all have."""
    count = len(values)
    if keys is None and common.key is not None:
        keys = [common.key] * count
    return Rows(
        values=values,
        keys=keys,
        timestamps=None if common.timestamp_ms is None else [common.timestamp_ms] * count,
        headers=[common.headers] * count if common.headers else None,
        partition=common.partition,
    )


class JsonParser:
    """Each line an object as `consume --format json` prints them.

    What an object does not say is as `common` has it. Its partition counts where `keep_partitions`.
    """

    def __init__(self, common: Common, *, keep_partitions: bool, now_ms: int) -> None:
        self._common = common
        self._keep_partitions = keep_partitions
        self._now_ms = now_ms

    def parse(self, lines: Sequence[bytes], first: int) -> Iterator[Rows]:
        """By partition; empty lines are left out."""
        by_partition: dict[int | None, Rows] = {}
        for number, line in enumerate(lines, first):
            if line.strip():
                self._add(by_partition, line, number)
        yield from by_partition.values()

    def _add(self, by_partition: dict[int | None, Rows], line: bytes, number: int) -> None:
        try:
            read = read_line(line)
        except UserError as error:
            raise UserError(f"line {number}: {error}") from error
        common = self._common
        partition = read.partition if self._keep_partitions else common.partition
        rows = by_partition.setdefault(
            partition, Rows(values=[], keys=[], timestamps=[], headers=[], partition=partition)
        )
        timestamp_ms = read.timestamp_ms
        if timestamp_ms is None or common.timestamp_ms is not None:
            timestamp_ms = self._now_ms if common.timestamp_ms is None else common.timestamp_ms
        for column, item in (
            (rows.values, read.value),
            (rows.keys, common.key if read.key is None else read.key),
            (rows.timestamps, timestamp_ms),
            (rows.headers, (*common.headers, *read.headers)),
        ):
            assert isinstance(column, list)
            column.append(item)


class LineCutter:
    """Cuts what comes in pieces; the last line may lack its end."""

    def __init__(self, delimiter: bytes = b"\n") -> None:
        self._delimiter = delimiter
        self._rest = b""

    def cut(self, piece: bytes) -> list[bytes]:
        """The lines that are whole now. Raises UserError for one that grows beyond all bounds."""
        *lines, self._rest = (self._rest + piece).split(self._delimiter)
        if len(self._rest) > CLI_LINE_BYTES_MAX:
            raise UserError(
                f"a line of more than {CLI_LINE_BYTES_MAX} bytes: is the delimiter right?"
            )
        return lines

    def end(self) -> list[bytes]:
        """What is left behind the last delimiter."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
