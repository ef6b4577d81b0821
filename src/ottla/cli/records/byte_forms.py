"""Bytes as text and text as bytes, by the name of a form."""

from __future__ import annotations

import base64
import json
import struct
import uuid
from collections.abc import Callable
from typing import Final

from ottla.base.errors import UserError

_NUMBERS: Final = {
    "short": struct.Struct(">h"),
    "int": struct.Struct(">i"),
    "long": struct.Struct(">q"),
    "float": struct.Struct(">f"),
    "double": struct.Struct(">d"),
}
"""As Java's serializers of these names write them."""

FORMS: Final = ("text", "hex", "base64", "json", *_NUMBERS, "uuid")

Form = Callable[[bytes], str]


def text_of(data: bytes) -> str:
    """UTF-8; what is none is written as \\xff, so that a terminal stays whole."""
    return data.decode("utf-8", "backslashreplace")


def _hex(data: bytes) -> str:
    return data.hex()


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _json(data: bytes) -> str:
    """In one line, whatever the record's own form is; what is no JSON, or half a character in an
    escape, or too deep for a reader, as a JSON string."""
    try:
        text = json.dumps(json.loads(data), ensure_ascii=False, separators=(",", ":"))
        text.encode()
    except (ValueError, RecursionError):
        return json.dumps(text_of(data), ensure_ascii=False)
    return text


def _number(packed: struct.Struct) -> Form:
    def form(data: bytes) -> str:
        return str(packed.unpack(data)[0]) if len(data) == packed.size else f"0x{data.hex()}"

    return form


def _uuid(data: bytes) -> str:
    """Sixteen bytes, or the text that Java's serializer writes."""
    return str(uuid.UUID(bytes=data)) if len(data) == 16 else text_of(data)


def form_of(name: str) -> Form:
    """How a form writes bytes. What does not fit is written all the same, as hex or text."""
    simple: dict[str, Form] = {
        "text": text_of,
        "hex": _hex,
        "base64": _base64,
        "json": _json,
        "uuid": _uuid,
    }
    return simple[name] if name in simple else _number(_NUMBERS[name])


def bytes_of(text: str, form: str) -> bytes:
    """What a person typed in a form, as bytes. Raises UserError for what is not of it."""
    try:
        return _bytes_of(text, form)
    except (ValueError, RecursionError, struct.error) as error:
        raise UserError(f"{text[:60]!r} is not {form}: {error}") from error


def _bytes_of(text: str, form: str) -> bytes:
    if form == "text":
        # Bytes that were no UTF-8 on the way in go out as they came.
        return text.encode("utf-8", "surrogateescape")
    if form == "hex":
        return bytes.fromhex(text)
    if form == "base64":
        return base64.b64decode(text.strip(), validate=True)
    if form == "json":
        json.loads(text)
        return text.encode()
    if form == "uuid":
        return str(uuid.UUID(text.strip())).encode()
    if form in ("float", "double"):
        return _NUMBERS[form].pack(float(text))
    return _NUMBERS[form].pack(int(text))
