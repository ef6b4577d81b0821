"""Records as JSON, one object a line: what `consume --format json` prints, `produce` takes again.

    {"topic":"orders","partition":0,"offset":7,"timestamp":1777600000000,"key":"c-1",
     "value":"…","headers":[{"key":"trace","value":"…"}]}

A text that is no UTF-8 stands as `key_base64` or `value_base64` instead, so that nothing is lost.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.records.byte_forms import form_of
from ottla.wire.records.record import Record, RecordHeader

Fill = Callable[[dict[str, object], bytes | None], None]
"""Puts bytes into an object under their name."""

_BASE64: Final = "_base64"


def filler(name: str, form: str | None) -> Fill:
    """How keys or values stand in the object: as text, as their own JSON, or as a form's text."""
    if form == "json":
        return lambda row, data: row.__setitem__(name, _parsed(data))
    if form is None or form == "text":
        return lambda row, data: _put_text(row, name, data)
    write = form_of(form)
    return lambda row, data: row.__setitem__(name, None if data is None else write(data))


def _put_text(row: dict[str, object], name: str, data: bytes | None) -> None:
    if data is None:
        row[name] = None
        return
    try:
        row[name] = data.decode()
    except UnicodeDecodeError:
        row[name + _BASE64] = base64.b64encode(data).decode("ascii")


def _parsed(data: bytes | None) -> object:
    """What is no JSON stays text."""
    if data is None:
        return None
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "backslashreplace")


class JsonLine:
    """Writes records as objects."""

    def __init__(self, *, key_form: str | None = None, value_form: str | None = None) -> None:
        self._fill_key = filler("key", key_form)
        self._fill_value = filler("value", value_form)
        self._encode = msgspec.json.Encoder().encode

    def line(self, place: TopicPartition, record: Record) -> bytes:
        """Without an end of line."""
        row: dict[str, object] = {
            "topic": place.topic,
            "partition": place.partition,
            "offset": record.offset,
            "timestamp": record.timestamp,
        }
        self._fill_key(row, record.key)
        self._fill_value(row, record.value)
        row["headers"] = [_header(name, value) for name, value in record.headers]
        return self._encode(row)


def _header(name: str, value: bytes | None) -> dict[str, object]:
    row: dict[str, object] = {"key": name}
    _put_text(row, "value", value)
    return row


# -- and back --------------------------------------------------------------------------------------


class JsonRecord(NamedTuple):
    """A line, read; what it does not say is None, and the headers are empty. A value it says."""

    key: bytes | None
    value: bytes | None
    partition: int | None
    timestamp_ms: int | None
    headers: tuple[RecordHeader, ...]


class _Object(msgspec.Struct):
    """What is read of a line; topic and offset are left alone, they are where it came from."""

    key: Any = None
    value: Any = msgspec.UNSET
    key_base64: str | None = None
    value_base64: str | None = None
    partition: int | None = None
    timestamp: int | None = None
    headers: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None


_decoder: Final = msgspec.json.Decoder(_Object)


def read_line(line: bytes) -> JsonRecord:
    """Raises UserError for what is no such object."""
    try:
        told = _decoder.decode(line)
        if told.value is msgspec.UNSET and told.value_base64 is None:
            # A name that was mistyped must not delete a key of a compacted topic.
            raise UserError('no record as JSON: it has no "value" (for a null: "value": null)')
        return JsonRecord(
            _bytes(told.key, told.key_base64),
            _bytes(told.value, told.value_base64),
            told.partition,
            None if told.timestamp is None or told.timestamp < 0 else told.timestamp,
            _headers(told.headers),
        )
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise UserError(f"no record as JSON: {error}") from error


def _bytes(value: object, in_base64: str | None) -> bytes | None:
    """Text as UTF-8; whatever else JSON has, as its JSON."""
    if in_base64 is not None:
        return base64.b64decode(in_base64, validate=True)
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def _headers(
    told: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> tuple[RecordHeader, ...]:
    if not told:
        return ()
    if isinstance(told, Mapping):
        return tuple((name, _bytes(value, None)) for name, value in told.items())
    return tuple(_one_header(header) for header in told)


def _one_header(header: Mapping[str, Any]) -> RecordHeader:
    name = header.get("key")
    if not isinstance(name, str):
        raise UserError('a header is {"key": "name", "value": …}')
    return name, _bytes(header.get("value"), header.get("value_base64"))
