"""Metadata: topics by name and id, creation on demand, the address that a client is told."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.broker.authorized_operations import OF_CLUSTER, OF_TOPIC
from ottla.wire.messages.metadata import (
    OPERATIONS_NOT_ASKED,
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

NEWEST = 13


def about(*names: str, create: bool = False) -> MetadataRequest:
    return MetadataRequest(
        topics=[MetadataRequestTopic(name=name) for name in names],
        allow_auto_topic_creation=create,
    )


def told(
    client: Client, request: MetadataRequest, *, version: int = NEWEST
) -> list[MetadataResponseTopic]:
    return client.ask(request, MetadataResponse, version=version).topics


def names(topics: list[MetadataResponseTopic]) -> list[str]:
    return sorted(topic.name or "" for topic in topics)


@pytest.mark.parametrize("version", range(14))
def test_every_version_describes_a_topic(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    topic_id = broker.create_topic("orders", 2)
    response = client.ask(about("orders", create=True), MetadataResponse, version=version)
    (broker_told,) = response.brokers
    assert (broker_told.node_id, broker_told.host, broker_told.port) == (1, "127.0.0.1", 9092)
    assert response.controller_id == (1 if version >= 1 else -1)
    assert response.cluster_id == (broker.broker.cluster_id if version >= 2 else None)
    (topic,) = response.topics
    assert (topic.error_code, topic.name) == (ErrorCode.NONE, "orders")
    assert topic.topic_id == (topic_id if version >= 10 else bytes(16))
    assert [partition.partition_index for partition in topic.partitions] == [0, 1]
    for partition in topic.partitions:
        assert partition.error_code == ErrorCode.NONE
        assert (partition.leader_id, partition.replica_nodes, partition.isr_nodes) == (1, [1], [1])
        assert partition.leader_epoch == (0 if version >= 7 else -1)


@pytest.mark.parametrize("version", range(1, 14))
def test_null_asks_for_all_topics(broker: MemoryBroker, client: Client, version: int) -> None:
    broker.create_topic("a")
    broker.create_topic("b")
    topics = told(client, MetadataRequest(topics=None), version=version)
    assert names(topics) == ["a", "b"]


@pytest.mark.parametrize(("version", "expected"), [(0, ["a"]), (1, []), (13, [])])
def test_an_empty_list_asks_for_all_in_version_0_and_for_none_after_it(
    broker: MemoryBroker, client: Client, version: int, expected: list[str]
) -> None:
    broker.create_topic("a")
    request = MetadataRequest(topics=[])
    assert names(told(client, request, version=version)) == expected


@pytest.mark.parametrize("version", [12, 13])
def test_a_topic_is_found_by_its_id(broker: MemoryBroker, client: Client, version: int) -> None:
    topic_id = broker.create_topic("orders")
    request = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=topic_id)])
    (topic,) = told(client, request, version=version)
    assert (topic.error_code, topic.name, topic.topic_id) == (0, "orders", topic_id)


def test_an_id_counts_where_a_client_leaves_the_name_empty(
    broker: MemoryBroker, client: Client
) -> None:
    topic_id = broker.create_topic("orders")
    request = MetadataRequest(topics=[MetadataRequestTopic(name="", topic_id=topic_id)])
    (topic,) = told(client, request)
    assert (topic.error_code, topic.name) == (0, "orders")


def test_an_unknown_id_is_told_back_without_a_name(client: Client) -> None:
    unknown = b"\x05" * 16
    request = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=unknown)])
    (topic,) = told(client, request)
    assert (topic.error_code, topic.name, topic.topic_id) == (
        ErrorCode.UNKNOWN_TOPIC_ID,
        None,
        unknown,
    )


@pytest.mark.parametrize("version", [10, 11])
def test_versions_that_cannot_ask_by_id_are_refused_and_not_left_waiting(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    topic_id = broker.create_topic("orders")
    request = MetadataRequest(topics=[MetadataRequestTopic(name=None, topic_id=topic_id)])
    (topic,) = told(client, request, version=version)
    assert topic.error_code == ErrorCode.INVALID_REQUEST


def test_an_unknown_name_is_told_so(client: Client) -> None:
    (topic,) = told(client, about("nosuch"))
    assert (topic.error_code, topic.name, topic.topic_id, topic.partitions) == (
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        "nosuch",
        bytes(16),
        [],
    )


@pytest.mark.parametrize("name", ["", "a/b", "..", "x" * 250])
def test_an_impossible_name_is_told_so_and_never_created(
    broker: MemoryBroker, client: Client, name: str
) -> None:
    (topic,) = told(client, about(name, create=True))
    assert (topic.error_code, topic.name) == (ErrorCode.INVALID_TOPIC_EXCEPTION, name)
    assert broker.folders() == []


def test_asking_about_a_missing_topic_creates_it_and_it_can_be_written_at_once(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(num_partitions="3")
    client = connect(broker)
    (topic,) = told(client, about("orders", create=True))
    assert (topic.error_code, len(topic.partitions)) == (ErrorCode.NONE, 3)
    request = produce(("orders", 2, batch_of(b"a")))
    (answer,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
    assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, 0)


def test_a_topic_that_is_asked_for_twice_is_created_once(
    broker: MemoryBroker, client: Client
) -> None:
    topics = told(client, about("orders", "orders", create=True))
    assert [topic.error_code for topic in topics] == [ErrorCode.NONE] * 2
    assert broker.folders() == ["orders-0"]


@pytest.mark.parametrize("version", range(4))
def test_versions_that_cannot_decline_creation_get_it(client: Client, version: int) -> None:
    (topic,) = told(client, about("orders", create=True), version=version)
    assert topic.error_code == ErrorCode.NONE


@pytest.mark.parametrize("version", [4, 13])
def test_a_client_may_decline_creation(client: Client, version: int) -> None:
    (topic,) = told(client, about("orders", create=False), version=version)
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_a_broker_may_forbid_creation(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(auto_create_topics_enable="false")
    (topic,) = told(connect(broker), about("orders", create=True))
    assert topic.error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_a_topic_that_is_asked_for_by_id_is_not_created_by_its_name(
    broker: MemoryBroker, client: Client
) -> None:
    request = about("missing", create=True)
    assert request.topics
    request.topics[0].topic_id = b"no topic has it!"
    (topic,) = told(client, request)
    assert (topic.name, topic.error_code) == (None, ErrorCode.UNKNOWN_TOPIC_ID)
    assert "missing" not in broker.broker.metadata.image.topics_by_name


def test_a_metadata_log_that_cannot_be_written_creates_nothing_and_answers_all_the_same(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("there")
    broker.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    topics = told(client, about("there", "missing", create=True))
    assert [topic.error_code for topic in topics] == [
        ErrorCode.NONE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    ]
    broker.heal_disk()
    (topic,) = told(client, about("missing", create=True))
    assert topic.error_code == ErrorCode.NONE


def test_the_brokers_own_topics_are_marked(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("__consumer_offsets")
    broker.create_topic("orders")
    topics = told(client, about("__consumer_offsets", "orders"))
    assert [topic.is_internal for topic in topics] == [True, False]


def test_operations_are_told_where_they_are_asked_for(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    request = about("orders")
    response = client.ask(request, MetadataResponse, version=10)
    assert response.cluster_authorized_operations == OPERATIONS_NOT_ASKED
    assert response.topics[0].topic_authorized_operations == OPERATIONS_NOT_ASKED
    request.include_cluster_authorized_operations = True
    request.include_topic_authorized_operations = True
    response = client.ask(request, MetadataResponse, version=10)
    assert response.cluster_authorized_operations == OF_CLUSTER
    assert response.topics[0].topic_authorized_operations == OF_TOPIC


# -- addresses and other nodes ---------------------------------------------------------------------


def addresses(client: Client) -> list[tuple[int, str, int]]:
    response = client.ask(about(), MetadataResponse)
    return [(node.node_id, node.host, node.port) for node in response.brokers]


def test_a_client_is_told_the_address_that_it_has_reached(
    broker: MemoryBroker, connect: Connect
) -> None:
    for address in (("127.0.0.1", 9092), ("10.1.2.3", 19092), ("::1", 9092)):
        assert addresses(connect(broker, local_address=address)) == [(1, *address)]


def test_a_listener_with_an_advertised_address_tells_that_one(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(
        listeners="IN://:9092,OUT://:19092", advertised_listeners="OUT://broker.example.net:443"
    )
    reached = ("172.17.0.2", 9092)
    inside = connect(broker, listener="IN", local_address=reached)
    outside = connect(broker, listener="OUT", local_address=("172.17.0.2", 19092))
    assert addresses(inside) == [(1, *reached)]
    assert addresses(outside) == [(1, "broker.example.net", 443)]


def test_other_nodes_are_told_by_the_listener_that_the_client_has_reached(
    make_broker: StartBroker, connect: Connect
) -> None:
    broker = make_broker()
    broker.add_broker(2, [("PLAINTEXT", "two.example.net", 9092), ("OUT", "two.out", 443)])
    broker.start()
    assert sorted(addresses(connect(broker))) == [
        (1, "127.0.0.1", 9092),
        (2, "two.example.net", 9092),
    ]
    assert (2, "two.out", 443) in addresses(connect(broker, listener="OUT"))
    assert [node for node, _, _ in addresses(connect(broker, listener="ELSEWHERE"))] == [1]


def test_replicas_of_a_node_that_is_down_are_offline_and_the_node_is_not_told(
    make_broker: StartBroker, connect: Connect
) -> None:
    broker = make_broker()
    broker.add_broker(2, [("PLAINTEXT", "two.example.net", 9092)], up=False)
    broker.start()
    broker.create_topic("orders", replicas=[[2, 1]])
    client = connect(broker)
    (topic,) = told(client, about("orders"))
    (partition,) = topic.partitions
    assert (partition.leader_id, partition.replica_nodes) == (1, [2, 1])
    assert (partition.isr_nodes, partition.offline_replicas) == ([1], [2])
    assert addresses(client) == [(1, "127.0.0.1", 9092)]


# -- answers that are kept -------------------------------------------------------------------------


def test_a_kept_answer_follows_every_change(broker: MemoryBroker, client: Client) -> None:
    assert names(told(client, MetadataRequest(topics=None))) == []
    broker.create_topic("a")
    assert names(told(client, MetadataRequest(topics=None))) == ["a"]
    assert names(told(client, MetadataRequest(topics=None))) == ["a"]
    broker.delete_topic("a")
    assert names(told(client, MetadataRequest(topics=None))) == []


def test_a_kept_answer_keeps_its_place_behind_an_earlier_request(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("a")
    told(client, MetadataRequest(topics=None))
    client.send_each(
        (produce(("a", 0, batch_of(b"x"))), BY_NAME), (MetadataRequest(topics=None), NEWEST)
    )
    first, second = client.answers()
    assert isinstance(first, ProduceResponse)
    assert isinstance(second, MetadataResponse)
