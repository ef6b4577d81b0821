"""ListConfigResources: the names of everything that may have settings of its own."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.image import MetadataImage, ResourceType
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
    ListedConfigResource,
)

ONLY_CLIENT_METRICS: Final = range(1)
"""Before version 1 a request cannot ask for anything else."""

_LISTED: Final = tuple(kind for kind in ResourceType if kind is not ResourceType.UNKNOWN)


@handles(ListConfigResourcesRequest, versions="0-1")
def list_config_resources(
    request: ListConfigResourcesRequest, call: Call, broker: Broker
) -> ListConfigResourcesResponse:
    """Topics and brokers that exist; subscriptions and groups that are set to something."""
    asked: list[int] = list(dict.fromkeys(request.resource_types)) or list(_LISTED)
    if call.version in ONLY_CLIENT_METRICS:
        asked = [ResourceType.CLIENT_METRICS]
    if not set(asked) <= set(_LISTED):
        return ListConfigResourcesResponse(error_code=ErrorCode.UNSUPPORTED_VERSION)
    return ListConfigResourcesResponse(
        config_resources=[
            ListedConfigResource(resource_name=name, resource_type=kind)
            for kind in asked
            for name in _names(broker.metadata.image, kind)
        ]
    )


def _names(image: MetadataImage, kind: int) -> list[str]:
    match kind:
        case ResourceType.TOPIC:
            return sorted(image.topics_by_name)
        case ResourceType.BROKER | ResourceType.BROKER_LOGGER:
            return [str(node_id) for node_id in sorted(image.brokers)]
        case _:
            return sorted(resource.name for resource in image.configs if resource.type == kind)
