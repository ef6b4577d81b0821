"""AlterConfigs: what a resource is set to is replaced by what the request says."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.config_alteration import alter
from ottla.broker.handlers import Call, handles
from ottla.metadata.config_change import ConfigChange, ConfigOperation, ResourceChange
from ottla.metadata.image import ConfigResource
from ottla.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)


@handles(AlterConfigsRequest, versions="0-2")
async def alter_configs(
    request: AlterConfigsRequest, call: Call, broker: Broker
) -> AlterConfigsResponse:
    """Each resource is replaced whole, or refused whole."""
    changes = [_change(resource) for resource in request.resources]
    results = await alter(broker, changes, validate_only=request.validate_only, replace_all=True)
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                error_code=result.error_code,
                error_message=result.error_message,
                resource_type=result.resource.type,
                resource_name=result.resource.name,
            )
            for result in results
        ]
    )


def _change(resource: AlterConfigsResource) -> ResourceChange:
    return ResourceChange(
        ConfigResource(resource.resource_type, resource.resource_name),
        [
            ConfigChange(config.name, ConfigOperation.SET, config.value)
            for config in resource.configs
        ],
    )
