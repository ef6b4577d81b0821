"""PushTelemetry (key 72): a client's metrics (KIP-714)."""

from __future__ import annotations

from ottla.wire.schema import Bool, Bytes, Int8, Int16, Int32, Message, Uuid, message


@message(key=72, versions="0", flexible="0+")
class PushTelemetryRequest(Message, kw_only=True):
    """Metrics as OpenTelemetry's MetricsData."""

    client_instance_id: Uuid
    subscription_id: Int32
    terminating: Bool
    """Whether the client ends: this is its last push."""
    compression_type: Int8
    metrics: Bytes


@message(key=72, versions="0", flexible="0+")
class PushTelemetryResponse(Message, kw_only=True):
    """INVALID_REQUEST, THROTTLING_QUOTA_EXCEEDED, UNKNOWN_SUBSCRIPTION_ID,
    UNSUPPORTED_COMPRESSION_TYPE, TELEMETRY_TOO_LARGE, INVALID_RECORD.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
