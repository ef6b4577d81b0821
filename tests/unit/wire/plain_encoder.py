"""A slow encoder that walks a declaration value by value.

It shares the declarations with the compiled codecs and nothing else, so it tells whether a fault
is in the generated code; and it can put unknown tagged fields into every structure.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from ottla.wire.schema import (
    ArrayOf,
    Field,
    FieldType,
    Fixed,
    Structure,
    StructureOf,
    Text,
    Versioned,
    fields_of,
)


def encode(
    message: Versioned, version: int, *, unknown_tags: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """The message's bytes; tags above the known ones go into each flexible structure."""
    encoder = _Encoder(version, flexible=version in message.FLEXIBLE, unknown_tags=unknown_tags)
    return encoder.structure(message)


def uvarint(value: int) -> bytes:
    head, rest = value & 0x7F, value >> 7
    return bytes([head | 0x80]) + uvarint(rest) if rest else bytes([head])


class _Encoder:
    def __init__(
        self, version: int, *, flexible: bool, unknown_tags: Sequence[tuple[int, bytes]]
    ) -> None:
        self.version = version
        self.flexible = flexible
        self.unknown_tags = unknown_tags

    def structure(self, value: Structure) -> bytes:
        fields = [field for field in fields_of(type(value)) if self.version in field.versions]
        plain = [field for field in fields if field.tag is None]
        body = b"".join(self.field(field, getattr(value, field.name)) for field in plain)
        return body + self.tags(value, fields) if self.flexible else body

    def tags(self, value: Structure, fields: Sequence[Field]) -> bytes:
        sent = [
            (field.tag, self.tagged(field, getattr(value, field.name)))
            for field in fields
            if field.tag is not None and not self.is_default(field, getattr(value, field.name))
        ]
        sent += self.unknown_tags
        pairs = (uvarint(tag or 0) + uvarint(len(body)) + body for tag, body in sent)
        return uvarint(len(sent)) + b"".join(pairs)

    def tagged(self, field: Field, value: Any) -> bytes:
        if not isinstance(field.type, StructureOf) or not field.nullable:
            return self.value(field.type, value)
        return b"\0" if value is None else b"\1" + self.structure(value)

    def is_default(self, field: Field, value: object) -> bool:
        if isinstance(field.type, StructureOf) and field.nullable:
            return False
        if isinstance(field.type, StructureOf) and value is not None:
            return value == field.type.cls()
        return bool(value == field.default)

    def field(self, field: Field, value: Any) -> bytes:
        if not isinstance(field.type, StructureOf) or self.version not in field.nullable:
            return self.value(field.type, value)
        return b"\xff" if value is None else b"\x01" + self.structure(value)

    def value(self, type_: FieldType, value: Any) -> bytes:
        if isinstance(type_, Fixed):
            return struct.pack(">" + type_.format, value)
        if isinstance(type_, StructureOf):
            return self.structure(value)
        if value is None:
            return self.length(type_, -1)
        if isinstance(type_, ArrayOf):
            items = b"".join(self.value(type_.element, item) for item in value)
            return self.length(type_, len(value)) + items
        content = value.encode() if isinstance(value, str) else bytes(value)
        return self.length(type_, len(content)) + content

    def length(self, type_: FieldType, length: int) -> bytes:
        if self.flexible:
            return uvarint(length + 1)
        return struct.pack(">h" if isinstance(type_, Text) else ">i", length)
