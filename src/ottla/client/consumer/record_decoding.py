"""Keys and values of records as a program wants them, where a consumer has deserializers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ottla.base.ids import TopicPartition
from ottla.client.consumer.errors import RecordDeserializationError
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.record import ConsumerRecord
from ottla.client.serialization import Deserializer

Decoded = tuple[list[ConsumerRecord], RecordDeserializationError | None]


class RecordDecoder:
    """What has no deserializer stays bytes."""

    def __init__(
        self,
        *,
        key_deserializer: Deserializer[Any] | None,
        value_deserializer: Deserializer[Any] | None,
    ) -> None:
        self._key_deserializer = key_deserializer
        self._value_deserializer = value_deserializer

    def decode(self, records: Iterable[ConsumerRecord]) -> Decoded:
        """Those before the first that cannot be read, and why it cannot."""
        decoded: list[ConsumerRecord] = []
        for record in records:
            try:
                decoded.append(self._decode(record))
            except RecordDeserializationError as error:
                return decoded, error
        return decoded, None

    def _decode(self, record: ConsumerRecord) -> ConsumerRecord:
        return ConsumerRecord(
            record.topic,
            record.partition,
            record.offset,
            record.timestamp_ms,
            _apply(self._key_deserializer, "key", record, record.key),
            _apply(self._value_deserializer, "value", record, record.value),
            record.headers,
            record.leader_epoch,
            record.timestamp_type,
        )


def decoder_of(options: ConsumerOptions) -> RecordDecoder | None:
    """None where records are handed out as they are."""
    if options.key_deserializer is None and options.value_deserializer is None:
        return None
    return RecordDecoder(
        key_deserializer=options.key_deserializer, value_deserializer=options.value_deserializer
    )


def _apply(
    deserializer: Deserializer[Any] | None, part: str, record: ConsumerRecord, data: bytes | None
) -> Any:
    if deserializer is None:
        return data
    try:
        return deserializer.deserialize(record.topic, data, record.headers)
    except Exception as error:
        partition = TopicPartition(record.topic, record.partition)
        raise RecordDeserializationError(partition, record, part, str(error)) from error
