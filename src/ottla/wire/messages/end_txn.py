"""EndTxn (key 26): commit or abort a transaction.

Versions: 1 answers before it throttles · 2 may answer PRODUCER_FENCED · 3 flexible · 4 may answer
TRANSACTION_ABORTABLE · 5 every transaction has an epoch of its own (KIP-890).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    ignorable,
    message,
    since,
)


@message(key=26, versions="0-5", flexible="3+")
class EndTxnRequest(Message, kw_only=True):
    """A producer and how its transaction ends."""

    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    committed: Bool
    """Otherwise it is aborted."""


@message(key=26, versions="0-5", flexible="3+")
class EndTxnResponse(Message, kw_only=True):
    """The end is decided; markers may still be on their way.

    INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED (before version 2 INVALID_PRODUCER_EPOCH),
    INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE since version 4,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    producer_id: Annotated[Int64, since(5), ignorable] = -1
    """Another one than before when the epochs of that were used up."""
    producer_epoch: Annotated[Int16, since(5), ignorable] = -1
    """For the next transaction."""
