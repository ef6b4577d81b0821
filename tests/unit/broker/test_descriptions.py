"""DescribeCluster, DescribeTopicPartitions, DescribeConfigs and FindCoordinator."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.broker.authorized_operations import OF_CLUSTER
from ottla.broker.config_descriptions import ONLY_WHERE_SET
from ottla.settings import broker as broker_settings
from ottla.settings import topic as topic_settings
from ottla.wire.messages.describe_cluster import (
    OPERATIONS_NOT_ASKED,
    DescribeClusterRequest,
    DescribeClusterResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    TopicRequest,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect, StartBroker

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
DYNAMIC_TOPIC, STATIC_BROKER, DEFAULT = 1, 4, 5


# -- DescribeCluster -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(3))
def test_the_cluster_is_told_with_the_address_that_the_client_has_reached(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=False)
    response = client.ask(request, DescribeClusterResponse, version=version)
    assert response.error_code == ErrorCode.NONE
    assert (response.cluster_id, response.controller_id) == (broker.broker.cluster_id, 1)
    assert response.cluster_authorized_operations == OPERATIONS_NOT_ASKED
    (node,) = response.brokers
    assert (node.broker_id, node.host, node.port, node.is_fenced) == (1, "127.0.0.1", 9092, False)


def test_operations_are_told_where_they_are_asked_for(client: Client) -> None:
    request = DescribeClusterRequest(include_cluster_authorized_operations=True)
    response = client.ask(request, DescribeClusterResponse)
    assert response.cluster_authorized_operations == OF_CLUSTER


@pytest.mark.parametrize("fenced", [False, True])
def test_nodes_that_are_down_are_told_where_they_are_asked_for(
    make_broker: StartBroker, connect: Connect, fenced: bool
) -> None:
    broker = make_broker()
    broker.add_broker(2, [("PLAINTEXT", "two.example.net", 9092)], up=False)
    client = connect(broker.start())
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=False, include_fenced_brokers=fenced
    )
    response = client.ask(request, DescribeClusterResponse)
    told = {node.broker_id: node.is_fenced for node in response.brokers}
    assert told == ({1: False, 2: True} if fenced else {1: False})


@pytest.mark.parametrize(
    ("endpoint_type", "error"),
    [(2, ErrorCode.MISMATCHED_ENDPOINT_TYPE), (9, ErrorCode.UNSUPPORTED_ENDPOINT_TYPE)],
)
def test_a_brokers_listener_tells_of_brokers_only(
    client: Client, endpoint_type: int, error: ErrorCode
) -> None:
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=False, endpoint_type=endpoint_type
    )
    response = client.ask(request, DescribeClusterResponse)
    assert (response.error_code, response.brokers) == (error, [])
    assert response.error_message


# -- DescribeTopicPartitions -----------------------------------------------------------------------

Page = list[tuple[str, list[int]]]


def page(
    client: Client, *names: str, limit: int = 2000, cursor: tuple[str, int] | None = None
) -> tuple[Page, tuple[str, int] | None]:
    """Topics with their partitions, and where the next page begins."""
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name=name) for name in names],
        response_partition_limit=limit,
        cursor=None if cursor is None else Cursor(topic_name=cursor[0], partition_index=cursor[1]),
    )
    response = client.ask(request, DescribeTopicPartitionsResponse)
    topics = [
        (topic.name or "", [part.partition_index for part in topic.partitions])
        for topic in response.topics
    ]
    following = response.next_cursor
    if following is None:
        return topics, None
    return topics, (following.topic_name, following.partition_index)


@pytest.fixture
def three_topics(broker: MemoryBroker) -> None:
    for name, partitions in (("c", 2), ("a", 3), ("b", 1)):
        broker.create_topic(name, partitions)


@pytest.mark.usefixtures("three_topics")
def test_all_topics_are_told_in_the_order_of_their_names(client: Client) -> None:
    assert page(client) == ([("a", [0, 1, 2]), ("b", [0]), ("c", [0, 1])], None)


@pytest.mark.usefixtures("three_topics")
def test_only_the_topics_that_are_asked_for_are_told(client: Client) -> None:
    assert page(client, "c", "a", "c") == ([("a", [0, 1, 2]), ("c", [0, 1])], None)


@pytest.mark.usefixtures("three_topics")
@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6])
def test_pages_together_are_the_whole_whatever_their_size(client: Client, limit: int) -> None:
    found: list[tuple[str, int]] = []
    cursor: tuple[str, int] | None = None
    pages = 0
    while cursor is not None or pages == 0:
        topics, cursor = page(client, limit=limit, cursor=cursor)
        on_page = [(name, index) for name, indexes in topics for index in indexes]
        assert 0 < len(on_page) <= limit
        found += on_page
        pages += 1
    assert found == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("c", 0), ("c", 1)]
    assert pages == -(-6 // limit)


def test_the_brokers_own_limit_bounds_a_page(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(max_request_partition_size_limit="2")
    broker.create_topic("a", 3)
    assert page(connect(broker)) == ([("a", [0, 1])], ("a", 2))


@pytest.mark.usefixtures("three_topics")
@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_nothing_is_one(client: Client, limit: int) -> None:
    assert page(client, limit=limit) == ([("a", [0])], ("a", 1))


@pytest.mark.usefixtures("three_topics")
def test_a_cursor_at_a_topic_that_is_gone_goes_on_with_the_next(client: Client) -> None:
    assert page(client, cursor=("aa", 7)) == ([("b", [0]), ("c", [0, 1])], None)


@pytest.mark.usefixtures("three_topics")
def test_a_cursor_behind_the_last_partition_goes_on_with_the_next_topic(client: Client) -> None:
    assert page(client, cursor=("a", 99)) == ([("a", []), ("b", [0]), ("c", [0, 1])], None)


def test_unknown_and_impossible_names_have_each_their_code(client: Client) -> None:
    request = DescribeTopicPartitionsRequest(
        topics=[TopicRequest(name="nosuch"), TopicRequest(name="a/b")]
    )
    response = client.ask(request, DescribeTopicPartitionsResponse)
    assert [(topic.name, topic.error_code) for topic in response.topics] == [
        ("a/b", ErrorCode.INVALID_TOPIC_EXCEPTION),
        ("nosuch", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]


# -- DescribeConfigs -------------------------------------------------------------------------------


def describe(
    client: Client,
    resource_type: int,
    name: str,
    *keys: str,
    version: int = 4,
    synonyms: bool = False,
    documentation: bool = False,
) -> DescribeConfigsResult:
    resource = DescribeConfigsResource(
        resource_type=resource_type, resource_name=name, configuration_keys=list(keys) or None
    )
    request = DescribeConfigsRequest(
        resources=[resource], include_synonyms=synonyms, include_documentation=documentation
    )
    (result,) = client.ask(request, DescribeConfigsResponse, version=version).results
    assert (result.resource_type, result.resource_name) == (resource_type, name)
    return result


def one(result: DescribeConfigsResult) -> DescribeConfigsResourceResult:
    assert result.error_code == ErrorCode.NONE
    (config,) = result.configs
    return config


@pytest.mark.parametrize("version", range(1, 5))
def test_a_topic_has_all_its_settings(broker: MemoryBroker, client: Client, version: int) -> None:
    broker.create_topic("orders")
    result = describe(client, TOPIC, "orders", version=version)
    assert {config.name for config in result.configs} == {
        setting.name for setting in topic_settings.SETTINGS
    }


def test_a_value_is_told_with_its_source(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(log_retention_ms="7200000")
    client = connect(broker)
    broker.create_topic("orders", segment_ms="5000")
    told = {
        config.name: (config.value, config.config_source, config.read_only)
        for config in describe(client, TOPIC, "orders").configs
    }
    assert told["segment.ms"] == ("5000", DYNAMIC_TOPIC, False)
    assert told["retention.ms"] == ("7200000", STATIC_BROKER, False)
    assert told["cleanup.policy"] == ("delete", DEFAULT, False)


def test_synonyms_are_every_place_that_gives_a_value(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(log_retention_ms="7200000", log_retention_hours="2")
    client = connect(broker)
    broker.create_topic("orders", retention_ms="5000")
    config = one(describe(client, TOPIC, "orders", "retention.ms", synonyms=True))
    assert [(place.name, place.value, place.source) for place in config.synonyms] == [
        ("retention.ms", "5000", DYNAMIC_TOPIC),
        ("log.retention.ms", "7200000", STATIC_BROKER),
        ("log.retention.hours", "2", STATIC_BROKER),
        ("log.retention.hours", "168", DEFAULT),
    ]
    assert one(describe(client, TOPIC, "orders", "retention.ms")).synonyms == []


def test_a_stand_in_in_other_units_alone_is_no_place_of_a_topics_setting_as_in_kafka(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(log_retention_hours="2")
    client = connect(broker)
    broker.create_topic("orders", segment_ms="5000")
    for name, value, places in (
        ("retention.ms", "7200000", []),
        ("segment.ms", "5000", ["segment.ms"]),
        ("remote.storage.enable", "false", []),
        ("cleanup.policy", "delete", ["log.cleanup.policy"]),
    ):
        config = one(describe(client, TOPIC, "orders", name, synonyms=True))
        assert (config.value, [place.name for place in config.synonyms]) == (value, places)
        assert config.config_source == (DYNAMIC_TOPIC if name in places else DEFAULT)


def test_types_and_documentation_are_told_from_version_3_on(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    config = one(describe(client, TOPIC, "orders", "segment.bytes", documentation=True))
    assert config.config_type == topic_settings.SEGMENT_BYTES.kind
    assert config.documentation == topic_settings.SEGMENT_BYTES.doc
    assert one(describe(client, TOPIC, "orders", "segment.bytes")).documentation is None
    assert one(describe(client, TOPIC, "orders", "segment.bytes", version=2)).config_type == 0


def test_only_known_keys_of_those_asked_for_are_told(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    result = describe(client, TOPIC, "orders", "nosuch", "retention.ms")
    assert one(result).name == "retention.ms"


def test_a_broker_tells_its_own_settings(start_broker: StartBroker, connect: Connect) -> None:
    client = connect(start_broker(num_partitions="7"))
    result = describe(client, BROKER, "1")
    assert len(result.configs) == len(broker_settings.SETTINGS) - len(ONLY_WHERE_SET)
    told = {config.name: config for config in result.configs}
    assert (told["num.partitions"].value, told["num.partitions"].config_source) == (
        "7",
        STATIC_BROKER,
    )
    assert told["num.partitions"].read_only
    assert not told["log.retention.ms"].read_only


def test_a_limit_of_tools_is_told_where_it_is_set_without_a_default(
    start_broker: StartBroker, connect: Connect
) -> None:
    name = "replica.alter.log.dirs.io.max.bytes.per.second"
    client = connect(start_broker(**{name.replace(".", "_"): "5000"}))
    config = one(describe(client, BROKER, "1", name, synonyms=True))
    assert [(place.value, place.source) for place in config.synonyms] == [("5000", STATIC_BROKER)]
    for unset in ONLY_WHERE_SET - {name}:
        assert describe(client, BROKER, "1", unset).configs == []


@pytest.mark.parametrize(
    ("resource_type", "name", "error", "fact"),
    [
        (TOPIC, "nosuch", ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "nosuch"),
        (TOPIC, "a/b", ErrorCode.INVALID_TOPIC_EXCEPTION, "'a/b'"),
        (BROKER, "2", ErrorCode.INVALID_REQUEST, "node 1"),
        (BROKER, "x", ErrorCode.INVALID_REQUEST, "node 1"),
        (BROKER_LOGGER, "2", ErrorCode.INVALID_REQUEST, "node 1"),
        (CLIENT_METRICS, "", ErrorCode.INVALID_REQUEST, "name the subscription"),
        (GROUP, "", ErrorCode.INVALID_REQUEST, "name the group"),
        (77, "x", ErrorCode.INVALID_REQUEST, "resource type 77"),
    ],
)
def test_what_cannot_be_described_is_refused_with_a_reason(
    client: Client, resource_type: int, name: str, error: ErrorCode, fact: str
) -> None:
    result = describe(client, resource_type, name)
    assert (result.error_code, result.configs) == (error, [])
    assert result.error_message is not None
    assert fact in result.error_message


# -- FindCoordinator -------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(4))
def test_this_node_coordinates_one_group(client: Client, version: int) -> None:
    request = FindCoordinatorRequest(key="group")
    response = client.ask(request, FindCoordinatorResponse, version=version)
    assert (response.error_code, response.node_id) == (ErrorCode.NONE, 1)


@pytest.mark.parametrize("version", range(4, 7))
def test_this_node_coordinates_several_groups(client: Client, version: int) -> None:
    request = FindCoordinatorRequest(key_type=0, coordinator_keys=["a", "b"])
    response = client.ask(request, FindCoordinatorResponse, version=version)
    assert [(found.key, found.error_code, found.node_id) for found in response.coordinators] == [
        (key, ErrorCode.NONE, 1) for key in ("a", "b")
    ]
