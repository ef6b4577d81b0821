"""AlterConfigs (key 33): replace all settings of a resource.

Versions: 1 throttle-after-reply · 2 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=33, versions="0-2", flexible="2+")
class AlterConfigsRequest(Message, kw_only=True):
    """Resources and all that they shall be set to."""

    resources: Array[AlterConfigsResource]
    validate_only: Bool = False


class AlterConfigsResource(Structure, kw_only=True):
    """One resource: what is not named here falls back to its default."""

    resource_type: Int8
    """2 topic, 4 broker, 16 client metrics, 32 group; broker loggers change key by key only."""
    resource_name: String
    configs: Array[AlterableConfig]


class AlterableConfig(Structure, kw_only=True):
    """One setting."""

    name: String
    value: NullableString
    """Null is refused."""


@message(key=33, versions="0-2", flexible="2+")
class AlterConfigsResponse(Message, kw_only=True):
    """What became of each resource."""

    throttle_time_ms: Int32 = 0
    responses: Array[AlterConfigsResourceResponse] = []


class AlterConfigsResourceResponse(Structure, kw_only=True):
    """What became of one resource.

    INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION,
    INVALID_GROUP_ID, TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED,
    GROUP_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    resource_type: Int8
    resource_name: String
