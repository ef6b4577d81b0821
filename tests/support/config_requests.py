"""Requests about configurations, and their answers as tests compare them."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.wire.messages.alter_configs import (
    AlterableConfig,
    AlterConfigsRequest,
    AlterConfigsResource,
    AlterConfigsResourceResponse,
)
from ottla.wire.messages.describe_configs import DescribeConfigsRequest, DescribeConfigsResource
from ottla.wire.messages.incremental_alter_configs import (
    IncrementalAlterableConfig,
    IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResource,
    IncrementalAlterConfigsResourceResponse,
)

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

Change = tuple[str, int, str | None]
"""A key, an operation and a value."""
Resource = tuple[int, str, list[Change]]
"""A type, a name and changes."""
Texts = tuple[int, str, list[tuple[str, str | None]]]
"""A type, a name and all that it shall be set to."""
Answer = IncrementalAlterConfigsResourceResponse | AlterConfigsResourceResponse


def altered(*resources: Resource, validate_only: bool = False) -> IncrementalAlterConfigsRequest:
    """A change of each resource, key by key."""
    return IncrementalAlterConfigsRequest(
        resources=[
            IncrementalAlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[
                    IncrementalAlterableConfig(name=key, config_operation=operation, value=value)
                    for key, operation, value in changes
                ],
            )
            for kind, name, changes in resources
        ],
        validate_only=validate_only,
    )


def replaced(*resources: Texts, validate_only: bool = False) -> AlterConfigsRequest:
    """All that each resource shall be set to."""
    return AlterConfigsRequest(
        resources=[
            AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[AlterableConfig(name=key, value=value) for key, value in texts],
            )
            for kind, name, texts in resources
        ],
        validate_only=validate_only,
    )


def described(kind: int, name: str, keys: list[str] | None = None) -> DescribeConfigsRequest:
    """A question for settings, with their synonyms."""
    resource = DescribeConfigsResource(
        resource_type=kind, resource_name=name, configuration_keys=keys
    )
    return DescribeConfigsRequest(resources=[resource], include_synonyms=True)


def codes(answers: Iterable[Answer]) -> list[int]:
    """The error of each resource."""
    return [answer.error_code for answer in answers]
