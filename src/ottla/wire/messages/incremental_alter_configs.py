"""IncrementalAlterConfigs (key 44): change settings key by key (KIP-339).

Versions: 1 flexible.
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


@message(key=44, versions="0-1", flexible="1+")
class IncrementalAlterConfigsRequest(Message, kw_only=True):
    """Resources and the changes of their settings."""

    resources: Array[IncrementalAlterConfigsResource]
    validate_only: Bool = False


class IncrementalAlterConfigsResource(Structure, kw_only=True):
    """One resource: all its changes happen, or none."""

    resource_type: Int8
    """2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group."""
    resource_name: String
    configs: Array[IncrementalAlterableConfig]


class IncrementalAlterableConfig(Structure, kw_only=True):
    """One change of one setting."""

    name: String
    config_operation: Int8
    """0 set, 1 delete, 2 append to a list, 3 subtract from a list."""
    value: NullableString = None
    """Null where it is deleted."""


@message(key=44, versions="0-1", flexible="1+")
class IncrementalAlterConfigsResponse(Message, kw_only=True):
    """What became of each resource."""

    throttle_time_ms: Int32 = 0
    responses: Array[IncrementalAlterConfigsResourceResponse] = []


class IncrementalAlterConfigsResourceResponse(Structure, kw_only=True):
    """What became of one resource.

    INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION,
    INVALID_GROUP_ID, TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED,
    GROUP_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    resource_type: Int8
    resource_name: String
