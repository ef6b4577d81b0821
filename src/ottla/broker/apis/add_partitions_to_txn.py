"""AddPartitionsToTxn: a client names what its transaction will write to; brokers ask for several.

Clients of transaction version 2 do not use it: their writes add what they write to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.topic_descriptions import is_internal
from ottla.transactions.partitions import Writing
from ottla.transactions.transaction import EPOCH_PER_TRANSACTION
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
)

SINGLE_TRANSACTION_FORM: Final = range(4)
KNOWS_FENCED: Final = 2
"""From this version clients know PRODUCER_FENCED."""
KNOWS_ABORTABLE: Final = 5
"""From this version brokers know TRANSACTION_ABORTABLE."""

Errors = dict[TopicPartition, ErrorCode]


@handles(AddPartitionsToTxnRequest, versions="0-5")
async def add_partitions_to_txn(
    request: AddPartitionsToTxnRequest, call: Call, broker: Broker
) -> AddPartitionsToTxnResponse:
    """Add to, or verify, each transaction by itself: all of its partitions or none."""
    if call.version in SINGLE_TRANSACTION_FORM:
        topics = request.v3_and_below_topics
        writing = Writing(
            request.v3_and_below_transactional_id,
            request.v3_and_below_producer_id,
            request.v3_and_below_producer_epoch,
            _partitions(topics),
        )
        errors = await _added(writing, call.version, broker)
        return AddPartitionsToTxnResponse(results_by_topic_v3_and_below=_results(topics, errors))
    return AddPartitionsToTxnResponse(
        results_by_transaction=[
            AddPartitionsToTxnResult(
                transactional_id=transaction.transactional_id,
                topic_results=_results(
                    transaction.topics, await _of_broker(transaction, call.version, broker)
                ),
            )
            for transaction in request.transactions
        ]
    )


async def _of_broker(
    transaction: AddPartitionsToTxnTransaction, version: int, broker: Broker
) -> Errors:
    writing = Writing(
        transaction.transactional_id,
        transaction.producer_id,
        transaction.producer_epoch,
        _partitions(transaction.topics),
    )
    if not transaction.verify_only:
        return await _added(writing, version, broker)
    errors = await broker.transactions.verify_partitions(writing)
    if version >= KNOWS_ABORTABLE:
        return errors
    return {
        where: ErrorCode.INVALID_TXN_STATE if error is ErrorCode.TRANSACTION_ABORTABLE else error
        for where, error in errors.items()
    }


async def _added(writing: Writing, version: int, broker: Broker) -> Errors:
    by_client = version in SINGLE_TRANSACTION_FORM
    forbidden = [where for where in writing.partitions if by_client and is_internal(where.topic)]
    if forbidden:
        errors = dict.fromkeys(writing.partitions, ErrorCode.OPERATION_NOT_ATTEMPTED)
        return errors | dict.fromkeys(forbidden, ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    unknown = [where for where in writing.partitions if not _exists(where, broker)]
    if unknown:
        errors = dict.fromkeys(writing.partitions, ErrorCode.OPERATION_NOT_ATTEMPTED)
        return errors | dict.fromkeys(unknown, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    error = await broker.transactions.add_partitions(
        writing, version=0 if by_client else EPOCH_PER_TRANSACTION
    )
    if error is ErrorCode.PRODUCER_FENCED and version < KNOWS_FENCED:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return dict.fromkeys(writing.partitions, error)


def _exists(where: TopicPartition, broker: Broker) -> bool:
    return broker.metadata.image.has_partition(where.topic, where.partition)


def _partitions(topics: Iterable[AddPartitionsToTxnTopic]) -> frozenset[TopicPartition]:
    return frozenset(
        TopicPartition(topic.name, index) for topic in topics for index in topic.partitions
    )


def _results(
    topics: Iterable[AddPartitionsToTxnTopic], errors: Errors
) -> list[AddPartitionsToTxnTopicResult]:
    return [
        AddPartitionsToTxnTopicResult(
            name=topic.name,
            results_by_partition=[
                AddPartitionsToTxnPartitionResult(
                    partition_index=index,
                    partition_error_code=errors[TopicPartition(topic.name, index)],
                )
                for index in topic.partitions
            ],
        )
        for topic in topics
    ]
