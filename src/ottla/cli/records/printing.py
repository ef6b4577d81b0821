"""What is printed of batches: by columns where nothing but values is wanted, else line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from ottla.base.ids import TopicPartition
from ottla.cli.records.json_rows import JsonLine
from ottla.cli.records.print_wish import PrintWish
from ottla.cli.records.template import Look, Template, unescape
from ottla.wire.records.columns import RecordColumns
from ottla.wire.records.record import Record

NAMED_FORMATS: Final = ("text", "json", "raw", "hex", "base64")
"""What is none of these is a template."""


class Printer(Protocol):
    """Writes rows of a batch."""

    def print(
        self, place: TopicPartition, columns: RecordColumns, rows: Sequence[int]
    ) -> bytes: ...


class Line(Protocol):
    """Writes one record."""

    def line(self, place: TopicPartition, record: Record) -> bytes: ...


class ValuesPrinter:
    """Values and nothing else, as they are."""

    def __init__(self, *, delimiter: bytes, null: bytes) -> None:
        self._delimiter = delimiter
        self._null = null

    def print(self, place: TopicPartition, columns: RecordColumns, rows: Sequence[int]) -> bytes:
        """All values of a batch cost one join."""
        values = columns.values.to_list()
        if len(rows) != len(values):
            values = [values[row] for row in rows]
        null, delimiter = self._null, self._delimiter
        present = [null if value is None else value for value in values]
        return delimiter.join([*present, b""]) if present else b""


class LinePrinter:
    """Each record by itself."""

    def __init__(self, line: Line, *, delimiter: bytes) -> None:
        self._line = line
        self._delimiter = delimiter

    def print(self, place: TopicPartition, columns: RecordColumns, rows: Sequence[int]) -> bytes:
        """Columns are made values once."""
        line, delimiter = self._line.line, self._delimiter
        keys, values = columns.keys.to_list(), columns.values.to_list()
        headers = columns.headers.to_list()
        offsets, timestamps = columns.offsets, columns.timestamps
        return b"".join(
            line(
                place,
                Record(offsets[row], timestamps[row], keys[row], values[row], headers[row]),
            )
            + delimiter
            for row in rows
        )


def printer_of(wanted: PrintWish, *, for_people: bool) -> Printer:
    """Raises UserError for a template that cannot be read."""
    delimiter = _delimiter(wanted)
    null = wanted.null.encode("utf-8", "surrogateescape")
    if wanted.format == "raw":
        return ValuesPrinter(delimiter=delimiter, null=b"")
    if wanted.format == "json":
        line = JsonLine(key_form=wanted.key_form, value_form=wanted.value_form)
        return LinePrinter(line, delimiter=delimiter)
    text = wanted.format
    if text in NAMED_FORMATS:
        text = _template_text(wanted)
        if text == "{value}" and not for_people:
            return ValuesPrinter(delimiter=delimiter, null=null)
    look = Look(null=wanted.null, for_people=for_people)
    return LinePrinter(Template.read(text, look), delimiter=delimiter)


def _delimiter(wanted: PrintWish) -> bytes:
    if wanted.delimiter is None:
        return b"" if wanted.format == "raw" else b"\n"
    return unescape(wanted.delimiter).encode("utf-8", "surrogateescape")


def _template_text(wanted: PrintWish) -> str:
    """The columns that were asked for; hex and base64 are of keys and values both."""
    form = None if wanted.format == "text" else wanted.format
    fields = [
        "{time}" if wanted.times else "",
        "{topic}-{partition}@{offset}" if wanted.places else "",
        _field("key", wanted.key_form or form) if wanted.keys else "",
        "{headers}" if wanted.headers else "",
        _field("value", wanted.value_form or form),
    ]
    separator = wanted.separator.replace("{", "{{").replace("}", "}}")
    return separator.join(field for field in fields if field)


def _field(name: str, form: str | None) -> str:
    return f"{{{name}}}" if form is None else f"{{{name}:{form}}}"
