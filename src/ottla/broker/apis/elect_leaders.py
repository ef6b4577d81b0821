"""ElectLeaders: partitions get their preferred leader again, or any leader at all (KIP-460)."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partitions_named import check_partitions_named
from ottla.metadata.elections import decide_elect_leaders, refused_elections
from ottla.wire.messages.elect_leaders import ElectLeadersRequest, ElectLeadersResponse

TELLS_OF_THE_WHOLE: Final = 1
"""From this version the answer has an error of its own, beside those of partitions."""


@handles(ElectLeadersRequest, versions="0-2")
async def elect_leaders(
    request: ElectLeadersRequest, call: Call, broker: Broker
) -> ElectLeadersResponse:
    """Elect in each partition by itself; with none named, in all that need it."""
    check_partitions_named(wanted.partitions for wanted in request.topic_partitions or ())
    try:
        return await broker.metadata.decided(
            lambda image: decide_elect_leaders(image, request, settings=broker.settings)
        )
    except ProtocolError as refused:
        response = refused_elections(request, refused.code, refused.message)
        if call.version < TELLS_OF_THE_WHOLE:
            response.error_code = ErrorCode.NONE
        return response
