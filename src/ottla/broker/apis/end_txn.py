"""EndTxn: commit or abort a transaction."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.transactions.ending import Ending
from ottla.transactions.transaction import EPOCH_PER_TRANSACTION
from ottla.wire.messages.end_txn import EndTxnRequest, EndTxnResponse

KNOWS_FENCED: Final = 2
"""From this version clients know PRODUCER_FENCED."""
BEGINS_EPOCH: Final = 5
"""From this version the client speaks transaction version 2 (KIP-890)."""


@handles(EndTxnRequest, versions="0-5")
async def end_txn(request: EndTxnRequest, call: Call, broker: Broker) -> EndTxnResponse:
    """Decide the end; markers are written at once where they can be."""
    answer = await broker.transactions.end(
        Ending(
            request.transactional_id,
            request.producer_id,
            request.producer_epoch,
            request.committed,
            version=EPOCH_PER_TRANSACTION if call.version >= BEGINS_EPOCH else 0,
        )
    )
    error = answer.error
    if error is ErrorCode.PRODUCER_FENCED and call.version < KNOWS_FENCED:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return EndTxnResponse(
        error_code=error, producer_id=answer.producer_id, producer_epoch=answer.producer_epoch
    )
