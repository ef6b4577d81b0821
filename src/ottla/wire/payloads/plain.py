"""Payloads as plain values for people and programs: names and forms are those of Kafka's JSON."""

from __future__ import annotations

import base64
from typing import Any

from ottla.base.ids import format_uuid
from ottla.wire.schema import ArrayOf, Blob, FieldType, Fixed, Structure, StructureOf, fields_of

_UUID_FORMAT = "16s"


def as_plain(structure: Structure, version: int) -> dict[str, Any]:
    """The fields that this version has; tagged ones where they differ from their default."""
    plain: dict[str, Any] = {}
    for field in fields_of(type(structure)):
        value = getattr(structure, field.name)
        is_sent_null = isinstance(field.type, StructureOf) and version in field.nullable
        is_unsent = field.tag is not None and value == field.default and not is_sent_null
        if version in field.versions and not is_unsent:
            plain[_camel(field.name)] = _plain(value, field.type, version)
    return plain


def _plain(value: Any, type_: FieldType, version: int) -> Any:
    if value is None:
        return None
    if isinstance(type_, ArrayOf):
        return [_plain(each, type_.element, version) for each in value]
    if isinstance(type_, StructureOf):
        return as_plain(value, version)
    if isinstance(type_, Blob):
        return base64.b64encode(value).decode()
    if isinstance(type_, Fixed) and type_.format == _UUID_FORMAT:
        return format_uuid(value)
    return value


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
