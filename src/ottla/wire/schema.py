"""How a message is declared: a class whose lines are its fields, in the order of the wire.

    @message(key=12, versions="0-4", flexible="4+")
    class HeartbeatRequest(Message):
        group_id: String
        generation_id: Int32
        member_id: String
        group_instance_id: Annotated[NullableString, since(3)] = None

One class serves all versions. A field that some version lacks needs a default: decoding such a
version gives the default, and encoding any other value raises unless the field is `ignorable`.
Tagged fields stand last, by tag; they are sent only when they differ from their default.

    X                     a structure in place
    Array[X]              structures or primitives; NullableArray where null is not empty
    X | None              not tagged: a nullable structure; tagged: None when it was not sent,
                          and with `nullable(since=…)` null is sent, too, as Kafka does

Declaring costs microseconds: annotations are read, and codecs made, when a version is first used.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from ottla.base.registry import Registry
from ottla.wire.versions import (
    ALL_VERSIONS,
    NO_VERSIONS,
    VERSION_MAX,
    VersionRange,
    parse_versions,
)

T = TypeVar("T")

# --- what a field holds ---------------------------------------------------------------------------


class Fixed(msgspec.Struct, frozen=True):
    """A value of fixed size; `format` is its `struct` character."""

    format: str
    size: int


class Text(msgspec.Struct, frozen=True):
    """UTF-8, at most 32767 bytes."""

    nullable: bool = False


class Blob(msgspec.Struct, frozen=True):
    """Bytes, copied out of the frame."""

    nullable: bool = False


class RecordBytes(msgspec.Struct, frozen=True):
    """Record batches: a view into the frame when decoded, a segment of their own when encoded."""

    nullable: bool = False


class ArrayMark(msgspec.Struct, frozen=True):
    """Marks the annotation of an array."""

    nullable: bool = False


Int8 = Annotated[int, Fixed("b", 1)]
Int16 = Annotated[int, Fixed("h", 2)]
Int32 = Annotated[int, Fixed("i", 4)]
Int64 = Annotated[int, Fixed("q", 8)]
UInt16 = Annotated[int, Fixed("H", 2)]
UInt32 = Annotated[int, Fixed("I", 4)]
Float64 = Annotated[float, Fixed("d", 8)]
Bool = Annotated[bool, Fixed("?", 1)]
Uuid = Annotated[bytes, Fixed("16s", 16)]
"""Sixteen raw bytes; `base.ids.format_uuid` prints them."""

String = Annotated[str, Text()]
NullableString = Annotated[str | None, Text(nullable=True)]
Bytes = Annotated[bytes, Blob()]
NullableBytes = Annotated[bytes | None, Blob(nullable=True)]
Records = Annotated[Any, RecordBytes()]
"""Decoded: a memoryview of the frame, writable where the frame is. To encode: bytes, bytearray,
memoryview, or anything with a length in bytes, which becomes a segment of the frame as it is."""
NullableRecords = Annotated[Any, RecordBytes(nullable=True)]

Array = Annotated[list[T], ArrayMark()]
NullableArray = Annotated[list[T] | None, ArrayMark(nullable=True)]

# --- in which versions, and how -------------------------------------------------------------------


class Window(msgspec.Struct, frozen=True):
    """The versions that have the field."""

    versions: VersionRange


class Tag(msgspec.Struct, frozen=True):
    """The field is a tagged one."""

    number: int


class NullableIn(msgspec.Struct, frozen=True):
    """The versions in which a nullable field may be null; without it, all."""

    versions: VersionRange


class Ignorable(msgspec.Struct, frozen=True):
    """Versions without the field drop its value silently."""


def since(version: int) -> Window:
    return Window(VersionRange(version, VERSION_MAX))


def until(version: int) -> Window:
    """`version` is the last one that has the field."""
    return Window(VersionRange(0, version))


def between(first: int, last: int) -> Window:
    return Window(VersionRange(first, last))


def tagged(number: int) -> Tag:
    return Tag(number)


def nullable(*, since: int) -> NullableIn:
    return NullableIn(VersionRange(since, VERSION_MAX))


ignorable = Ignorable()

# --- classes --------------------------------------------------------------------------------------


class Structure(msgspec.Struct, kw_only=True, gc=False):
    """A group of fields inside a message.

    Not tracked by the garbage collector: messages are trees, and there are many of them.
    """


class Versioned(Structure):
    """What has versions of its own: a message or a payload."""

    API_KEY: ClassVar[int] = -1
    VERSIONS: ClassVar[VersionRange] = NO_VERSIONS
    FLEXIBLE: ClassVar[VersionRange] = NO_VERSIONS


class Message(Versioned):
    """A request or a response."""


class Payload(Versioned):
    """The key or value of a log record."""


V = TypeVar("V", bound=Versioned)
M = TypeVar("M", bound=Message)
P = TypeVar("P", bound=Payload)

requests: Registry[int, type[Message]] = Registry("request")
responses: Registry[int, type[Message]] = Registry("response")

flexible_headers: dict[int, range] = {}
"""By API key, the declared versions whose headers carry tagged fields."""


def _declare(cls: type[V], key: int, versions: str, flexible: str) -> None:
    cls.API_KEY = key
    cls.VERSIONS = parse_versions(versions)
    cls.FLEXIBLE = parse_versions(flexible)


def message(*, key: int, versions: str, flexible: str) -> Callable[[type[M]], type[M]]:
    """Register a request or response class, told apart by its name."""

    def register(cls: type[M]) -> type[M]:
        if cls.__name__.endswith("Request"):
            requests.add(key, cls)
        elif cls.__name__.endswith("Response"):
            responses.add(key, cls)
        else:
            raise ValueError(f"neither a Request nor a Response: {cls.__name__}")
        _declare(cls, key, versions, flexible)
        tagged_from = cls.VERSIONS.intersection(cls.FLEXIBLE)
        flexible_headers[key] = range(tagged_from.min, tagged_from.max + 1)
        return cls

    return register


def payload(
    *,
    versions: str,
    flexible: str,
    key: int = -1,
    registry: Registry[int, type[Payload]] | None = None,
) -> Callable[[type[P]], type[P]]:
    """Declare a payload class, and register it where its kind has keys."""

    def register(cls: type[P]) -> type[P]:
        if registry is not None:
            registry.add(key, cls)
        _declare(cls, key, versions, flexible)
        return cls

    return register


# --- reading a declaration ------------------------------------------------------------------------


class ArrayOf(msgspec.Struct, frozen=True):
    """An array and what it holds."""

    element: FieldType


class StructureOf(msgspec.Struct, frozen=True):
    """A structure in place; behind a presence byte where it may be null."""

    cls: type[Structure]


FieldType = Fixed | Text | Blob | RecordBytes | ArrayOf | StructureOf


class Field(msgspec.Struct, frozen=True):
    """One line of a declaration."""

    name: str
    type: FieldType
    versions: VersionRange
    tag: int | None
    nullable: VersionRange
    ignorable: bool
    default: Any


@cache
def fields_of(cls: type[Structure]) -> tuple[Field, ...]:
    """The declared fields, in order. Raises TypeError for a declaration that cannot be."""
    hints = typing.get_type_hints(cls, include_extras=True)
    found = tuple(_read_field(cls, info, hints[info.name]) for info in msgspec.structs.fields(cls))
    tags = [field.tag for field in found if field.tag is not None]
    if tags != sorted(tags) or any(field.tag is None for field in found[len(found) - len(tags) :]):
        raise TypeError(f"{cls.__name__}: tagged fields stand last, in the order of their tags")
    return found


def _read_field(cls: type[Structure], info: msgspec.structs.FieldInfo, hint: Any) -> Field:
    marks = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    type_, may_be_null = _read_type(hint)
    versions = _mark(marks, Window, Window(ALL_VERSIONS)).versions
    tag = _mark(marks, Tag, None)
    nullable_in = _mark(marks, NullableIn, NullableIn(ALL_VERSIONS)).versions
    said_nullable = _mark(marks, NullableIn, None) is not None
    if tag is not None and isinstance(type_, StructureOf) and not said_nullable:
        may_be_null = False
    if info.required and (tag is not None or versions != ALL_VERSIONS):
        raise TypeError(f"{cls.__name__}.{info.name}: not in every version, so needs a default")
    return Field(
        name=info.name,
        type=type_,
        versions=versions,
        tag=None if tag is None else tag.number,
        nullable=nullable_in if may_be_null else NO_VERSIONS,
        ignorable=_mark(marks, Ignorable, None) is not None,
        default=_default_of(info),
    )


def _default_of(info: msgspec.structs.FieldInfo) -> Any:
    if info.default_factory is not msgspec.NODEFAULT:
        return info.default_factory()
    return info.default


def _mark(marks: tuple[Any, ...], kind: type[T], otherwise: Any) -> Any:
    return next((mark for mark in marks if isinstance(mark, kind)), otherwise)


def _read_type(hint: Any) -> tuple[FieldType, bool]:
    """What an annotation holds, and whether it may be null."""
    if typing.get_origin(hint) is not Annotated:
        return _read_structure(hint)
    base, *marks = typing.get_args(hint)
    for mark in marks:
        if isinstance(mark, Fixed):
            return mark, False
        if isinstance(mark, Text | Blob | RecordBytes):
            return mark, mark.nullable
        if isinstance(mark, ArrayMark):
            element, _ = _read_type(_element_hint(base))
            return ArrayOf(element), mark.nullable
    return _read_structure(base)


def _element_hint(hint: Any) -> Any:
    if typing.get_origin(hint) is list:
        return typing.get_args(hint)[0]
    return _element_hint(_without_none(hint))


def _read_structure(hint: Any) -> tuple[StructureOf, bool]:
    cls = hint if isinstance(hint, type) else _without_none(hint)
    if not (isinstance(cls, type) and issubclass(cls, Structure)):
        raise TypeError(f"not a field type: {hint!r}")
    return StructureOf(cls), cls is not hint


def _without_none(hint: Any) -> Any:
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        raise TypeError(f"not a field type: {hint!r}")
    (remaining,) = (arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    return remaining
