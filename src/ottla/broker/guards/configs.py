"""Settings: a right to the topic, to the group, or for all else to the cluster."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ottla.base.errors import ErrorCode
from ottla.broker.authorizer import Access
from ottla.broker.guard import Gate, apart, guards
from ottla.metadata.image import ResourceType
from ottla.security.acl import Operation
from ottla.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

OF_THE_CLUSTER = frozenset(
    {ResourceType.BROKER, ResourceType.BROKER_LOGGER, ResourceType.CLIENT_METRICS}
)


def _error(access: Access, operation: Operation, resource_type: int, name: str) -> ErrorCode:
    """NONE where it is allowed, and for what has no settings: the handler says so."""
    if resource_type == ResourceType.TOPIC and not access.to_topic(operation, name):
        return ErrorCode.TOPIC_AUTHORIZATION_FAILED
    if resource_type == ResourceType.GROUP and not access.to_group(operation, name):
        return ErrorCode.GROUP_AUTHORIZATION_FAILED
    if resource_type in OF_THE_CLUSTER and not access.to_cluster(operation):
        return ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    return ErrorCode.NONE


@guards(DescribeConfigsRequest)
async def describe_configs(
    request: DescribeConfigsRequest,
    gate: Gate[DescribeConfigsRequest, DescribeConfigsResponse],
) -> DescribeConfigsResponse:
    def error(resource_type: int, name: str) -> ErrorCode:
        return _error(gate.access, Operation.DESCRIBE_CONFIGS, resource_type, name)

    request.resources, refused = apart(
        request.resources, lambda each: not error(each.resource_type, each.resource_name)
    )
    response = await gate.serve(request)
    response.results += [
        DescribeConfigsResult(
            error_code=error(resource_type, name), resource_type=resource_type, resource_name=name
        )
        for resource_type, name in dict.fromkeys(
            (each.resource_type, each.resource_name) for each in refused
        )
    ]
    return response


class _Named(Protocol):
    """What both forms of a change say of its resource."""

    resource_type: int
    resource_name: str


Changed = TypeVar("Changed", bound=_Named)


def _alterable(
    resources: Iterable[Changed], access: Access
) -> tuple[list[Changed], list[tuple[Changed, ErrorCode]]]:
    """Those whose settings may be changed; the others, and why not."""
    allowed: list[Changed] = []
    refused: list[tuple[Changed, ErrorCode]] = []
    for each in resources:
        error = _error(access, Operation.ALTER_CONFIGS, each.resource_type, each.resource_name)
        if error:
            refused.append((each, error))
        else:
            allowed.append(each)
    return allowed, refused


@guards(AlterConfigsRequest)
async def alter_configs(
    request: AlterConfigsRequest, gate: Gate[AlterConfigsRequest, AlterConfigsResponse]
) -> AlterConfigsResponse:
    request.resources, refused = _alterable(request.resources, gate.access)
    response = await gate.serve(request)
    response.responses += [
        AlterConfigsResourceResponse(
            error_code=error,
            resource_type=each.resource_type,
            resource_name=each.resource_name,
        )
        for each, error in refused
    ]
    return response


@guards(IncrementalAlterConfigsRequest)
async def incremental_alter_configs(
    request: IncrementalAlterConfigsRequest,
    gate: Gate[IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse],
) -> IncrementalAlterConfigsResponse:
    request.resources, refused = _alterable(request.resources, gate.access)
    response = await gate.serve(request)
    response.responses += [
        IncrementalAlterConfigsResourceResponse(
            error_code=error,
            resource_type=each.resource_type,
            resource_name=each.resource_name,
        )
        for each, error in refused
    ]
    return response


@guards(ListConfigResourcesRequest)
async def list_config_resources(
    request: ListConfigResourcesRequest,
    gate: Gate[ListConfigResourcesRequest, ListConfigResourcesResponse],
) -> ListConfigResourcesResponse:
    if not gate.access.to_cluster(Operation.DESCRIBE_CONFIGS):
        return ListConfigResourcesResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
    return await gate.serve(request)
