"""Topics of any Kafka-compatible cluster: create, list, describe, delete.

A refusal of one topic is a value in the answer, since the others may have succeeded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.client.cluster import Cluster
from ottla.client.connection import Connection
from ottla.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)

T = TypeVar("T")

USE_DEFAULT: Final = -1
"""As a number of partitions or replicas: what the broker is set to."""

_TIMEOUT_MS: Final = 30_000
_TOPIC: Final = 2
_NAMES_ONLY: Final = range(6)
"""Versions of DeleteTopics that know no ids."""


class NewTopic(Struct, frozen=True, kw_only=True):
    """A topic to create; with `assignments` (replicas by partition) the numbers stay -1."""

    name: str
    partitions: int = USE_DEFAULT
    replication_factor: int = USE_DEFAULT
    configs: Mapping[str, str] = {}
    assignments: Mapping[int, Sequence[int]] = {}


class TopicOutcome(Struct, frozen=True, kw_only=True):
    """What became of one topic; `error` is NONE where it was done."""

    name: str
    topic_id: bytes = ZERO_UUID
    error: ErrorCode = ErrorCode.NONE
    message: str | None = None
    partitions: int = -1
    replication_factor: int = -1


class PartitionDescription(Struct, frozen=True, kw_only=True):
    """One partition as the cluster tells it; leader -1 for none."""

    index: int
    leader: int
    leader_epoch: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    offline: tuple[int, ...]


class TopicDescription(Struct, frozen=True, kw_only=True):
    """One topic as the cluster tells it; without partitions where `error` says why."""

    name: str
    topic_id: bytes
    is_internal: bool
    partitions: tuple[PartitionDescription, ...]
    error: ErrorCode = ErrorCode.NONE


class ConfigEntry(Struct, frozen=True, kw_only=True):
    """One setting in force; `source` by the protocol's numbers (1: set on the topic itself)."""

    name: str
    value: str | None
    source: int
    is_sensitive: bool


async def create_topics(
    cluster: Cluster, topics: Sequence[NewTopic], *, validate_only: bool = False
) -> list[TopicOutcome]:
    """Create, or with `validate_only` only ask whether it would be done. Raises NodeError."""
    request = CreateTopicsRequest(
        topics=[_creatable(topic) for topic in topics],
        timeout_ms=_TIMEOUT_MS,
        validate_only=validate_only,
    )

    async def ask(node: Connection) -> list[TopicOutcome]:
        response = await node.call(request, CreateTopicsResponse)
        return [
            TopicOutcome(
                name=result.name,
                topic_id=result.topic_id,
                error=ErrorCode(result.error_code),
                message=result.error_message,
                partitions=result.num_partitions,
                replication_factor=result.replication_factor,
            )
            for result in response.topics
        ]

    return await _at_controller(cluster, ask)


def _creatable(topic: NewTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(replicas))
            for index, replicas in topic.assignments.items()
        ],
        configs=[
            CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()
        ],
    )


async def delete_topics(cluster: Cluster, names: Sequence[str]) -> list[TopicOutcome]:
    """Delete by name. Raises NodeError."""

    async def ask(node: Connection) -> list[TopicOutcome]:
        if node.version_of(DeleteTopicsRequest) in _NAMES_ONLY:
            request = DeleteTopicsRequest(topic_names=list(names), timeout_ms=_TIMEOUT_MS)
        else:
            states = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in names]
            request = DeleteTopicsRequest(topics=states, timeout_ms=_TIMEOUT_MS)
        response = await node.call(request, DeleteTopicsResponse)
        return [
            TopicOutcome(
                name=result.name or "",
                topic_id=result.topic_id,
                error=ErrorCode(result.error_code),
                message=result.error_message,
            )
            for result in response.responses
        ]

    return await _at_controller(cluster, ask)


async def _at_controller(
    cluster: Cluster, ask: Callable[[Connection], Awaitable[list[TopicOutcome]]]
) -> list[TopicOutcome]:
    """Ask any node, which passes it on; an older cluster wants its controller to be asked."""
    outcomes = await ask(await cluster.any_node())
    if any(outcome.error is ErrorCode.NOT_CONTROLLER for outcome in outcomes):
        outcomes = await ask(await cluster.controller())
    return outcomes


async def list_topics(cluster: Cluster) -> list[TopicDescription]:
    """All topics, by name. Raises NodeError."""
    return await _metadata(cluster, None)


async def describe_topics(cluster: Cluster, names: Sequence[str]) -> list[TopicDescription]:
    """These topics, by name; an unknown one with its error. Creates none. Raises NodeError."""
    return await _metadata(cluster, [MetadataRequestTopic(name=name) for name in names])


async def _metadata(
    cluster: Cluster, topics: list[MetadataRequestTopic] | None
) -> list[TopicDescription]:
    request = MetadataRequest(topics=topics, allow_auto_topic_creation=False)
    response = await (await cluster.any_node()).call(request, MetadataResponse)
    return sorted(map(_described, response.topics), key=lambda topic: topic.name)


def _described(topic: MetadataResponseTopic) -> TopicDescription:
    partitions = [
        PartitionDescription(
            index=partition.partition_index,
            leader=partition.leader_id,
            leader_epoch=partition.leader_epoch,
            replicas=tuple(partition.replica_nodes),
            isr=tuple(partition.isr_nodes),
            offline=tuple(partition.offline_replicas),
        )
        for partition in topic.partitions
    ]
    return TopicDescription(
        name=topic.name or "",
        topic_id=topic.topic_id,
        is_internal=topic.is_internal,
        partitions=tuple(sorted(partitions, key=lambda partition: partition.index)),
        error=ErrorCode(topic.error_code),
    )


async def topic_configs(cluster: Cluster, names: Sequence[str]) -> dict[str, list[ConfigEntry]]:
    """Settings in force of these topics; those that cannot be described are left out."""
    resources = [
        DescribeConfigsResource(resource_type=_TOPIC, resource_name=name, configuration_keys=None)
        for name in names
    ]
    request = DescribeConfigsRequest(resources=resources)
    response = await (await cluster.any_node()).call(request, DescribeConfigsResponse)
    return {
        result.resource_name: sorted(map(_entry, result.configs), key=lambda entry: entry.name)
        for result in response.results
        if not result.error_code
    }


def _entry(config: DescribeConfigsResourceResult) -> ConfigEntry:
    return ConfigEntry(
        name=config.name,
        value=config.value,
        source=config.config_source,
        is_sensitive=config.is_sensitive,
    )
