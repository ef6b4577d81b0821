"""SaslAuthenticate: refused, for a listener without SASL has nothing to ask of its clients."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse


@handles(SaslAuthenticateRequest, versions="0-2")
def sasl_authenticate(
    request: SaslAuthenticateRequest, call: Call, broker: Broker
) -> SaslAuthenticateResponse:
    """As Kafka answers on PLAINTEXT, where a connection is authenticated from its beginning."""
    return SaslAuthenticateResponse(
        error_code=ErrorCode.ILLEGAL_SASL_STATE,
        error_message=f"the listener {call.connection.listener_name} does not use SASL: connect "
        "without it",
    )
