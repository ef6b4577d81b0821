"""AddOffsetsToTxn (key 25): a transaction is going to commit positions of a group.

It adds the group's partition of `__consumer_offsets`; the positions follow by TxnOffsetCommit.
Versions: 1 answers before it throttles · 2 may answer PRODUCER_FENCED · 3 flexible · 4 may answer
TRANSACTION_ABORTABLE (KIP-890).
"""

from __future__ import annotations

from ottla.wire.schema import Int16, Int32, Int64, Message, String, message


@message(key=25, versions="0-4", flexible="3+")
class AddOffsetsToTxnRequest(Message, kw_only=True):
    """A producer, its transaction, and the group."""

    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    group_id: String


@message(key=25, versions="0-4", flexible="3+")
class AddOffsetsToTxnResponse(Message, kw_only=True):
    """Whether the group is part of the transaction now.

    INVALID_PRODUCER_ID_MAPPING, PRODUCER_FENCED (before version 2 INVALID_PRODUCER_EPOCH),
    INVALID_TXN_STATE, CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE since version 4,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED, GROUP_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
