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
    RecordDeserializationError,
)
from ottla.client.consumer.group.errors import CommitFailedError, FencedMemberError, GroupError
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.consumer.metrics import ConsumerMetrics, PartitionMetrics
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.queries import OffsetAndTimestamp
from ottla.client.consumer.record import ConsumerRecord
from ottla.client.offset_and_metadata import OffsetAndMetadata

__all__ = [
    "CommitFailedError",
    "Consumer",
    "ConsumerClosedError",
    "ConsumerMetrics",
    "ConsumerOptions",
    "ConsumerRecord",
    "CorruptRecordsError",
    "FencedMemberError",
    "FetchRefusedError",
    "GroupError",
    "LogTruncatedError",
    "NoPositionError",
    "OffsetAndMetadata",
    "OffsetAndTimestamp",
    "OffsetOutOfRangeError",
    "PartitionError",
    "PartitionMetrics",
    "RebalanceListener",
    "RecordDeserializationError",
]
