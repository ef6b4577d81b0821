"""Keys and values of a program as bytes, where a producer has serializers."""

from __future__ import annotations

from typing import Any

from ottla.client.producer.accumulator import Headers
from ottla.client.producer.options import ProducerOptions
from ottla.client.serialization import Header, SerializationError, Serializer


class RecordEncoder:
    """What has no serializer goes through as it is."""

    def __init__(
        self, *, key_serializer: Serializer[Any] | None, value_serializer: Serializer[Any] | None
    ) -> None:
        self._key_serializer = key_serializer
        self._value_serializer = value_serializer

    def encode(
        self, topic: str, value: Any, key: Any, headers: Headers
    ) -> tuple[Any, Any, list[Header]]:
        """Value, key and headers. Raises SerializationError, which names the topic."""
        made = list(headers)
        return (
            _apply(self._value_serializer, "value", topic, value, made),
            _apply(self._key_serializer, "key", topic, key, made),
            made,
        )


def encoder_of(options: ProducerOptions) -> RecordEncoder | None:
    """None where records are sent as they are."""
    if options.key_serializer is None and options.value_serializer is None:
        return None
    return RecordEncoder(
        key_serializer=options.key_serializer, value_serializer=options.value_serializer
    )


def _apply(
    serializer: Serializer[Any] | None, part: str, topic: str, value: Any, headers: list[Header]
) -> Any:
    if serializer is None:
        return value
    try:
        return serializer.serialize(topic, value, headers)
    except Exception as error:
        raise SerializationError(f"the {part} of a record for {topic}: {error}") from error
