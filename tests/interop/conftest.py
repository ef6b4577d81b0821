"""The clients and topics of the tests with real clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.clients.admin import Admin
from tests.clients.catalogue import make_client, why_missing
from tests.clients.contract import Client
from tests.interop.group_crowd import Crowd, Numbers
from tests.support.broker_process import BrokerProcess

ClientFinder = Callable[[str], Client]
TopicMaker = Callable[..., str]


@pytest.fixture(scope="session")
def every_client() -> Iterator[dict[str, Client]]:
    """The clients that were used so far: a JVM is started once and not for each test."""
    clients: dict[str, Client] = {}
    yield clients
    for client in clients.values():
        client.close()


@pytest.fixture
def client_named(every_client: dict[str, Client]) -> Iterator[ClientFinder]:
    """Finds clients by name, or skips; none of them may have complained when the test is over."""
    used: list[Client] = []

    def find(name: str) -> Client:
        reason = why_missing(name)
        if reason is not None:
            pytest.skip(reason)
        if name not in every_client:
            every_client[name] = make_client(name)
        client = every_client[name]
        client.complaints.clear()
        used.append(client)
        return client

    yield find
    for client in used:
        assert not client.complaints, f"{client.name} complains"


@pytest.fixture(scope="session")
def topic_numbers() -> Iterator[int]:
    """Numbers that make names new."""
    return count()


@pytest.fixture
def new_topic(shared_broker: BrokerProcess, topic_numbers: Iterator[int]) -> TopicMaker:
    """Creates topics on the shared broker, under names that no other test has."""

    def create(partitions: int = 1, **configs: str | int) -> str:
        name = f"topic-{next(topic_numbers)}"
        Admin(shared_broker.bootstrap).create(name, partitions, **configs)
        return name

    return create


@pytest.fixture
def crowd(broker: BrokerProcess, tmp_path: Path) -> Iterator[Crowd]:
    """A group without members yet."""
    with Crowd(broker.bootstrap, tmp_path) as made:
        yield made


@pytest.fixture
def numbers(broker: BrokerProcess) -> Iterator[Numbers]:
    """Records come for as long as the test wants."""
    with Numbers(broker.bootstrap) as made:
        yield made
