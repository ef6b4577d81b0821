"""DescribeTransactions (key 65): what the coordinator knows of transactional ids (KIP-664)."""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Message, String, Structure, message


@message(key=65, versions="0", flexible="0+")
class DescribeTransactionsRequest(Message, kw_only=True):
    """Transactional ids to describe; none asks for none."""

    transactional_ids: Array[String]


@message(key=65, versions="0", flexible="0+")
class DescribeTransactionsResponse(Message, kw_only=True):
    """Each of them."""

    throttle_time_ms: Int32 = 0
    transaction_states: Array[TransactionState] = []


class TransactionState(Structure, kw_only=True):
    """One transactional id.

    TRANSACTIONAL_ID_NOT_FOUND, INVALID_REQUEST for an empty one, NOT_COORDINATOR,
    COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    transactional_id: String
    transaction_state: String = ""
    """"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort",
    "PrepareEpochFence" or "Dead"."""
    transaction_timeout_ms: Int32 = 0
    transaction_start_time_ms: Int64 = 0
    """-1 where none is open."""
    producer_id: Int64 = 0
    producer_epoch: Int16 = 0
    topics: Array[TopicData] = []
    """What is in the transaction; while it ends, what still has no marker. Topics that the client
    may not see are left out."""


class TopicData(Structure, kw_only=True):
    """Partitions of one topic."""

    topic: String
    partitions: Array[Int32] = []
