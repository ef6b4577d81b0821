"""IncrementalAlterConfigs: settings change key by key while everything runs."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.config_alteration import alter
from ottla.broker.handlers import Call, handles
from ottla.metadata.config_change import ConfigChange, ResourceChange
from ottla.metadata.image import ConfigResource
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResourceResponse,
    IncrementalAlterConfigsResponse,
)


@handles(IncrementalAlterConfigsRequest, versions="0-1")
async def incremental_alter_configs(
    request: IncrementalAlterConfigsRequest, call: Call, broker: Broker
) -> IncrementalAlterConfigsResponse:
    """Each resource changes whole, or is refused whole."""
    changes = [_change(resource) for resource in request.resources]
    results = await alter(broker, changes, validate_only=request.validate_only)
    return IncrementalAlterConfigsResponse(
        responses=[
            IncrementalAlterConfigsResourceResponse(
                error_code=result.error_code,
                error_message=result.error_message,
                resource_type=result.resource.type,
                resource_name=result.resource.name,
            )
            for result in results
        ]
    )


def _change(resource: IncrementalAlterConfigsResource) -> ResourceChange:
    return ResourceChange(
        ConfigResource(resource.resource_type, resource.resource_name),
        [
            ConfigChange(config.name, config.config_operation, config.value)
            for config in resource.configs
        ],
    )
