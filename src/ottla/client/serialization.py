"""Values of a program as the bytes of records, and back.

Each `Serde` here is both a `Serializer` and a `Deserializer`, and writes the bytes of Java's
serializer of the same type. None is no bytes, in both directions: the tombstone of a compacted
topic. They run where records are sent and handed out, and must not wait for anything.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Callable, MutableSequence, Sequence
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec

from ottla.base.errors import UserError

T = TypeVar("T")
T_in = TypeVar("T_in", contravariant=True)
T_out = TypeVar("T_out", covariant=True)

Header = tuple[str, bytes | None]


class SerializationError(UserError):
    """What is no value of the type that was promised, or no bytes of one."""


class Serializer(Protocol[T_in]):
    """Makes the key or the value of a record. May append to `headers`, which go with it."""

    def serialize(
        self, topic: str, value: T_in | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises whatever it likes; who sends is told by a SerializationError."""
        ...


class Deserializer(Protocol[T_out]):
    """Reads the key or the value of a record."""

    def deserialize(
        self, topic: str, data: bytes | None, headers: Sequence[Header]
    ) -> T_out | None:
        """Raises whatever it likes; who reads is told by a RecordDeserializationError."""
        ...


class BytesSerde:
    """Bytes as they are, of any kind that Python has."""

    def serialize(
        self,
        topic: str,
        value: bytes | bytearray | memoryview | None,
        headers: MutableSequence[Header],
    ) -> bytes | None:
        """Raises SerializationError for what is not bytes."""
        if value is None or isinstance(value, bytes):
            return value
        if isinstance(value, bytearray | memoryview):
            return bytes(value)
        raise _no("bytes", value)

    def deserialize(
        self, topic: str, data: bytes | None, headers: Sequence[Header]
    ) -> bytes | None:
        """The bytes."""
        return data


