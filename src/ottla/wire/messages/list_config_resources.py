"""ListConfigResources (key 74): names of everything that has settings of its own (KIP-1142).

Versions: 0 lists subscriptions of client metrics only · 1 lists the types that are asked for.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Message,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=74, versions="0-1", flexible="0+")
class ListConfigResourcesRequest(Message, kw_only=True):
    """The types of the resources that are asked for; none means all."""

    resource_types: Annotated[Array[Int8], since(1)] = []


@message(key=74, versions="0-1", flexible="0+")
class ListConfigResourcesResponse(Message, kw_only=True):
    """The resources, or why not.

    UNSUPPORTED_VERSION for a type that is not listed, CLUSTER_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    config_resources: Array[ListedConfigResource] = []


class ListedConfigResource(Structure, kw_only=True):
    """One resource."""

    resource_name: String
    resource_type: Annotated[Int8, since(1), ignorable] = 16
    """2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group."""
