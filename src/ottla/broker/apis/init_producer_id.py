"""InitProducerId: an id for an idempotent producer, from a block in the metadata log."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

EPOCH_MAX = 2**15 - 1
NOTHING = -1


@handles(InitProducerIdRequest, versions="0-5")
async def init_producer_id(
    request: InitProducerIdRequest, call: Call, broker: Broker
) -> InitProducerIdResponse:
    """A new id with epoch 0. Transactional producers wait for their coordinator elsewhere."""
    if request.transactional_id == "":
        return _refusal(ErrorCode.INVALID_REQUEST)
    if request.transactional_id is not None:
        return _refusal(ErrorCode.NOT_COORDINATOR)
    try:
        producer_id = await broker.metadata.next_producer_id()
    except ProtocolError as refused:
        return _refusal(refused.code)
    return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refusal(error: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=error, producer_id=NOTHING, producer_epoch=NOTHING)
