"""DescribeConfigs (key 32): the settings of topics, brokers, groups and others.

Versions: 1 sources and synonyms (KIP-226) · 3 types and documentation (KIP-569) · 4 flexible.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=32, versions="1-4", flexible="4+")
class DescribeConfigsRequest(Message, kw_only=True):
    """Resources whose settings are asked for."""

    resources: Array[DescribeConfigsResource]
    include_synonyms: Bool = False
    include_documentation: Annotated[Bool, since(3)] = False


class DescribeConfigsResource(Structure, kw_only=True):
    """One resource; its setting names, or null for all."""

    resource_type: Int8
    """2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group."""
    resource_name: String
    configuration_keys: NullableArray[String]


@message(key=32, versions="1-4", flexible="4+")
class DescribeConfigsResponse(Message, kw_only=True):
    """The settings of each resource."""

    throttle_time_ms: Int32 = 0
    results: Array[DescribeConfigsResult] = []


class DescribeConfigsResult(Structure, kw_only=True):
    """The settings of one resource.

    UNKNOWN_TOPIC_OR_PARTITION, INVALID_REQUEST, INVALID_TOPIC_EXCEPTION,
    TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    resource_type: Int8
    resource_name: String
    configs: Array[DescribeConfigsResourceResult] = []


class DescribeConfigsResourceResult(Structure, kw_only=True):
    """One setting."""

    name: String
    value: NullableString = None
    """Null where it is sensitive."""
    read_only: Bool = False
    config_source: Int8 = -1
    """1 topic, 2 this broker, 3 all brokers, 4 the broker's file, 5 default, 6 broker logger,
    7 client metrics, 8 group."""
    is_sensitive: Bool = False
    synonyms: Array[DescribeConfigsSynonym] = []
    config_type: Annotated[Int8, since(3), ignorable] = 0
    """1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class,
    9 password."""
    documentation: Annotated[NullableString, since(3), ignorable] = None


class DescribeConfigsSynonym(Structure, kw_only=True):
    """Where the value could come from, the strongest first."""

    name: String
    value: NullableString = None
    source: Int8
