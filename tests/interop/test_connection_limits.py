"""How many connections a broker takes, and how long it keeps those that ask for nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from benchmarks.requests import ask
from ottla.wire.messages.metadata import MetadataRequest
from tests.support.broker_process import BrokerProcess
from tests.support.waiting import wait_until

LIMIT = 3


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


def connect(broker: BrokerProcess, opened: ExitStack) -> socket.socket:
    client = socket.create_connection((broker.host, broker.port), timeout=10)
    opened.enter_context(client)
    return client


def is_closed_by_broker(client: socket.socket) -> bool:
    """Whether the other side has ended the connection; it never sends anything unasked."""
    client.settimeout(0.01)
    try:
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("setting", ["max.connections", "max.connections.per.ip"])
def test_connections_above_the_limit_are_closed_and_the_others_served(
    setting: str, opened: ExitStack
) -> None:
    with BrokerProcess("--set", f"{setting}={LIMIT}") as broker:
        kept = [connect(broker, opened) for _ in range(LIMIT)]
        refused = connect(broker, opened)
        wait_until(lambda: is_closed_by_broker(refused), "the connection above the limit closes")
        assert not any(map(is_closed_by_broker, kept))
        assert f"{setting} is reached" in broker.log()
        kept.pop().close()
        # A place is free again as soon as the broker has seen the end of the one that left.
        wait_until(lambda: _is_served(broker), "a new client takes the free place")


def _is_served(broker: BrokerProcess) -> bool:
    try:
        return bool(ask(broker.host, broker.port, MetadataRequest(topics=[]), 9))
    except ConnectionError:
        return False


def test_an_idle_connection_is_closed_and_one_that_asks_is_kept(opened: ExitStack) -> None:
    with BrokerProcess("--set", "connections.max.idle.ms=400") as broker:
        idle = connect(broker, opened)
        wait_until(lambda: is_closed_by_broker(idle), "the idle connection closes")
        # Whoever takes longer than the limit to ask is closed, too, and comes again.
        wait_until(lambda: _is_served(broker), "who asks is answered")


def test_minus_one_keeps_idle_connections(opened: ExitStack) -> None:
    with BrokerProcess("--set", "connections.max.idle.ms=-1") as broker:
        idle = connect(broker, opened)
        assert _is_served(broker)
        assert not is_closed_by_broker(idle)
