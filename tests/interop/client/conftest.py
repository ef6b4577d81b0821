"""Clusters for the tests of our client: our broker of today, as an old one, and Apache Kafka.

A test that takes `cluster` runs against each of them; it is given a running one, which all tests
share:

    def test_orders(cluster: PeerCluster) -> None:
        topic = cluster.create_topic(partitions=3)
        async with Producer(cluster.bootstrap) as producer: ...

Topics and groups must have names of their own (`create_topic` makes one, `new_name` any). What an
old broker cannot do is told by `cluster.api_versions`, as "2.1"; None for those of today. Tests
that kill or stop a broker take `broker` or `start_broker` instead, where `old_broker` is the same
with the versions of Kafka 2.1.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ottla.testing.kafka_releases import setting_of
from tests.clients.admin import Admin
from tests.conftest import BROKERS, BrokerFactory, end_in_order
from tests.support.broker_process import BrokerProcess
from tests.support.java import why_no_java
from tests.support.kafka_process import KafkaProcess

OLD = "2.1"
"""The oldest release that our client is for."""

LIMITED_TO = f"ottla.api.versions={setting_of(OLD)}"

CLUSTERS = ("ours", f"ours as {OLD}", "apache kafka")


class PeerCluster(NamedTuple):
    """A cluster of one node that our client is tried against; never stop it."""

    name: str
    bootstrap: str
    api_versions: str | None
    broker: BrokerProcess | None
    """Where it is ours, for a look at its files."""

    def new_name(self) -> str:
        """That nobody else has, for a topic, a group or a transactional id."""
        return f"client-{secrets.token_hex(4)}"

    def create_topic(self, partitions: int = 1, **configs: str | int) -> str:
        """Create a topic; its name."""
        name = self.new_name()
        Admin(self.bootstrap).create(name, partitions, **configs)
        return name


@pytest.fixture(scope="session")
def limited_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokerProcess]:
    """Ours with the versions of Kafka 2.1."""
    folder = tmp_path_factory.mktemp("limited")
    with BrokerProcess("--set", LIMITED_TO, folder=folder) as broker:
        yield broker
        end_in_order(broker)


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    """Apache Kafka, once for all tests; skipped where there is no Java."""
    reason = why_no_java()
    if reason:
        pytest.skip(f"Apache Kafka: {reason}")
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaProcess(folder, folder / "data") as kafka:
        yield kafka


@pytest.fixture(params=CLUSTERS, ids=[name.replace(" ", "-") for name in CLUSTERS])
def cluster(request: pytest.FixtureRequest) -> PeerCluster:
    """Each of them in turn, started when the first test wants it."""
    if request.param == "apache kafka":
        kafka: KafkaProcess = request.getfixturevalue("apache_kafka")
        return PeerCluster(request.param, kafka.bootstrap, None, None)
    is_old = request.param != "ours"
    broker: BrokerProcess = request.getfixturevalue("limited_broker" if is_old else "one_broker")
    request.node.stash.setdefault(BROKERS, []).append(broker)
    assert broker.running
    return PeerCluster(request.param, broker.bootstrap, OLD if is_old else None, broker)


@pytest.fixture
def old_broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker of this test alone with the versions of Kafka 2.1; it may be killed."""
    return start_broker("--set", LIMITED_TO)


@pytest.fixture(params=["today", OLD], ids=["today", f"as-{OLD}"])
def any_broker(request: pytest.FixtureRequest, start_broker: BrokerFactory) -> BrokerProcess:
    """A broker of this test alone, of today and as an old one; it may be killed."""
    return start_broker(*(() if request.param == "today" else ("--set", LIMITED_TO)))
