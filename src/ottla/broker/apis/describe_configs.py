"""DescribeConfigs: settings in force, where they come from and what they mean."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from ottla.base.errors import ProtocolError
from ottla.base.limits import CONFIG_RESOURCES_DESCRIBED_MAX, CONFIG_RESOURCES_DESCRIBED_PER_TURN
from ottla.broker.broker import Broker
from ottla.broker.config_descriptions import Description, descriptions
from ottla.broker.handlers import Call, handles
from ottla.broker.own_facts import own_facts
from ottla.metadata.config_change import bad_request
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
    DescribeConfigsSynonym,
)


@handles(DescribeConfigsRequest, versions="1-4")
async def describe_configs(
    request: DescribeConfigsRequest, call: Call, broker: Broker
) -> DescribeConfigsResponse:
    """Describe each resource by itself; a broker only by itself.

    One that is named several times is told once, with all the keys that are asked of it.
    """
    asked = _asked(request)
    others = sum(resource.type != ResourceType.TOPIC for resource in asked)
    if others > CONFIG_RESOURCES_DESCRIBED_MAX:
        refusal = bad_request(
            f"{others} resources are too many: beside topics ask for "
            f"{CONFIG_RESOURCES_DESCRIBED_MAX} at once"
        )
        return DescribeConfigsResponse(results=[_refused(named, refusal) for named in asked])
    results = []
    for named, keys in asked.items():
        results.append(_describe(named, keys, request, broker))
        if len(results) % CONFIG_RESOURCES_DESCRIBED_PER_TURN == 0:
            await asyncio.sleep(0)
    return DescribeConfigsResponse(results=results)


def _asked(request: DescribeConfigsRequest) -> Mapping[ConfigResource, Collection[str] | None]:
    """The keys asked of each resource; None for all, as an empty list means, too."""
    asked: dict[ConfigResource, set[str] | None] = {}
    for resource in request.resources:
        named = ConfigResource(resource.resource_type, resource.resource_name)
        keys = asked.setdefault(named, set())
        if keys is not None and resource.configuration_keys:
            keys.update(resource.configuration_keys)
        else:
            asked[named] = None
    return asked


def _describe(
    named: ConfigResource,
    keys: Collection[str] | None,
    request: DescribeConfigsRequest,
    broker: Broker,
) -> DescribeConfigsResult:
    try:
        configs = [
            _answer(told, request)
            for told in descriptions(named, broker)
            if keys is None or told.name in keys
        ]
        configs += [_answer(told, request) for told in own_facts(named, keys or (), broker)]
    except ProtocolError as refused:
        return _refused(named, refused)
    return DescribeConfigsResult(
        resource_type=named.type, resource_name=named.name, configs=configs
    )


def _refused(named: ConfigResource, error: ProtocolError) -> DescribeConfigsResult:
    return DescribeConfigsResult(
        error_code=error.code,
        error_message=error.message,
        resource_type=named.type,
        resource_name=named.name,
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
