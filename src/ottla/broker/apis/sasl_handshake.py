"""SaslHandshake: refused, for a listener without SASL knows its clients as it ever will."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse


@handles(SaslHandshakeRequest, versions="0-1")
def sasl_handshake(
    request: SaslHandshakeRequest, call: Call, broker: Broker
) -> SaslHandshakeResponse:
    """As Kafka answers on PLAINTEXT: no mechanism is enabled, and none is needed."""
    return SaslHandshakeResponse(error_code=ErrorCode.ILLEGAL_SASL_STATE)
