"""A broker and clients for each test."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client

StartBroker = Callable[..., MemoryBroker]
Connect = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_bugs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """The broker survives its own bugs and logs them with a traceback: no test may leave one."""
    with caplog.at_level(logging.WARNING):
        yield
    tracebacks = [record for record in caplog.get_records("call") if record.exc_info]
    assert tracebacks == []


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[StartBroker]:
    """Makes a broker with these settings, and does not start it."""
    made: list[MemoryBroker] = []

    def make(**settings: str) -> MemoryBroker:
        broker = MemoryBroker(tmp_path, **settings)
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.close()


@pytest.fixture
def start_broker(make_broker: StartBroker) -> StartBroker:
    """Starts a broker with these settings."""
    return lambda **settings: make_broker(**settings).start()


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    """A broker with default settings."""
    return start_broker()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections to a broker."""
    made: list[Client] = []

    def connect(broker: MemoryBroker, **options: object) -> Client:
        client = Client(broker, **options)  # type: ignore[arg-type]  # the client's own options
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


@pytest.fixture
def client(broker: MemoryBroker, connect: Connect) -> Client:
    """A connection to `broker`."""
    return connect(broker)
