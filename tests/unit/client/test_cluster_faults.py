"""What may go wrong at any moment: cut streams, cancelled calls, slow nodes, leaders that move.

A cut or a cancellation is tried at every event and every step of one scenario, one after the other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import DeadlineError, NodeError
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.support.cluster import SeededRng
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_network import MemoryNetwork, whole_broker
from tests.support.scripted_cluster import FIRST, ScriptedCluster, address_of
from tests.unit.client.conftest import MakeNodes

GROUP = CoordinatorKind.GROUP
NODES = 3


async def leader_and_coordinator(cluster: Cluster, topic: str) -> tuple[int, int]:
    """All that a client does before its first request of its own, and that request."""
    leader = await cluster.leader_of(topic, 0)
    coordinator = await cluster.coordinator_of(GROUP, topic)

    async def ask() -> None:
        connection = await cluster.connection(leader.node, Purpose.PRODUCE)
        request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
        response = await connection.call(request, MetadataResponse)
        assert [told.name for told in response.topics] == [topic], "another's answer"

    await cluster.retry(ask, failed="nobody answered")
    return leader.node.node_id, coordinator.node_id


def prepared(make_nodes: MakeNodes) -> tuple[ScriptedCluster, Cluster]:
    nodes = make_nodes(NODES)
    for number, topic in enumerate("abc", 1):
        nodes.create(topic, (number, 5))
        nodes.view.coordinators[topic] = number
    return nodes, nodes.client()


def begin(nodes: ScriptedCluster, *work: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    return [nodes.loop.create_task(each) for each in work]


def test_whatever_event_ends_a_stream_everybody_is_served_in_the_end(
    make_nodes: MakeNodes,
) -> None:
    cut_at = 0
    while True:
        nodes, cluster = prepared(make_nodes)
        nodes.network.cut_at = cut_at
        tasks = begin(nodes, *(leader_and_coordinator(cluster, topic) for topic in "abc"))
        nodes.finish(*tasks, ms_max=10_000)
        assert [task.result() for task in tasks] == [(1, 1), (2, 2), (3, 3)]
        if nodes.network.events < cut_at:
            break
        cut_at += 1
    assert cut_at > 20


def test_whoever_is_cancelled_at_whatever_step_the_others_are_served(
    make_nodes: MakeNodes,
) -> None:
    steps = 0
    while True:
        nodes, cluster = prepared(make_nodes)
        gone, *others = begin(nodes, *(leader_and_coordinator(cluster, topic) for topic in "abc"))
        for _ in range(steps):
            nodes.step()
        if gone.done():
            break
        gone.cancel()
        nodes.finish(gone, *others, ms_max=10_000)
        assert gone.cancelled()
        assert [task.result() for task in others] == [(2, 2), (3, 3)]
        again = nodes.run(leader_and_coordinator(cluster, "a"), ms_max=10_000)
        assert again == (1, 1)
        # Nothing was given up because of it: to node 1 there are two, by name and for its leader.
        assert len(nodes.network.connects) == len(set(nodes.network.connects)) + 1
        steps += 1
    nodes.finish(*others)
    assert steps > 20


def test_all_cancelled_at_whatever_step_nothing_is_left_in_the_way(make_nodes: MakeNodes) -> None:
    for steps in range(60):
        nodes, cluster = prepared(make_nodes)
        tasks = begin(nodes, *(leader_and_coordinator(cluster, topic) for topic in "abc"))
        for _ in range(steps):
            nodes.step()
        for task in tasks:
            task.cancel()
        nodes.finish(*tasks)
        assert nodes.run(leader_and_coordinator(cluster, "b"), ms_max=10_000) == (2, 2)


def test_closed_at_whatever_step_everybody_is_told_and_nothing_is_left(
    make_nodes: MakeNodes,
) -> None:
    for steps in range(60):
        nodes, cluster = prepared(make_nodes)
        tasks = begin(nodes, *(leader_and_coordinator(cluster, topic) for topic in "abc"))
        for _ in range(steps):
            nodes.step()
        nodes.loop.finish(cluster.close())
        # A call on a connection that was closed is tried again, and then finds all closed.
        nodes.finish(*tasks, ms_max=10_000)
        assert not any(task.cancelled() for task in tasks)
        assert not nodes.network.streams
        for task in tasks:
            task.exception()


# -- leaders that move, nodes that are behind, nodes that die --------------------------------------


class Weather:
    """A seeded course of events: nodes die and come back, leaders move, some tell old views."""

    def __init__(self, nodes: ScriptedCluster, seed: int) -> None:
        self._nodes = nodes
        self._random = random.Random(seed)
        nodes.network.delay_ms = lambda: self._random.choice([0, 0, 1, 5, 50])
        self._down: set[int] = set()

    def happen(self) -> None:
        match self._random.randrange(8):
            case 0 if len(self._down) < NODES - 1:
                self._die()
            case 1 | 2:
                self._come_back()
            case 3:
                self._move()
            case 4:
                node = self._random.randint(1, NODES)
                self._nodes.views[node] = self._nodes.view.copy()
            case 5:
                self._nodes.views.clear()
            case 6:
                self._nodes.network.cut_at = self._nodes.network.events + 1
            case _:
                self._nodes.network.piece_bytes = self._random.choice([1, 17, 1 << 20])

    def _die(self) -> None:
        node = self._random.choice([id_ for id_ in range(1, NODES + 1) if id_ not in self._down])
        self._down.add(node)
        self._nodes.network.stop(address_of(node))
        if node == 1:
            self._nodes.network.stop(FIRST)

    def _come_back(self) -> None:
        self._nodes.listen()
        if self._down:
            self._down.discard(self._random.choice(sorted(self._down)))
        for node in self._down:
            self._nodes.network.stop(address_of(node))
            if node == 1:
                self._nodes.network.stop(FIRST)

    def _move(self) -> None:
        id_, ((_, epoch),) = self._nodes.view.topics["a"]
        leader = self._random.randint(1, NODES)
        self._nodes.view.topics["a"] = (id_, [(leader, epoch + 1)])

    def clear_up(self) -> None:
        self._nodes.views.clear()
        self._down.clear()
        self._nodes.listen()


@pytest.mark.parametrize("seed", range(25))
def test_through_any_weather_epochs_only_grow_and_the_end_is_right(
    make_nodes: MakeNodes, seed: int
) -> None:
    nodes, cluster = prepared(make_nodes)
    weather = Weather(nodes, seed)
    seen: list[int] = []
    answered = 0

    async def ask(topic: str) -> None:
        nonlocal answered
        try:
            leader = await cluster.leader_of("a", 0, timeout_s=3)
            seen.append(leader.epoch)
            await leader_and_coordinator(cluster, topic)
            answered += 1
            await cluster.refresh()
        except (NodeError, DeadlineError):
            return

    tasks: list[asyncio.Task[None]] = []
    rng = random.Random(seed)
    for _ in range(60):
        weather.happen()
        tasks += begin(nodes, ask(rng.choice("abc")))
        if rng.random() < 0.2:
            rng.choice(tasks).cancel()
        nodes.loop.advance(rng.choice([0, 10, 100, 1000]))
    weather.clear_up()
    nodes.finish(*tasks)
    assert answered > 20
    assert seen == sorted(seen)
    nodes.run(cluster.refresh())
    _, ((_, epoch),) = nodes.view.topics["a"]
    assert nodes.run(cluster.leader_of("a", 0)).epoch == epoch
    assert len(nodes.network.streams) <= len(Purpose) * (NODES + 1)


# -- a whole broker ------------------------------------------------------------------------------


def test_a_real_broker_in_memory_is_asked_and_asked_again_after_it_was_killed(
    tmp_path: Path,
) -> None:
    broker = MemoryBroker(tmp_path).start()
    broker.create_topic("orders", 3)
    network = MemoryNetwork(broker.loop)
    here = Address("localhost", 9092)
    network.listen(here, whole_broker(broker))
    cluster = broker.loop.call(
        lambda: Cluster("localhost:9092", connector=network.connect, rng=SeededRng())
    )
    leader = broker.loop.finish(cluster.leader_of("orders", 2))
    assert (leader.node.node_id, leader.epoch) == (1, 0)
    topic = cluster.metadata.topic("orders")
    assert topic is not None
    assert broker.loop.finish(cluster.topic_by_id(topic.topic_id)) is topic

    network.stop(here)
    broker.stop_uncleanly()
    waiting = broker.loop.create_task(cluster.refresh())
    broker.loop.advance(200)
    assert isinstance(waiting.exception(), NodeError)
    broker.start()
    network.listen(here, whole_broker(broker))
    again = broker.loop.create_task(cluster.retry(cluster.refresh, failed="no refresh"))
    for _ in range(20):
        broker.loop.advance(100)
    again.result()
    assert cluster.metadata.leader("orders", 2) is not None
    assert cluster.metadata.topics["orders"].error is ErrorCode.NONE
    broker.loop.finish(cluster.close())
    broker.close()
