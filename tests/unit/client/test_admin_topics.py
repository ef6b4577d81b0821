"""Topics through a cluster, as its nodes answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.client.address import Address, parse_addresses
from ottla.client.admin_topics import (
    NewTopic,
    TopicOutcome,
    create_topics,
    delete_topics,
    describe_topics,
    list_topics,
    topic_configs,
)
from ottla.client.cluster import Cluster
from ottla.client.errors import NodeUnreachableError
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange
from tests.support.memory_network import MemoryNetwork, scripted
from tests.support.scripted_broker import Answer, ScriptedBroker
from tests.support.stepped_loop import SteppedClock, SteppedLoop

ID = bytes(range(16))


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        loop = SteppedLoop(SteppedClock())
        loop.finish(test(*args, **kwargs))
        loop.close()

    return run


def cluster_of(*brokers: ScriptedBroker | None) -> Cluster:
    """`broker-1` and so on; where None stands, nobody listens."""
    network = MemoryNetwork(asyncio.get_running_loop())
    addresses = [Address(f"broker-{number}", 9092) for number in range(1, len(brokers) + 1)]
    for address, broker in zip(addresses, brokers, strict=True):
        if broker is not None:
            network.listen(address, scripted(broker))
    return Cluster(addresses, connector=network.connect)


def created(request: CreateTopicsRequest) -> Message:
    return CreateTopicsResponse(
        topics=[
            CreatableTopicResult(
                name=topic.name, topic_id=ID, num_partitions=3, replication_factor=1
            )
            for topic in request.topics
        ]
    )


def not_controller(request: CreateTopicsRequest) -> Message:
    return CreateTopicsResponse(
        topics=[
            CreatableTopicResult(name=topic.name, error_code=ErrorCode.NOT_CONTROLLER)
            for topic in request.topics
        ]
    )


@on_loop
async def test_topics_are_created_as_asked() -> None:
    broker = ScriptedBroker({CreateTopicsRequest: created})
    async with cluster_of(broker) as cluster:
        outcomes = await create_topics(
            cluster,
            [
                NewTopic(name="a", partitions=3, configs={"retention.ms": "5"}),
                NewTopic(name="b", assignments={0: [1, 2]}),
            ],
            validate_only=True,
        )
    assert outcomes == [
        TopicOutcome(name=name, topic_id=ID, partitions=3, replication_factor=1)
        for name in ("a", "b")
    ]
    ((request, version),) = broker.asked
    assert isinstance(request, CreateTopicsRequest)
    assert version == CreateTopicsRequest.VERSIONS.max
    assert request.validate_only
    first, second = request.topics
    assert (first.num_partitions, first.replication_factor) == (3, -1)
    assert [(config.name, config.value) for config in first.configs] == [("retention.ms", "5")]
    assert second.assignments[0].broker_ids == [1, 2]


@on_loop
async def test_a_cluster_that_wants_its_controller_gets_it() -> None:
    controller = ScriptedBroker({CreateTopicsRequest: created})
    here = MetadataResponseBroker(node_id=7, host="broker-2", port=9092)
    metadata = MetadataResponse(brokers=[here], controller_id=7)
    answers: dict[type[Message], Answer] = {
        CreateTopicsRequest: not_controller,
        MetadataRequest: lambda request: metadata,
    }
    async with cluster_of(ScriptedBroker(answers), controller) as cluster:
        (outcome,) = await create_topics(cluster, [NewTopic(name="a")])
        assert outcome.error is ErrorCode.NONE
    assert len(controller.asked) == 1


@pytest.mark.parametrize("version", [1, 5, 6])
@on_loop
async def test_topics_are_deleted_by_name_in_every_version(version: int) -> None:
    def deleted(request: DeleteTopicsRequest) -> Message:
        names = request.topic_names or [state.name or "" for state in request.topics]
        return DeleteTopicsResponse(
            responses=[DeletableTopicResult(name=name, error_code=3) for name in names]
        )

    versions = {DeleteTopicsRequest: VersionRange(1, version)}
    broker = ScriptedBroker({DeleteTopicsRequest: deleted}, versions=versions)
    async with cluster_of(broker) as cluster:
        (outcome,) = await delete_topics(cluster, ["a"])
    assert (outcome.name, outcome.error) == ("a", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


@on_loop
async def test_topics_are_listed_and_described_without_creating_any() -> None:
    def metadata(request: MetadataRequest) -> Message:
        assert not request.allow_auto_topic_creation
        partitions = [
            MetadataResponsePartition(
                partition_index=index, leader_id=1, leader_epoch=4, replica_nodes=[1], isr_nodes=[1]
            )
            for index in (1, 0)
        ]
        known = MetadataResponseTopic(name="b", topic_id=ID, partitions=partitions)
        unknown = MetadataResponseTopic(name="a", error_code=3)
        return MetadataResponse(topics=[known, unknown] if request.topics else [known])

    broker = ScriptedBroker({MetadataRequest: metadata})
    async with cluster_of(broker) as cluster:
        (listed,) = await list_topics(cluster)
        unknown, described = await describe_topics(cluster, ["b", "a"])
    assert described == listed
    assert (listed.name, listed.topic_id) == ("b", ID)
    assert [partition.index for partition in listed.partitions] == [0, 1]
    assert listed.partitions[0].leader_epoch == 4
    assert unknown.error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


@on_loop
async def test_settings_of_topics_are_told_by_name() -> None:
    def described(request: DescribeConfigsRequest) -> Message:
        configs = [
            DescribeConfigsResourceResult(name=name, value="1", config_source=5)
            for name in ("z", "a")
        ]
        return DescribeConfigsResponse(
            results=[
                DescribeConfigsResult(
                    resource_type=2,
                    resource_name=resource.resource_name,
                    configs=configs,
                    error_code=3 if resource.resource_name == "nosuch" else 0,
                )
                for resource in request.resources
            ]
        )

    broker = ScriptedBroker({DescribeConfigsRequest: described})
    async with cluster_of(broker) as cluster:
        found = await topic_configs(cluster, ["orders", "nosuch"])
    assert list(found) == ["orders"]
    assert [entry.name for entry in found["orders"]] == ["a", "z"]


@on_loop
async def test_the_next_address_is_taken_where_one_is_silent() -> None:
    broker = ScriptedBroker({MetadataRequest: lambda request: MetadataResponse()})
    async with cluster_of(None, broker) as cluster:
        assert await list_topics(cluster) == []
    async with cluster_of(None) as cluster:
        with pytest.raises(NodeUnreachableError, match="cannot connect"):
            await list_topics(cluster)


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("localhost:9092", [Address("localhost", 9092)]),
        ("a, b:1 ,", [Address("a", 9092), Address("b", 1)]),
        ("PLAINTEXT://a:5,[::1]:7", [Address("a", 5), Address("::1", 7)]),
    ],
)
def test_addresses_are_read(text: str, addresses: list[Address]) -> None:
    assert parse_addresses(text) == addresses


@pytest.mark.parametrize("text", ["", ",", "a:b", "a:0", "a:65536", "a:1:2", ":9092"])
def test_broken_addresses_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match="localhost:9092"):
        parse_addresses(text)
