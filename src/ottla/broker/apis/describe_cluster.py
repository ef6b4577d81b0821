"""DescribeCluster: the brokers and how to reach them (KIP-700)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.authorized_operations import OF_CLUSTER
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.describe_cluster import (
    OPERATIONS_NOT_ASKED,
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

BROKERS = 1
CONTROLLERS = 2


@handles(DescribeClusterRequest, versions="0-2")
def describe_cluster(
    request: DescribeClusterRequest, call: Call, broker: Broker
) -> DescribeClusterResponse:
    """List brokers; controllers have no listener of their own here (KIP-919)."""
    error = _check(request.endpoint_type)
    if error:
        return DescribeClusterResponse(
            error_code=error,
            error_message="this is a broker's listener: ask for brokers (endpoint type 1)",
            cluster_id="",
        )
    asked = request.include_cluster_authorized_operations
    return DescribeClusterResponse(
        endpoint_type=BROKERS,
        cluster_id=broker.cluster_id,
        controller_id=broker.node_id,
        brokers=_brokers(request, call, broker),
        cluster_authorized_operations=OF_CLUSTER if asked else OPERATIONS_NOT_ASKED,
    )


def _check(endpoint_type: int) -> ErrorCode:
    if endpoint_type == BROKERS:
        return ErrorCode.NONE
    if endpoint_type == CONTROLLERS:
        return ErrorCode.MISMATCHED_ENDPOINT_TYPE
    return ErrorCode.UNSUPPORTED_ENDPOINT_TYPE


def _brokers(
    request: DescribeClusterRequest, call: Call, broker: Broker
) -> list[DescribeClusterBroker]:
    described = []
    for image in broker.metadata.image.brokers.values():
        address = broker.addresses.of(image, call.connection)
        if address is None or (image.fenced and not request.include_fenced_brokers):
            continue
        described.append(
            DescribeClusterBroker(
                broker_id=image.node_id,
                host=address.host,
                port=address.port,
                rack=image.rack,
                is_fenced=image.fenced,
            )
        )
    return described
