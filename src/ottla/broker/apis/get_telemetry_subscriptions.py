"""GetTelemetrySubscriptions: which metrics a client shall push (KIP-714)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.client_telemetry import selectors_of
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)


@handles(GetTelemetrySubscriptionsRequest, versions="0")
def get_telemetry_subscriptions(
    request: GetTelemetrySubscriptionsRequest, call: Call, broker: Broker
) -> GetTelemetrySubscriptionsResponse:
    """Tell a client what the subscriptions that fit it want, and who it is."""
    try:
        return broker.telemetry.subscribe(
            request.client_instance_id, selectors_of(call.client_id, call.connection)
        )
    except ProtocolError as refused:
        return GetTelemetrySubscriptionsResponse(error_code=refused.code)
