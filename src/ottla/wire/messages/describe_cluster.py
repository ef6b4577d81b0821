"""DescribeCluster (key 60): brokers or controllers, and who controls (KIP-700).

Versions: 1 endpoint type (KIP-919) · 2 fenced brokers (KIP-1073).
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
    NullableString,
    String,
    Structure,
    message,
    since,
)

OPERATIONS_NOT_ASKED = -(2**31)
"""The bit field of authorized operations when the client did not ask for it."""


@message(key=60, versions="0-2", flexible="0+")
class DescribeClusterRequest(Message, kw_only=True):
    """What to tell of the cluster."""

    include_cluster_authorized_operations: Bool
    endpoint_type: Annotated[Int8, since(1)] = 1
    """1 brokers, 2 controllers."""
    include_fenced_brokers: Annotated[Bool, since(2)] = False


@message(key=60, versions="0-2", flexible="0+")
class DescribeClusterResponse(Message, kw_only=True):
    """The cluster. MISMATCHED_ENDPOINT_TYPE, UNSUPPORTED_ENDPOINT_TYPE."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    endpoint_type: Annotated[Int8, since(1)] = 1
    """1 brokers, 2 controllers."""
    cluster_id: String
    controller_id: Int32 = -1
    brokers: Array[DescribeClusterBroker] = []
    cluster_authorized_operations: Int32 = OPERATIONS_NOT_ASKED


class DescribeClusterBroker(Structure, kw_only=True):
    """A broker or a controller, at its address."""

    broker_id: Int32
    host: String
    port: Int32
    rack: NullableString = None
    is_fenced: Annotated[Bool, since(2)] = False
