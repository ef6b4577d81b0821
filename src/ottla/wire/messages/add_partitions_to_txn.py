"""AddPartitionsToTxn (key 24): partitions that a transaction is going to write to.

Clients use versions 0–3, one transaction at a time; brokers 4–5, several, to ask the coordinator
whether a producer may write. Versions: 2 may answer PRODUCER_FENCED · 3 flexible · 4 several
transactions, verifying only (KIP-890) · 5 may answer TRANSACTION_ABORTABLE.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Structure,
    ignorable,
    message,
    since,
    until,
)


@message(key=24, versions="0-5", flexible="3+")
class AddPartitionsToTxnRequest(Message, kw_only=True):
    """Partitions of one transaction until version 3, of each in `transactions` after it."""

    transactions: Annotated[Array[AddPartitionsToTxnTransaction], since(4)] = []
    v3_and_below_transactional_id: Annotated[String, until(3)] = ""
    v3_and_below_producer_id: Annotated[Int64, until(3)] = 0
    v3_and_below_producer_epoch: Annotated[Int16, until(3)] = 0
    v3_and_below_topics: Annotated[Array[AddPartitionsToTxnTopic], until(3)] = []


class AddPartitionsToTxnTransaction(Structure, kw_only=True):
    """Partitions of one transaction."""

    transactional_id: String
    producer_id: Int64
    producer_epoch: Int16
    verify_only: Bool = False
    """Only ask whether they are in it."""
    topics: Array[AddPartitionsToTxnTopic] = []


class AddPartitionsToTxnTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[Int32] = []


@message(key=24, versions="0-5", flexible="3+")
class AddPartitionsToTxnResponse(Message, kw_only=True):
    """What became of each partition: of one transaction until version 3, of several after it.

    Of the whole, since version 4: CLUSTER_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(4), ignorable] = 0
    results_by_transaction: Annotated[Array[AddPartitionsToTxnResult], since(4)] = []
    results_by_topic_v3_and_below: Annotated[Array[AddPartitionsToTxnTopicResult], until(3)] = []


class AddPartitionsToTxnResult(Structure, kw_only=True):
    """What became of one transaction's partitions."""

    transactional_id: String
    topic_results: Array[AddPartitionsToTxnTopicResult] = []


class AddPartitionsToTxnTopicResult(Structure, kw_only=True):
    """What became of one topic's partitions."""

    name: String
    results_by_partition: Array[AddPartitionsToTxnPartitionResult] = []


class AddPartitionsToTxnPartitionResult(Structure, kw_only=True):
    """What became of one partition: all of a transaction's are added, or none.

    OPERATION_NOT_ATTEMPTED where another partition failed, UNKNOWN_TOPIC_OR_PARTITION,
    TOPIC_AUTHORIZATION_FAILED. The same at every partition: INVALID_PRODUCER_ID_MAPPING,
    PRODUCER_FENCED (before version 2 INVALID_PRODUCER_EPOCH), INVALID_TXN_STATE,
    CONCURRENT_TRANSACTIONS, TRANSACTION_ABORTABLE since version 5, NOT_COORDINATOR,
    COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    partition_error_code: Int16 = 0
