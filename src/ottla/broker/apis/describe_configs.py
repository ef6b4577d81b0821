"""DescribeConfigs: settings in force, where they come from and what they mean."""

from __future__ import annotations

from collections.abc import Iterator

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.image import ResourceType
from ottla.metadata.names import is_topic_name
from ottla.settings.engine import Change, Layers, Resolved
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
    """Describe each resource by itself; brokers only by themselves."""
    return DescribeConfigsResponse(
        results=[_describe(resource, request, broker) for resource in request.resources]
    )


def _describe(
    resource: DescribeConfigsResource, request: DescribeConfigsRequest, broker: Broker
) -> DescribeConfigsResult:
    try:
        configs = [
            _describe_setting(resolved, resource, request)
            for resolved in _resolved(resource, broker)
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


def _resolved(resource: DescribeConfigsResource, broker: Broker) -> Iterator[Resolved]:
    """The asked settings of a resource. Raises ProtocolError where there is no such resource."""
    layers = _layers(resource, broker)
    asked = None if resource.configuration_keys is None else set(resource.configuration_keys)
    for setting in layers.table:
        if asked is None or setting.name in asked:
            yield layers.resolve(setting)


def _layers(resource: DescribeConfigsResource, broker: Broker) -> Layers:
    name = resource.resource_name
    if resource.resource_type == ResourceType.TOPIC:
        return _topic_layers(name, broker)
    if resource.resource_type == ResourceType.BROKER:
        return _broker_layers(name, broker)
    raise ProtocolError(
        ErrorCode.INVALID_REQUEST,
        f"settings of resource type {resource.resource_type} are not described by this version",
    )


def _topic_layers(name: str, broker: Broker) -> Layers:
    if not is_topic_name(name):
        raise ProtocolError(ErrorCode.INVALID_TOPIC_EXCEPTION, f"no topic can be called {name!r}")
    if name not in broker.metadata.image.topics_by_name:
        raise ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
    return broker.replicas.topic_layers(name, broker.metadata.image)


def _broker_layers(name: str, broker: Broker) -> Layers:
    if name != str(broker.node_id):
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            f"this is node {broker.node_id}: it describes its own settings, not those of {name!r}",
        )
    return broker.settings


def _describe_setting(
    resolved: Resolved, resource: DescribeConfigsResource, request: DescribeConfigsRequest
) -> DescribeConfigsResourceResult:
    setting = resolved.setting
    is_topic = resource.resource_type == ResourceType.TOPIC
    return DescribeConfigsResourceResult(
        name=setting.name,
        value=None if setting.sensitive else resolved.text,
        read_only=not is_topic and setting.change is Change.AT_START,
        config_source=resolved.source,
        is_sensitive=setting.sensitive,
        synonyms=_synonyms(resolved) if request.include_synonyms else [],
        config_type=setting.kind,
        documentation=setting.doc if request.include_documentation else None,
    )


def _synonyms(resolved: Resolved) -> list[DescribeConfigsSynonym]:
    hidden = resolved.setting.sensitive
    return [
        DescribeConfigsSynonym(
            name=place.name, value=None if hidden else place.text, source=place.source
        )
        for place in resolved.chain
    ]
