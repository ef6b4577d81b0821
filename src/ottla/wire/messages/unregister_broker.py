"""UnregisterBroker (key 64): forget a broker that is gone for good (KIP-631)."""

from __future__ import annotations

from ottla.wire.schema import (
    Int16,
    Int32,
    Message,
    NullableString,
    message,
)


@message(key=64, versions="0", flexible="0+")
class UnregisterBrokerRequest(Message, kw_only=True):
    """The broker."""

    broker_id: Int32


@message(key=64, versions="0", flexible="0+")
class UnregisterBrokerResponse(Message, kw_only=True):
    """What became of it. BROKER_ID_NOT_REGISTERED, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
