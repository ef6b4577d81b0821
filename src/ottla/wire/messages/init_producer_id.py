"""InitProducerId (key 22): an id and epoch for an idempotent or transactional producer.

Versions: 2 flexible · 3 bumps the epoch of a known producer (KIP-360) · 4 may answer
PRODUCER_FENCED · 5 TRANSACTION_ABORTABLE (KIP-890) · 6 two-phase commit (KIP-939), which Kafka
calls unstable.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    message,
    since,
)


@message(key=22, versions="0-6", flexible="2+")
class InitProducerIdRequest(Message, kw_only=True):
    """Who wants an id."""

    transactional_id: NullableString
    """Null from a producer that is idempotent only."""
    transaction_timeout_ms: Int32
    """Without meaning for an idempotent producer."""
    producer_id: Annotated[Int64, since(3)] = -1
    producer_epoch: Annotated[Int16, since(3)] = -1
    enable_2pc: Annotated[Bool, since(6)] = False
    keep_prepared_txn: Annotated[Bool, since(6)] = False


@message(key=22, versions="0-6", flexible="2+")
class InitProducerIdResponse(Message, kw_only=True):
    """The id, and the epoch that fences whoever had it before.

    CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, PRODUCER_FENCED,
    INVALID_PRODUCER_EPOCH before version 4, INVALID_TRANSACTION_TIMEOUT, TRANSACTION_ABORTABLE,
    CLUSTER_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Int64 = -1
    producer_epoch: Int16
    ongoing_txn_producer_id: Annotated[Int64, since(6)] = -1
    ongoing_txn_producer_epoch: Annotated[Int16, since(6)] = -1