class StringSerde:
    """Text. Unlike Java's, it does not put question marks for what the encoding has not."""

    def __init__(self, encoding: str = "utf-8", *, errors: str = "strict") -> None:
        """`errors` as of `str.encode`. Raises LookupError for an unknown encoding."""
        "".encode(encoding, errors)
        self._encoding = encoding
        self._errors = errors

    def serialize(
        self, topic: str, value: str | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises SerializationError for what is no text, or not in the encoding."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise _no("text", value)
        try:
            return value.encode(self._encoding, self._errors)
        except UnicodeError as error:
            raise SerializationError(str(error)) from error

    def deserialize(self, topic: str, data: bytes | None, headers: Sequence[Header]) -> str | None:
        """Raises SerializationError for bytes that are not in the encoding."""
        if data is None:
            return None
        try:
            return data.decode(self._encoding, self._errors)
        except UnicodeError as error:
            raise SerializationError(str(error)) from error


class _FixedSerde(Generic[T]):
    """Numbers of so many bytes, the most significant first."""

    def __init__(self, layout: struct.Struct, name: str) -> None:
        self._layout = layout
        self._name = name

    def serialize(
        self, topic: str, value: T | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises SerializationError for what is no such number, or too large for it."""
        if value is None:
            return None
        try:
            return self._layout.pack(value)
        except (struct.error, OverflowError) as error:
            raise SerializationError(f"no {self._name}: {value!r}") from error

    def deserialize(self, topic: str, data: bytes | None, headers: Sequence[Header]) -> T | None:
        """Raises SerializationError for a wrong number of bytes."""
        if data is None:
            return None
        if len(data) != self._layout.size:
            raise SerializationError(
                f"a {self._name} has {self._layout.size} bytes, not {len(data)}"
            )
        number: T = self._layout.unpack(data)[0]
        return number


_WHOLE: Final = {"short": ">h", "int": ">i", "long": ">q"}
_FLOATING: Final = {"float": ">f", "double": ">d"}


class IntSerde(_FixedSerde[int]):
    """Java's Short, Integer or Long: 2, 4 or 8 bytes."""

    def __init__(self, kind: Literal["short", "int", "long"] = "int") -> None:
        """Raises UserError for another kind."""
        super().__init__(_layout(_WHOLE, kind), kind)


class FloatSerde(_FixedSerde[float]):
    """Java's Float or Double: 4 or 8 bytes."""

    def __init__(self, kind: Literal["float", "double"] = "double") -> None:
        """Raises UserError for another kind."""
        super().__init__(_layout(_FLOATING, kind), kind)


class UuidSerde:
    """A UUID as its 36 characters."""

    def serialize(
        self, topic: str, value: uuid.UUID | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises SerializationError for what is no UUID."""
        if value is None:
            return None
        if not isinstance(value, uuid.UUID):
            raise _no("a UUID", value)
        return str(value).encode("ascii")

    def deserialize(
        self, topic: str, data: bytes | None, headers: Sequence[Header]
    ) -> uuid.UUID | None:
        """Raises SerializationError for other characters."""
        if data is None:
            return None
        try:
            return uuid.UUID(data.decode("ascii"))
        except ValueError as error:
            raise SerializationError(f"no UUID: {data[:40]!r}") from error


class VoidSerde:
    """Nothing: for topics whose records have no key, or no value."""

    def serialize(self, topic: str, value: None, headers: MutableSequence[Header]) -> None:
        """Raises SerializationError for anything but None, of which Java's would lose the value."""
        if value is not None:
            raise _no("None", value)

    def deserialize(self, topic: str, data: bytes | None, headers: Sequence[Header]) -> None:
        """Raises SerializationError where there are bytes."""
        if data is not None:
            raise SerializationError(f"{len(data)} bytes where nothing was to be")


class _CodecSerde(Generic[T]):
    """By a pair of functions of msgspec, which says itself what is wrong."""

    def __init__(self, encode: Callable[[T], bytes], decode: Callable[[bytes], T]) -> None:
        self._encode = encode
        self._decode = decode

    def serialize(
        self, topic: str, value: T | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises SerializationError for what has no such form."""
        if value is None:
            return None
        try:
            return self._encode(value)
        except (TypeError, ValueError, msgspec.MsgspecError, OverflowError) as error:
            raise SerializationError(str(error)) from error

    def deserialize(self, topic: str, data: bytes | None, headers: Sequence[Header]) -> T | None:
        """Raises SerializationError for bytes that are no such value."""
        if data is None:
            return None
        try:
            return self._decode(data)
        except (UnicodeError, msgspec.MsgspecError) as error:
            raise SerializationError(str(error)) from error


class JsonSerde(_CodecSerde[Any]):
    """JSON of dicts, lists and whatever else msgspec can write; read as dicts and lists.

    None is a tombstone and not JSON's null.
    """

    def __init__(self) -> None:
        super().__init__(msgspec.json.Encoder().encode, msgspec.json.Decoder().decode)


class StructSerde(_CodecSerde[T]):
    """Values of one type, checked when they are read: a msgspec.Struct, a dataclass, or alike."""

    def __init__(self, type_: type[T], format: Literal["json", "msgpack"] = "json") -> None:  # noqa: A002  # the name that users of msgspec look for
        """Raises UserError for another format, TypeError for a type that msgspec cannot read."""
        if format == "json":
            super().__init__(msgspec.json.Encoder().encode, msgspec.json.Decoder(type_).decode)
        elif format == "msgpack":
            decoder = msgspec.msgpack.Decoder(type_)
            super().__init__(msgspec.msgpack.Encoder().encode, decoder.decode)
        else:
            raise UserError(f"format is json or msgpack, not {format!r}")
        # Of other types what isinstance() says is not what msgspec takes: list[int], for one.
        self._struct = _struct_of(type_)

    def serialize(
        self, topic: str, value: T | None, headers: MutableSequence[Header]
    ) -> bytes | None:
        """Raises SerializationError for a value of another class."""
        if self._struct is not None and not isinstance(value, self._struct | None):
            raise _no(f"a {self._struct.__name__}", value)
        return super().serialize(topic, value, headers)


def _struct_of(type_: object) -> type[msgspec.Struct] | None:
    return type_ if isinstance(type_, type) and issubclass(type_, msgspec.Struct) else None


def _layout(kinds: dict[str, str], kind: str) -> struct.Struct:
    if kind not in kinds:
        raise UserError(f"one of {', '.join(kinds)}, not {kind!r}")
    return struct.Struct(kinds[kind])


def _no(wanted: str, value: object) -> SerializationError:
    return SerializationError(f"{wanted} was promised, not {type(value).__name__}")


def check_method(setting: str, method: str, thing: object) -> None:
    """Raises UserError for a setting that is neither None nor has the method."""
    if thing is not None and not callable(getattr(thing, method, None)):
        raise UserError(f"{setting} has a method {method}, unlike {thing!r}")
