"""AddOffsetsToTxn: a transaction is going to commit positions of a group."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.transactions.partitions import Writing
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse

KNOWS_FENCED: Final = 2
"""From this version clients know PRODUCER_FENCED."""


@handles(AddOffsetsToTxnRequest, versions="0-4")
async def add_offsets_to_txn(
    request: AddOffsetsToTxnRequest, call: Call, broker: Broker
) -> AddOffsetsToTxnResponse:
    """Take the group's partition of `__consumer_offsets` into the transaction."""
    try:
        where = await broker.transactions.offsets_partition(request.group_id)
    except ProtocolError as refused:
        return AddOffsetsToTxnResponse(error_code=refused.code)
    error = await broker.transactions.add_partitions(
        Writing(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            frozenset({where}),
        ),
        version=0,
    )
    if error is ErrorCode.PRODUCER_FENCED and call.version < KNOWS_FENCED:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return AddOffsetsToTxnResponse(error_code=error)
