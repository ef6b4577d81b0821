"""Lines of a user's own form: `{time:%H:%M} {key} {value:hex}\\n`.

A template is read once into steps; a step writes one field of one record.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.moments import format_time, local_time
from ottla.cli.records.byte_forms import FORMS, form_of
from ottla.wire.records.record import Record

Step = Callable[[TopicPartition, Record], bytes]
Shown = Callable[[bytes | None], bytes]

FIELDS: Final = (
    "topic",
    "partition",
    "offset",
    "timestamp",
    "time",
    "key",
    "value",
    "headers",
    "header.NAME",
    "key_size",
    "value_size",
)
_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b"}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def unescape(text: str) -> str:
    """What a person means by \\n, \\t, \\0, \\x1f and \\u00e9."""

    def plain(found: re.Match[str]) -> str:
        code = found[1]
        if code[0] in "xu" and len(code) > 1:
            return chr(int(code[1:], 16))
        return _ESCAPED.get(code, code)

    return _ESCAPE.sub(plain, text)


def safe(text: str) -> str:
    """Without what would steer a terminal: \\x1b for an escape."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


class Look:
    """How bytes look: `null` stands for none; `for_people` keeps a terminal from being steered."""

    def __init__(self, *, null: str = "null", for_people: bool = False) -> None:
        self._null = null.encode("utf-8", "surrogateescape")
        self._for_people = for_people

    def name(self, text: str) -> bytes:
        """A header's, which is as much its producer's as the value is."""
        return (safe(text) if self._for_people else text).encode()

    def shown(self, form: str | None) -> Shown:
        """A form's name, or None for the bytes as they are."""
        null = self._null
        if form is None and not self._for_people:
            return lambda data: null if data is None else data
        write, for_people = form_of(form or "text"), self._for_people

        def show(data: bytes | None) -> bytes:
            if data is None:
                return null
            text = write(data)
            return (safe(text) if for_people else text).encode("utf-8", "surrogateescape")

        return show


class Template:
    """The steps of a template; `line` is one record."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = tuple(steps)

    @classmethod
    def read(cls, text: str, look: Look) -> Template:
        """Raises UserError for fields and forms that there are not."""
        return cls([_step(piece, look) for piece in _pieces(unescape(text))])

    def line(self, place: TopicPartition, record: Record) -> bytes:
        """Without an end of line: that is the delimiter's."""
        return b"".join([step(place, record) for step in self._steps])


def _pieces(text: str) -> list[str | tuple[str, str | None]]:
    """Literal texts, and fields with the word behind their colon."""
    pieces: list[str | tuple[str, str | None]] = []
    for found in _PIECE.finditer(text):
        piece = found[0]
        if found[1] is not None:
            name, colon, form = found[1].partition(":")
            pieces.append((name.strip(), form if colon else None))
        elif piece in ("{", "}"):
            raise UserError(f"a single {piece} in the template: write {piece * 2} for one")
        else:
            pieces.append(piece[0] if piece in ("{{", "}}") else piece)
    return pieces


def _step(piece: str | tuple[str, str | None], look: Look) -> Step:
    if isinstance(piece, str):
        literal = piece.encode("utf-8", "surrogateescape")
        return lambda place, record: literal
    name, form = piece
    if name == "time":
        return _time(form)
    if form is not None and form not in FORMS:
        raise UserError(f"{{{name}:{form}}}: a form is one of {', '.join(FORMS)}")
    if name in ("key", "value", "headers") or name.startswith("header."):
        return _bytes_step(name, look.shown(form), look.name)
    if form is not None:
        raise UserError(f"{{{name}:{form}}}: only keys, values, headers and times have forms")
    return _number_step(name)


def _time(form: str | None) -> Step:
    def step(place: TopicPartition, record: Record) -> bytes:
        moment = None if form is None else local_time(record.timestamp)
        text = format_time(record.timestamp) if moment is None else moment.strftime(form or "")
        return text.encode("utf-8", "surrogateescape")

    return step


def _bytes_step(name: str, shown: Shown, name_shown: Callable[[str], bytes]) -> Step:
    if name == "key":
        return lambda place, record: shown(record.key)
    if name == "value":
        return lambda place, record: shown(record.value)
    if name == "headers":
        return lambda place, record: b",".join(
            name_shown(header) + b"=" + shown(value) for header, value in record.headers
        )
    wanted = name.removeprefix("header.")

    def one(place: TopicPartition, record: Record) -> bytes:
        """The last of its name, as Kafka's `lastHeader`."""
        return shown(dict(record.headers).get(wanted))

    return one


def _size(data: bytes | None) -> int:
    return -1 if data is None else len(data)


def _number_step(name: str) -> Step:
    asked: dict[str, Callable[[TopicPartition, Record], object]] = {
        "topic": lambda place, record: place.topic,
        "partition": lambda place, record: place.partition,
        "offset": lambda place, record: record.offset,
        "timestamp": lambda place, record: record.timestamp,
        "key_size": lambda place, record: _size(record.key),
        "value_size": lambda place, record: _size(record.value),
    }
    if name not in asked:
        raise UserError(f"{{{name}}}: a template has the fields {', '.join(FIELDS)}")
    tell = asked[name]
    return lambda place, record: str(tell(place, record)).encode()
