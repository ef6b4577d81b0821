"""InitProducerId: an id and an epoch for an idempotent or a transactional producer.

The first come from a block in the metadata log, the others from their coordinator.
"""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_PRODUCER
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.transactions.initialising import Takeover
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

KNOWS_FENCED: Final = 4
"""From this version clients know PRODUCER_FENCED."""
NOTHING: Final = -1


@handles(InitProducerIdRequest, versions="0-5")
async def init_producer_id(
    request: InitProducerIdRequest, call: Call, broker: Broker
) -> InitProducerIdResponse:
    """A new id, or the next epoch of a transactional one."""
    if request.transactional_id is None:
        return await _idempotent(broker)
    if (request.producer_id == NO_PRODUCER) != (request.producer_epoch == NOTHING):
        return _refusal(ErrorCode.INVALID_REQUEST)
    answer = await broker.transactions.initialise(
        Takeover(
            request.transactional_id,
            request.transaction_timeout_ms,
            request.producer_id,
            request.producer_epoch,
        )
    )
    error = answer.error
    if error is ErrorCode.PRODUCER_FENCED and call.version < KNOWS_FENCED:
        error = ErrorCode.INVALID_PRODUCER_EPOCH
    return InitProducerIdResponse(
        error_code=error, producer_id=answer.producer_id, producer_epoch=answer.producer_epoch
    )


async def _idempotent(broker: Broker) -> InitProducerIdResponse:
    try:
        producer_id = await broker.metadata.next_producer_id()
    except ProtocolError as refused:
        return _refusal(refused.code)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refusal(error: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=error, producer_id=NOTHING, producer_epoch=NOTHING)
