"""Records as lines, by the properties of Kafka's message formatters."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.scripts.java_text import java_double
from ottla.log.inspection.decoders import decoder_for
from ottla.wire.records.header import TimestampType
from ottla.wire.records.record import Record

if TYPE_CHECKING:
    from ottla.client.consumer.record import ConsumerRecord

DEFAULT: Final = "org.apache.kafka.tools.consumer.DefaultMessageFormatter"
LOGGING: Final = "org.apache.kafka.tools.consumer.LoggingMessageFormatter"
NO_OP: Final = "org.apache.kafka.tools.consumer.NoOpMessageFormatter"
_OF_COORDINATORS: Final = {
    "org.apache.kafka.tools.consumer.OffsetsMessageFormatter": ("__consumer_offsets", {0, 1}),
    "org.apache.kafka.tools.consumer.GroupMetadataMessageFormatter": ("__consumer_offsets", {2}),
    "org.apache.kafka.tools.consumer.TransactionLogMessageFormatter": ("__transaction_state", {0}),
}
"""Formatters of the brokers' own topics: whose records they read, and of which types."""

_PACKAGE: Final = "org.apache.kafka.common.serialization."

Deserialize = Callable[[bytes], bytes]


def _packed(form: str, show: Callable[[float], str]) -> Deserialize:
    size = struct.calcsize(form)

    def read(data: bytes) -> bytes:
        if len(data) != size:
            raise UserError(f"Size of data received is not {size}")
        return show(struct.unpack(form, data)[0]).encode()

    return read


def _void(data: bytes) -> bytes:
    raise UserError(f"no data was expected, and there are {len(data)} bytes")


_DESERIALIZERS: Final[Mapping[str, Deserialize]] = {
    "StringDeserializer": bytes,
    "ByteArrayDeserializer": bytes,
    "ByteBufferDeserializer": bytes,
    "BytesDeserializer": bytes,
    "UUIDDeserializer": bytes,
    "ShortDeserializer": _packed(">h", str),
    "IntegerDeserializer": _packed(">i", str),
    "LongDeserializer": _packed(">q", str),
    "FloatDeserializer": _packed(">f", java_double),
    "DoubleDeserializer": _packed(">d", java_double),
    "BooleanDeserializer": _packed(">?", lambda value: str(bool(value)).lower()),
    "VoidDeserializer": _void,
}


def deserializer(name: str | None) -> Deserialize:
    """By the class of Kafka's. Raises UserError for any other."""
    if name is None:
        return bytes
    found = _DESERIALIZERS.get(name.removeprefix(_PACKAGE))
    if found is None:
        known = ", ".join(sorted(_DESERIALIZERS))
        raise UserError(f"{name} is a class of Java, and there is no Java here; known are {known}")
    return found


class Formatter:
    """One record as what is printed of it."""

    def __init__(self, properties: Mapping[str, str]) -> None:
        """Raises UserError for a deserializer that is not known."""
        self._timestamp = _is_true(properties, "print.timestamp")
        self._key = _is_true(properties, "print.key")
        self._offset = _is_true(properties, "print.offset")
        self._partition = _is_true(properties, "print.partition")
        self._delivery = _is_true(properties, "print.delivery")
        self._epoch = _is_true(properties, "print.epoch")
        self._headers = _is_true(properties, "print.headers")
        self._value = _is_true(properties, "print.value", "true")
        self._separator = properties.get("key.separator", "\t").encode()
        self._line_end = properties.get("line.separator", "\n").encode()
        self._headers_separator = properties.get("headers.separator", ",").encode()
        self._null = properties.get("null.literal", "null").encode()
        self._read_key = deserializer(properties.get("key.deserializer"))
        self._read_value = deserializer(properties.get("value.deserializer"))
        self._read_header = deserializer(properties.get("headers.deserializer"))

    def line(self, record: ConsumerRecord) -> bytes:
        """Raises UserError for bytes that a deserializer cannot read."""
        return self._separator.join(self._parts(record)) + self._line_end

    def _parts(self, record: ConsumerRecord) -> Iterator[bytes]:
        if self._timestamp:
            yield _time(record)
        if self._partition:
            yield b"Partition:%d" % record.partition
        if self._offset:
            yield b"Offset:%d" % record.offset
        if self._delivery:
            # How often it was handed out: only share groups count that.
            yield b"Delivery:NOT_PRESENT"
        if self._epoch:
            epoch = record.leader_epoch
            yield b"Epoch:NOT_PRESENT" if epoch < 0 else b"Epoch:%d" % epoch
        if self._headers:
            yield self._headers_of(record)
        if self._key:
            yield self._shown(record.key, self._read_key)
        if self._value:
            yield self._shown(record.value, self._read_value)

    def _headers_of(self, record: ConsumerRecord) -> bytes:
        if not record.headers:
            return b"NO_HEADERS"
        return self._headers_separator.join(
            name.encode() + b":" + self._shown(value, self._read_header)
            for name, value in record.headers
        )

    def _shown(self, data: bytes | None, read: Deserialize) -> bytes:
        return self._null if data is None else read(data)


def _time(record: ConsumerRecord) -> bytes:
    if record.timestamp_ms < 0:
        return b"NO_TIMESTAMP"
    is_append = record.timestamp_type is TimestampType.LOG_APPEND_TIME
    return b"%s:%d" % (b"LogAppendTime" if is_append else b"CreateTime", record.timestamp_ms)


class Nothing(Formatter):
    """Prints nothing of it: for those who count."""

    def line(self, record: ConsumerRecord) -> bytes:
        return b""


class OfCoordinator(Formatter):
    """Records of a coordinator's topic as JSON, one a line; those of other types are left out."""

    def __init__(self, topic: str, types: Collection[int]) -> None:
        super().__init__({})
        self._decode = decoder_for(topic)
        self._types = types

    def line(self, record: ConsumerRecord) -> bytes:
        """Raises UserError for bytes that are no such record."""
        stored = Record(
            record.offset, record.timestamp_ms, record.key, record.value, record.headers
        )
        try:
            key, value = self._decode(stored)
        except ProtocolError as error:
            raise UserError(error.message) from error
        if not isinstance(key, dict) or int(key["type"]) not in self._types:
            return b""
        told = {
            "key": {**key, "type": int(key["type"])},
            "value": None if value is None else {**value, "version": int(value["version"])},
        }
        return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def formatter(name: str, properties: Mapping[str, str]) -> Formatter:
    """By the class of Kafka's. Raises UserError for any other."""
    if name in (DEFAULT, LOGGING):
        return Formatter(properties)
    if name == NO_OP:
        return Nothing(properties)
    if name in _OF_COORDINATORS:
        return OfCoordinator(*_OF_COORDINATORS[name])
    raise UserError(f"--formatter {name}: it is a class of Java, and there is no Java here")


def _is_true(properties: Mapping[str, str], name: str, default: str = "false") -> bool:
    return properties.get(name, default).strip().lower() == "true"
