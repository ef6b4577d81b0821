"""TxnOffsetCommit: a group's positions in a producer's transaction; they count when it commits."""

from __future__ import annotations

from typing import Final

from ottla.base.effects import ProducerIdentity
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit
from ottla.transactions.partitions import Writing
from ottla.transactions.transaction import EPOCH_PER_TRANSACTION
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

KNOWS_ABORTABLE: Final = 4
"""From this version clients know TRANSACTION_ABORTABLE."""
ADDS_GROUP: Final = 5
"""From this version the commit takes its group into the transaction by itself (KIP-890)."""


@handles(TxnOffsetCommitRequest, versions="0-5")
async def txn_offset_commit(
    request: TxnOffsetCommitRequest, call: Call, broker: Broker
) -> TxnOffsetCommitResponse:
    """Commit what names a partition that is there; any other error is told at each."""
    wanted = [_wanted(topic, broker) for topic in request.topics]
    known = [offset for topic in wanted for offset in topic if not offset.error_code]
    try:
        await _join_transaction(request, call, broker)
        await broker.groups.commit(
            request.group_id,
            Committer(request.generation_id, request.member_id, request.group_instance_id),
            known,
            version=call.version,
            producer=ProducerIdentity(request.producer_id, request.producer_epoch),
        )
    except ProtocolError as refused:
        for offset in known:
            offset.error_code = refused.code
    return TxnOffsetCommitResponse(
        topics=[
            TxnOffsetCommitResponseTopic(
                name=topic.name,
                partitions=[
                    TxnOffsetCommitResponsePartition(
                        partition_index=offset.partition, error_code=offset.error_code
                    )
                    for offset in offsets
                ],
            )
            for topic, offsets in zip(request.topics, wanted, strict=True)
        ]
    )


async def _join_transaction(request: TxnOffsetCommitRequest, call: Call, broker: Broker) -> None:
    """Take the group into the transaction (KIP-890), or see that it is in it.

    Raises ProtocolError where it is not. What follows this without a wait comes before any marker.
    """
    if not request.group_id:
        raise ProtocolError(ErrorCode.INVALID_GROUP_ID, "the group id is empty")
    where = await broker.transactions.offsets_partition(request.group_id)
    writing = Writing(
        request.transactional_id, request.producer_id, request.producer_epoch, frozenset({where})
    )
    if call.version >= ADDS_GROUP:
        error = await broker.transactions.add_partitions(writing, version=EPOCH_PER_TRANSACTION)
    else:
        error = (await broker.transactions.verify_partitions(writing))[where]
    if not error and not broker.transactions.is_member(writing):
        error = ErrorCode.INVALID_TXN_STATE  # it has ended meanwhile
    if error is ErrorCode.TRANSACTION_ABORTABLE and call.version < KNOWS_ABORTABLE:
        error = ErrorCode.INVALID_TXN_STATE
    if error is ErrorCode.PRODUCER_FENCED:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    if error:
        raise ProtocolError(error, "the transaction does not allow it")


def _wanted(topic: TxnOffsetCommitRequestTopic, broker: Broker) -> list[OffsetToCommit]:
    image = broker.metadata.image
    return [
        OffsetToCommit(
            topic.name,
            asked.partition_index,
            asked.committed_offset,
            asked.committed_leader_epoch,
            asked.committed_metadata,
            ErrorCode.NONE
            if image.has_partition(topic.name, asked.partition_index)
            else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        )
        for asked in topic.partitions
    ]
