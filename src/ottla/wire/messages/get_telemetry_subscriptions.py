"""GetTelemetrySubscriptions (key 71): which metrics a client shall push (KIP-714)."""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Uuid,
    message,
)


@message(key=71, versions="0", flexible="0+")
class GetTelemetrySubscriptionsRequest(Message, kw_only=True):
    """Who asks."""

    client_instance_id: Uuid
    """Zero in a client's first request."""


@message(key=71, versions="0", flexible="0+")
class GetTelemetrySubscriptionsResponse(Message, kw_only=True):
    """What is wanted of the client. THROTTLING_QUOTA_EXCEEDED where it asks too early."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    client_instance_id: Uuid = bytes(16)
    """What the client is called from now on."""
    subscription_id: Int32 = 0
    """Another one whenever something else is wanted."""
    accepted_compression_types: Array[Int8] = []
    """As in the attributes of a batch, the preferred one first."""
    push_interval_ms: Int32 = 0
    telemetry_max_bytes: Int32 = 0
    """Of one push, compressed."""
    delta_temporality: Bool = False
    """Whether counters are told as what came since the last push."""
    requested_metrics: Array[String] = []
    """Prefixes of names; "*" alone for all, nothing for none."""
