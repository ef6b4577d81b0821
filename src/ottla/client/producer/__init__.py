"""Writing records: the producer and what it is made of."""

from __future__ import annotations

from ottla.client.group_member import GroupMember
from ottla.client.producer.delivery import Delivery, RecordMetadata
from ottla.client.producer.errors import (
    BufferFullError,
    DeliveryError,
    DeliveryTimeoutError,
    OutcomeUnknownError,
    PartitionerError,
    ProducerClosedError,
    ProducerFencedError,
    RecordTooLargeError,
    TransactionAbortedError,
    TransactionError,
)
from ottla.client.producer.metrics import ProducerMetrics
from ottla.client.producer.options import ProducerOptions
from ottla.client.producer.partitioners import ANYWHERE, Partitioner
from ottla.client.producer.producer import Producer
from ottla.client.producer.taken_rows import (
    BatchDelivery,
    FailedRange,
    RowsCutOffError,
    RowsFailedError,
    StoredRange,
    StoredRows,
)

__all__ = [
    "ANYWHERE",
    "BatchDelivery",
    "BufferFullError",
    "Delivery",
    "DeliveryError",
    "DeliveryTimeoutError",
    "FailedRange",
    "GroupMember",
    "OutcomeUnknownError",
    "Partitioner",
    "PartitionerError",
    "Producer",
    "ProducerClosedError",
    "ProducerFencedError",
    "ProducerMetrics",
    "ProducerOptions",
    "RecordMetadata",
    "RecordTooLargeError",
    "RowsCutOffError",
    "RowsFailedError",
    "StoredRange",
    "StoredRows",
    "TransactionAbortedError",
    "TransactionError",
]
