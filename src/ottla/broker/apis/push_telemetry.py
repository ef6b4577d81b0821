"""PushTelemetry: a client tells its metrics (KIP-714)."""

from __future__ import annotations

import logging

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.client_telemetry import selectors_of
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse

log = logging.getLogger(__name__)


@handles(PushTelemetryRequest, versions="0")
def push_telemetry(
    request: PushTelemetryRequest, call: Call, broker: Broker
) -> PushTelemetryResponse:
    """Keep them, for whoever reads this broker's own."""
    try:
        broker.telemetry.push(request, selectors_of(call.client_id, call.connection))
    except ProtocolError as refused:
        level = logging.WARNING if refused.code is ErrorCode.INVALID_RECORD else logging.DEBUG
        log.log(
            level,
            "metrics of a client were refused: %s",
            refused.message,
            extra={"client_id": call.client_id, "peer": call.connection.peer},
        )
        return PushTelemetryResponse(error_code=refused.code)
    return PushTelemetryResponse()
