"""Settings of topics, brokers, groups and what else has some."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from ottla.client.admin.asking import Asking
from ottla.client.admin.config_changes import (
    Change,
    changed_whole,
    operation_of,
)
from ottla.client.admin.config_entries import (
    ConfigEntry,
    ConfigResource,
    ResourceType,
    entry_of,
    resource_of,
)
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.outcomes import Answers, Outcomes, check, left_out, verdict
from ottla.client.admin.routes import ToBrokers
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResponse,
)
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResponse,
)
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)

Settings = Mapping[str, ConfigEntry]
"""By name, in order."""

_TYPES_SINCE: Final = 1
"""Before that ListConfigResources was about client metrics alone."""


class Configs:
    """`admin.configs`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self,
        *resources: ConfigResource,
        names: Collection[str] | None = None,
        synonyms: bool = False,
        documentation: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[ConfigResource, Settings]:
        """Settings in force and where they come from; all where `names` is None.

        `synonyms` tells where else each value is set, `documentation` (Kafka 2.6) what it means.
        """

        async def ask(
            node: Connection, items: Sequence[ConfigResource]
        ) -> Answers[ConfigResource, Settings]:
            return await _describe(
                node, items, names=names, synonyms=synonyms, documentation=documentation
            )

        route = ToBrokers(self._asking.cluster, _broker_of)
        return await self._asking.each(resources, route, ask, timeout_s=timeout_s)

    async def alter(
        self,
        changes: Mapping[ConfigResource, Mapping[str, Change]],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[ConfigResource, None]:
        """Change single settings: to a text, with None back to the default, by `Append` and
        `Subtract` in a list. All that is not named stays, and a resource changes whole or not.

        A broker older than Kafka 2.3 can only set all settings of a resource: they are read first,
        and what another client sets between both is lost.
        """

        async def ask(
            node: Connection, items: Sequence[ConfigResource]
        ) -> Answers[ConfigResource, None]:
            wanted = {item: changes[item] for item in items}
            if node.speaks(IncrementalAlterConfigsRequest):
                return await _alter(node, wanted, validate_only=validate_only)
            return await _alter_whole(node, wanted, validate_only=validate_only)

        route = ToBrokers(self._asking.cluster, _broker_of)
        return await self._asking.each(changes, route, ask, timeout_s=timeout_s)

    async def list_resources(
        self, *types: ResourceType, timeout_s: float | None = None
    ) -> tuple[ConfigResource, ...]:
        """What has settings of its own: of these types, or all.

        Brokers before Kafka 4.1 list only CLIENT_METRICS, those before 3.7 nothing.
        """
        wanted = frozenset(types)

        async def ask(node: Connection) -> tuple[ConfigResource, ...]:
            version = node.version_of(ListConfigResourcesRequest)
            if version < _TYPES_SINCE and wanted != {ResourceType.CLIENT_METRICS}:
                raise UnsupportedByBrokerError(
                    f"{node.address} lists CLIENT_METRICS alone: it takes "
                    f"ListConfigResourcesRequest up to version {version}"
                )
            request = ListConfigResourcesRequest(
                resource_types=sorted(wanted) if version >= _TYPES_SINCE else []
            )
            response = await node.call(request, ListConfigResourcesResponse)
            check(response.error_code, None, "resources with settings")
            return tuple(
                sorted(
                    resource_of(told.resource_type, told.resource_name)
                    for told in response.config_resources
                )
            )

        return await self._asking.any_one(ask, about="the list of resources", timeout_s=timeout_s)


def _broker_of(resource: ConfigResource) -> int | None:
    """The broker that has to be asked; None where any can be."""
    of_one_broker = resource.type in (ResourceType.BROKER, ResourceType.BROKER_LOGGER)
    return int(resource.name) if of_one_broker and resource.name.isdecimal() else None


async def _describe(
    node: Connection,
    items: Collection[ConfigResource],
    *,
    names: Collection[str] | None = None,
    synonyms: bool = False,
    documentation: bool = False,
) -> dict[ConfigResource, Settings | RefusedError]:
    keys = None if names is None else sorted(names)
    request = DescribeConfigsRequest(
        resources=[
            DescribeConfigsResource(
                resource_type=item.type, resource_name=item.name, configuration_keys=keys
            )
            for item in items
        ],
        include_synonyms=synonyms,
        include_documentation=documentation,
    )
    response = await node.call(request, DescribeConfigsResponse)
    return {
        (item := resource_of(told.resource_type, told.resource_name)): verdict(
            told.error_code,
            told.error_message,
            item,
            {
                entry.name: entry
                for entry in sorted(map(entry_of, told.configs), key=lambda entry: entry.name)
            },
        )
        for told in response.results
    }


async def _alter(
    node: Connection,
    wanted: Mapping[ConfigResource, Mapping[str, Change]],
    *,
    validate_only: bool,
) -> Answers[ConfigResource, None]:
    request = IncrementalAlterConfigsRequest(
        resources=[
            IncrementalAlterConfigsResource(
                resource_type=item.type,
                resource_name=item.name,
                configs=[
                    IncrementalAlterableConfig(name=name, config_operation=operation, value=value)
                    for name, change in changes.items()
                    for operation, value in [operation_of(change)]
                ],
            )
            for item, changes in wanted.items()
        ],
        validate_only=validate_only,
    )
    response = await node.call(request, IncrementalAlterConfigsResponse)
    return {
        (item := resource_of(told.resource_type, told.resource_name)): verdict(
            told.error_code, told.error_message, item, None
        )
        for told in response.responses
    }


async def _alter_whole(
    node: Connection,
    wanted: Mapping[ConfigResource, Mapping[str, Change]],
    *,
    validate_only: bool,
) -> Answers[ConfigResource, None]:
    described = await _describe(node, wanted)
    answers: dict[ConfigResource, RefusedError | UnsupportedByBrokerError | None] = {}
    resources = []
    for item, changes in wanted.items():
        whole = _whole(item, described.get(item), changes)
        if isinstance(whole, RefusedError | UnsupportedByBrokerError):
            answers[item] = whole
        else:
            resources.append(whole)
    if resources:
        request = AlterConfigsRequest(resources=resources, validate_only=validate_only)
        response = await node.call(request, AlterConfigsResponse)
        for told in response.responses:
            item = resource_of(told.resource_type, told.resource_name)
            answers[item] = verdict(told.error_code, told.error_message, item, None)
    return answers


def _whole(
    item: ConfigResource, settings: Settings | RefusedError | None, changes: Mapping[str, Change]
) -> AlterConfigsResource | RefusedError | UnsupportedByBrokerError:
    """All that is set on a resource with these changes, or why that cannot be said."""
    if settings is None:
        return left_out(item)
    if isinstance(settings, RefusedError):
        return settings
    try:
        whole = changed_whole(item, settings, changes)
    except UnsupportedByBrokerError as error:
        return error
    configs = [AlterableConfig(name=name, value=value) for name, value in whole.items()]
    return AlterConfigsResource(resource_type=item.type, resource_name=item.name, configs=configs)
