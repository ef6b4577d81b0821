"""DescribeConfigs: settings in force, where they come from and what they mean."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.config_descriptions import Description, descriptions
from ottla.broker.handlers import Call, handles
from ottla.metadata.image import ConfigResource
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)


@handles(DescribeConfigsRequest, versions="1-4")
def describe_configs(
    request: DescribeConfigsRequest, call: Call, broker: Broker
) -> DescribeConfigsResponse:
    """Describe each resource by itself; a broker only by itself."""
    return DescribeConfigsResponse(
        results=[_describe(resource, request, broker) for resource in request.resources]
    )


def _describe(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, broker: Broker
) -> DescribeConfigsResult:
    asked = set(resource.configuration_keys or ())  # an empty list asks for all, as null does
    named = ConfigResource(resource.resource_type, resource.resource_name)
    try:
        configs = [
            _answer(told, request)
            for told in descriptions(named, broker)
            if not asked or told.name in asked
        ]
    except ProtocolError as refused:
        return DescribeConfigsResult(
            error_code=refused.code,
            error_message=refused.message,
            resource_type=resource.resource_type,
            resource_name=resource.resource_name,
        )
    return DescribeConfigsResult(
        resource_type=resource.resource_type, resource_name=resource.resource_name, configs=configs
    )


def _answer(told: Description, request: DescribeConfigsRequest) -> DescribeConfigsResourceResult:
    return DescribeConfigsResourceResult(
        name=told.name,
        value=None if told.is_sensitive else told.text,
        read_only=told.is_read_only,
        config_source=told.source,
        is_sensitive=told.is_sensitive,
        synonyms=_synonyms(told) if request.include_synonyms else [],
        config_type=told.kind,
        documentation=told.doc if request.include_documentation else None,
    )


def _synonyms(told: Description) -> list[DescribeConfigsSynonym]:
    return [
        DescribeConfigsSynonym(
            name=place.name,
            value=None if told.is_sensitive else place.text,
            source=place.source,
        )
        for place in told.chain
    ]
