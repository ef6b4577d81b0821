"""Transactions by transactional id, as records of `__transaction_state`."""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import transaction_record_key, transaction_record_value
from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Int64,
    NullableArray,
    Payload,
    String,
    Structure,
    since,
    tagged,
)


@transaction_record_key(0)
class TransactionLogKey(Payload, kw_only=True):
    """A transactional id."""

    transactional_id: String


@transaction_record_value(0, versions="0-1", flexible="1+")
class TransactionLogValue(Payload, kw_only=True):
    """Its producer and its transaction; `transaction_status` is a number of Kafka's states."""

    producer_id: Int64
    producer_epoch: Int16
    transaction_timeout_ms: Int32
    transaction_status: Int8
    transaction_partitions: NullableArray[PartitionsSchema]
    transaction_last_update_timestamp_ms: Int64
    transaction_start_timestamp_ms: Int64
    previous_producer_id: Annotated[Int64, since(1), tagged(0)] = -1
    next_producer_id: Annotated[Int64, since(1), tagged(1)] = -1
    client_transaction_version: Annotated[Int16, since(1), tagged(2)] = 0
    next_producer_epoch: Annotated[Int16, since(1), tagged(3)] = -1


class PartitionsSchema(Structure, kw_only=True):
    """Partitions of one topic that the transaction has written to."""

    topic: String
    partition_ids: Array[Int32]
