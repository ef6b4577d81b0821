"""Reading records: the consumer and what it is made of."""

from __future__ import annotations

from ottla.client.consumer.consumer import Consumer
from ottla.client.consumer.errors import (
    ConsumerClosedError,
    CorruptRecordsError,
    FetchRefusedError,
    LogTruncatedError,
    NoPositionError,
    OffsetOutOfRangeError,
    PartitionError,
)
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.record import ConsumerRecord

__all__ = [
    "Consumer",
    "ConsumerClosedError",
    "ConsumerOptions",
    "ConsumerRecord",
    "CorruptRecordsError",
    "FetchRefusedError",
    "LogTruncatedError",
    "NoPositionError",
    "OffsetOutOfRangeError",
    "PartitionError",
]
