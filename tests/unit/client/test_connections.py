"""The open connections of a client: one attempt for all, a bound, backoff after failures."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import pairwise

import pytest

from ottla.client.connections import Connections, Purpose
from ottla.client.errors import NodeUnreachableError
from ottla.client.options import ClusterOptions
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from tests.support.cluster import SeededRng
from tests.support.scripted_cluster import ScriptedCluster, address_of
from tests.unit.client.conftest import MakeNodes

NODE = address_of(1)


@pytest.fixture
def nodes(make_nodes: MakeNodes) -> ScriptedCluster:
    return make_nodes(4)


@pytest.fixture
def connections(nodes: ScriptedCluster) -> Iterator[Connections]:
    """Three of them at most."""
    made = Connections(ClusterOptions(), nodes.network.connect, SeededRng(), count_max=3)
    yield made
    nodes.loop.finish(made.close())


def test_who_asks_at_the_same_time_waits_for_the_same_attempt(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    tasks = [nodes.loop.create_task(connections.get(NODE)) for _ in range(5)]
    nodes.finish(*tasks)
    assert len({id(task.result()) for task in tasks}) == 1
    assert nodes.network.connects == [NODE]
    assert nodes.run(connections.get(NODE)) is tasks[0].result()


def test_an_attempt_goes_on_when_who_began_it_is_cancelled(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    steps = 0
    while True:
        first = nodes.loop.create_task(connections.get(NODE))
        second = nodes.loop.create_task(connections.get(NODE))
        for _ in range(steps):
            nodes.step()
        if first.done():
            break
        first.cancel()
        nodes.finish(first, second)
        assert first.cancelled()
        assert not second.result().is_lost
        nodes.network.cut(NODE)
        nodes.loop.settle()
        steps += 1
    nodes.finish(second)
    assert steps >= 5
    assert nodes.network.connects == [NODE] * (steps + 1)


def test_a_lost_connection_is_replaced(nodes: ScriptedCluster, connections: Connections) -> None:
    first = nodes.run(connections.get(NODE))
    nodes.network.cut(NODE)
    nodes.loop.settle()
    second = nodes.run(connections.get(NODE))
    assert second is not first
    assert not second.is_lost
    assert connections.count == 1


def test_an_address_that_failed_is_tried_again_later_and_later(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    nodes.network.stop(NODE)
    times = []
    for _ in range(8):
        with pytest.raises(NodeUnreachableError, match="cannot connect to node-1:9092"):
            nodes.run(connections.get(NODE))
        times.append(nodes.loop.clock.elapsed_ms)
    waits = [later - earlier for earlier, later in pairwise(times)]
    for wait, about in zip(waits, [50, 100, 200, 400, 800, 1000, 1000], strict=True):
        assert about * 0.8 <= wait <= about * 1.2 + 1
    nodes.listen()
    nodes.run(connections.get(NODE))
    nodes.network.cut(NODE)
    nodes.loop.settle()
    before = nodes.loop.clock.elapsed_ms
    nodes.run(connections.get(NODE))
    assert nodes.loop.clock.elapsed_ms == before, "after a success nothing is waited for"
    nodes.network.stop(NODE)
    nodes.loop.settle()
    for _ in range(2):
        with pytest.raises(NodeUnreachableError):
            nodes.run(connections.get(NODE))
    assert nodes.loop.clock.elapsed_ms - before <= 61, "the backoff begins anew"


def test_a_silent_address_is_given_up_after_the_setup_timeout(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    nodes.network.silent.add(NODE)
    with pytest.raises(NodeUnreachableError, match="no answer within 10 s"):
        nodes.run(connections.get(NODE))
    assert nodes.loop.clock.elapsed_ms == 10_000
    nodes.network.silent.discard(NODE)
    nodes.network.stalled.add(NODE)
    with pytest.raises(NodeUnreachableError, match="no answer within 10 s"):
        nodes.run(connections.get(NODE))
    assert nodes.network.streams == []


def test_the_one_used_longest_ago_makes_room(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    made = [nodes.run(connections.get(address_of(id_))) for id_ in (1, 2, 3)]
    nodes.run(connections.get(address_of(1)))
    nodes.run(connections.get(address_of(4)))
    assert [found.is_lost for found in made] == [False, True, False]
    assert connections.count == 3


def test_one_that_owes_an_answer_is_not_the_one_to_go(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    addresses = [address_of(id_) for id_ in (1, 2, 3)]
    made = [nodes.run(connections.get(address)) for address in addresses]
    nodes.network.stalled.update(addresses)
    calls = [
        nodes.loop.create_task(found.call(MetadataRequest(topics=[]), MetadataResponse))
        for found in made
    ]
    nodes.loop.settle()
    with pytest.raises(NodeUnreachableError, match="all 3 connections of the client are busy"):
        nodes.run(connections.get(address_of(4)), ms_max=1)
    nodes.network.resume(addresses[1])
    nodes.finish(calls[1])
    nodes.run(connections.get(address_of(4)))
    assert [found.is_lost for found in made] == [False, True, False]
    nodes.network.resume(addresses[0])
    nodes.network.resume(addresses[2])
    nodes.finish(*calls)


def test_attempts_count_too(nodes: ScriptedCluster, connections: Connections) -> None:
    for id_ in (1, 2, 3):
        nodes.network.silent.add(address_of(id_))
    waiting = [nodes.loop.create_task(connections.get(address_of(id_))) for id_ in (1, 2, 3)]
    nodes.loop.settle()
    with pytest.raises(NodeUnreachableError, match="busy"):
        nodes.run(connections.get(address_of(4)), ms_max=1)
    nodes.finish(*waiting)
    assert all(isinstance(task.exception(), NodeUnreachableError) for task in waiting)


def test_one_that_nobody_used_for_long_is_not_given_out(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    first = nodes.run(connections.get(NODE))
    other = nodes.run(connections.get(NODE, Purpose.FETCH))
    nodes.loop.advance(300_000)
    nodes.run(other.call(MetadataRequest(topics=[]), MetadataResponse))
    nodes.loop.advance(240_000)
    connections.close_idle()
    assert first.is_lost
    assert not other.is_lost
    assert nodes.run(connections.get(NODE, Purpose.FETCH)) is other
    assert nodes.run(connections.get(NODE)) is not first


def test_closing_while_one_is_made_leaves_nothing_open(
    nodes: ScriptedCluster, connections: Connections
) -> None:
    for steps in range(12):
        made = Connections(ClusterOptions(), nodes.network.connect, SeededRng())
        waiting = nodes.loop.create_task(made.get(NODE))
        for _ in range(steps):
            nodes.step()
        nodes.loop.finish(made.close())
        assert nodes.network.streams == []
        assert waiting.done()
        waiting.exception()
    assert not asyncio.all_tasks(nodes.loop)
