"""The form of a coordinator's records: what stands before the fields of a key and of a value.

A key begins with the number of its type, a value with its version, both int16. Each coordinator
numbers its types by itself: a `RecordTypes` is the table of one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.registry import Registry
from ottla.base.world import Buffer
from ottla.wire.compiler import codec
from ottla.wire.schema import P, Payload, payload

_PREFIX: Final = struct.Struct(">h")
_KEY_VERSION: Final = 0


class RecordTypes:
    """The record types of one coordinator's log: by number, the class of key and value."""

    def __init__(self, noun: str) -> None:
        self.keys: Registry[int, type[Payload]] = Registry(f"{noun} key")
        self.values: Registry[int, type[Payload]] = Registry(f"{noun} value")

    def key(self, number: int) -> Callable[[type[P]], type[P]]:
        """Declare the key of a type; keys have one version."""
        return payload(key=number, versions="0", flexible="none", registry=self.keys)

    def value(self, number: int, *, versions: str, flexible: str) -> Callable[[type[P]], type[P]]:
        """Declare the value of a type."""
        return payload(key=number, versions=versions, flexible=flexible, registry=self.values)

    def decode_key(self, key: Buffer) -> Payload:
        """Raises ProtocolError: UNSUPPORTED_VERSION for a type that is not known."""
        view = memoryview(key)
        number = _prefix(view)
        cls = self.keys.get(number)
        if cls is None:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION, f"no {self.keys.noun} has the number {number}"
            )
        return _whole(cls, _KEY_VERSION, view)

    def decode_value(self, number: int, value: Buffer) -> Payload:
        """The value that goes with a key of this number. Raises ProtocolError."""
        view = memoryview(value)
        cls = self.values.get(number)
        if cls is None:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION, f"no {self.values.noun} has the number {number}"
            )
        version = _prefix(view)
        if version not in cls.VERSIONS:
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_VERSION, f"{cls.__name__} has no version {version}"
            )
        return _whole(cls, version, view)


def value_version(value: Buffer) -> int:
    """The version that a value is written in. Raises ProtocolError for no value."""
    return _prefix(memoryview(value))


def encode_key(key: Payload) -> bytes:
    """A record's key."""
    return _PREFIX.pack(key.API_KEY) + bytes(codec(type(key), _KEY_VERSION).encode(key))


def encode_value(value: Payload, version: int | None = None) -> bytes:
    """A record's value, in the newest version unless told otherwise.

    Raises ProtocolError(UNSUPPORTED_VERSION) for what the version has no place for.
    """
    if version is None:
        version = value.VERSIONS.max
    return _PREFIX.pack(version) + bytes(codec(type(value), version).encode(value))


def _prefix(data: memoryview) -> int:
    if len(data) < _PREFIX.size:
        raise ProtocolError(ErrorCode.INVALID_RECORD, f"{len(data)} bytes have no type or version")
    (number,) = _PREFIX.unpack_from(data)
    assert isinstance(number, int)
    return number


def _whole(cls: type[Payload], version: int, data: memoryview) -> Payload:
    """All of `data` behind its prefix; bytes too many are damage."""
    found, end = codec(cls, version).decode(data, _PREFIX.size, len(data))
    if end != len(data):
        raise ProtocolError(
            ErrorCode.INVALID_RECORD, f"{cls.__name__}: {len(data) - end} bytes too many"
        )
    return found


GROUP_RECORDS: Final = RecordTypes("group record")
TRANSACTION_RECORDS: Final = RecordTypes("transaction record")
SHARE_STATE_RECORDS: Final = RecordTypes("share state record")

group_record_key = GROUP_RECORDS.key
group_record_value = GROUP_RECORDS.value
transaction_record_key = TRANSACTION_RECORDS.key
transaction_record_value = TRANSACTION_RECORDS.value
share_state_record_key = SHARE_STATE_RECORDS.key
share_state_record_value = SHARE_STATE_RECORDS.value
