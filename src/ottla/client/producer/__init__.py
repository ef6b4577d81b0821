"""Writing records: the producer and what it is made of."""

from __future__ import annotations

from ottla.client.producer.delivery import Delivery, RecordMetadata
from ottla.client.producer.errors import (
    BufferFullError,
    DeliveryError,
    DeliveryTimeoutError,
    OutcomeUnknownError,
    ProducerClosedError,
    ProducerFencedError,
    RecordTooLargeError,
    TransactionAbortedError,
    TransactionError,
)
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.producer import Producer
from ottla.client.producer.transactions import GroupMember

__all__ = [
    "BufferFullError",
    "Delivery",
    "DeliveryError",
    "DeliveryTimeoutError",
    "GroupMember",
    "OutcomeUnknownError",
    "Producer",
    "ProducerClosedError",
    "ProducerFencedError",
    "ProducerOptions",
    "RecordMetadata",
    "RecordTooLargeError",
    "TransactionAbortedError",
    "TransactionError",
]
