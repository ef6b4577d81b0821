"""One record, as it is handed out."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ottla.wire.records.header import TimestampType
from ottla.wire.records.record import RecordHeader


class ConsumerRecord(Struct, frozen=True, gc=False):
    """`timestamp_ms` is -1 for none, `leader_epoch` that of the leader which stored the record.

    Key and value are bytes or None, or what the consumer's deserializers make of them.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: Any
    value: Any
    headers: tuple[RecordHeader, ...]
    leader_epoch: int
    timestamp_type: TimestampType
