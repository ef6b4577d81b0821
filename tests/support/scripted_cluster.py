"""A cluster of scripted nodes in memory: who leads what is what a test says, for each node."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import partial
from math import ceil
from typing import Any, TypeVar

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.client.address import Address
from ottla.client.cluster import Cluster
from ottla.client.options import ClusterOptions
from ottla.wire.messages.api_versions import ApiVersionsRequest
from ottla.wire.messages.find_coordinator import (
    Coordinator,
    FindCoordinatorRequest,
    FindCoordinatorResponse,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.versions import VersionRange
from tests.support.cluster import SeededRng
from tests.support.memory_network import MemoryNetwork, scripted
from tests.support.scripted_broker import ScriptedBroker
from tests.support.stepped_loop import SteppedClock, SteppedLoop

T = TypeVar("T")

KAFKA_2_1 = {MetadataRequest: VersionRange(0, 7), FindCoordinatorRequest: VersionRange(0, 2)}
FIRST = Address("first", 9092)
"""The address that clients are given; it leads to node 1 at first."""


def address_of(node_id: int) -> Address:
    return Address(f"node-{node_id}", 9092)


class View:
    """What a node tells: topics by name as (id, leader and epoch of each partition), errors."""

    def __init__(self, nodes: int) -> None:
        self.nodes = {node_id: address_of(node_id) for node_id in range(1, nodes + 1)}
        self.cluster_id = "cluster"
        self.controller_id = 1
        self.topics: dict[str, tuple[bytes, list[tuple[int, int]]]] = {}
        self.errors: dict[str, ErrorCode] = {}
        self.coordinators: dict[str, int | ErrorCode] = {}
        self.error = ErrorCode.NONE

    def copy(self) -> View:
        """For a node that goes on telling what is true now."""
        same = View(0)
        same.__dict__.update(
            {
                name: dict(value) if isinstance(value, dict) else value
                for name, value in self.__dict__.items()
            }
        )
        return same


class ScriptedCluster:
    """Nodes 1 to n; `view` is what all tell that have none of their own in `views`."""

    def __init__(self, nodes: int = 3, *, versions: Mapping[Any, VersionRange] = {}) -> None:
        self.loop = SteppedLoop(SteppedClock())
        self.network = MemoryNetwork(self.loop)
        self.view = View(nodes)
        self.views: dict[int, View] = {}
        self.brokers: dict[int, ScriptedBroker] = {}
        self._clients: list[Cluster] = []
        api_versions = VersionRange(0, 2) if versions else ApiVersionsRequest.VERSIONS
        for node_id in self.view.nodes:
            self.brokers[node_id] = ScriptedBroker(
                {
                    MetadataRequest: partial(self._metadata, node_id),
                    FindCoordinatorRequest: partial(self._coordinators, node_id),
                },
                versions=versions,
                api_versions=api_versions,
            )
        self.listen()

    def listen(self) -> None:
        """Let every node be reachable, as at first."""
        for node_id, broker in self.brokers.items():
            self.network.listen(address_of(node_id), scripted(broker))
        self.network.listen(FIRST, scripted(self.brokers[1]))

    def client(self, bootstrap: str = str(FIRST), **options: Any) -> Cluster:
        """A client's cluster, closed by `close`."""
        made = self.loop.call(
            lambda: Cluster(
                bootstrap,
                ClusterOptions(**options),
                connector=self.network.connect,
                rng=SeededRng(),
            )
        )
        self._clients.append(made)
        return made

    def close(self) -> None:
        """End the test; nothing of its clients may be left behind."""
        for client in self._clients:
            self.loop.finish(client.close())
        self.loop.settle()
        left = asyncio.all_tasks(self.loop)
        assert not left, left
        assert not self.network.streams, "a stream was left open"
        self.loop.close()

    def create(self, name: str, *leaders: tuple[int, int], topic_id: bytes = b"") -> bytes:
        """A topic with partitions led by (node, epoch); its id."""
        made = topic_id or bytes([len(self.view.topics) + 1]) * 16
        self.view.topics[name] = (made, list(leaders))
        return made

    def run(self, work: Coroutine[Any, Any, T], *, ms_max: int = 600_000) -> T:
        """Run to the end, moving time on to the next timer whenever nothing else is left to do."""
        task = self.loop.create_task(work)
        self.finish(task, ms_max=ms_max)
        return task.result()

    def finish(self, *tasks: asyncio.Task[Any], ms_max: int = 600_000) -> None:
        """Let tasks come to their end, whatever that is."""
        end_ms = self.loop.clock.elapsed_ms + ms_max
        self.loop.settle()
        while not all(task.done() for task in tasks):
            assert self.loop.clock.elapsed_ms < end_ms, "it still waits"
            self.next_timer()

    def next_timer(self) -> None:
        """Move time to the next timer."""
        timers = [timer.when() for timer in self.loop._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]  # no public way
        assert timers, "nothing will ever happen"
        self.loop.advance(max(1, round(min(timers) * 1000) - self.loop.clock.elapsed_ms))

    def step(self) -> None:
        """One turn of the loop; where there is nothing to do, time moves to the next timer."""
        if not self.loop._ready and self.loop._scheduled:  # type: ignore[attr-defined]  # no public way
            due_ms = ceil(min(timer.when() for timer in self.loop._scheduled) * 1000)  # type: ignore[attr-defined]  # no public way
            self.loop.clock.elapsed_ms = max(self.loop.clock.elapsed_ms, due_ms)
        self.loop.call_soon(self.loop.stop)
        self.loop.run_forever()

    def asked(self, kind: Any) -> list[Any]:
        """All requests of a kind, by all nodes."""
        return [
            request
            for broker in self.brokers.values()
            for request, _ in broker.asked
            if isinstance(request, kind)
        ]

    # -- answers ---------------------------------------------------------------------------------

    def _view(self, node_id: int) -> View:
        return self.views.get(node_id, self.view)

    def _metadata(self, node_id: int, request: MetadataRequest) -> MetadataResponse:
        view = self._view(node_id)
        if request.topics is None:
            topics = [_topic(view, name, ZERO_UUID) for name in view.topics]
        else:
            topics = [_topic(view, wanted.name, wanted.topic_id) for wanted in request.topics]
            if request.allow_auto_topic_creation:
                self._auto_create(view, request)
        return MetadataResponse(
            error_code=view.error,
            brokers=[
                MetadataResponseBroker(node_id=id_, host=address.host, port=address.port)
                for id_, address in view.nodes.items()
            ],
            cluster_id=view.cluster_id,
            controller_id=view.controller_id,
            topics=topics,
        )

    def _auto_create(self, view: View, request: MetadataRequest) -> None:
        for wanted in request.topics or []:
            if wanted.name is not None and wanted.name not in view.topics:
                self.create(wanted.name, (1, 0))

    def _coordinators(
        self, node_id: int, request: FindCoordinatorRequest
    ) -> FindCoordinatorResponse:
        view = self._view(node_id)
        if request.coordinator_keys:
            return FindCoordinatorResponse(
                coordinators=[_coordinator(view, key) for key in request.coordinator_keys]
            )
        found = _coordinator(view, request.key)
        return FindCoordinatorResponse(
            node_id=found.node_id, host=found.host, port=found.port, error_code=found.error_code
        )


def _topic(view: View, name: str | None, topic_id: bytes) -> MetadataResponseTopic:
    if name is None:
        name = next((name for name, (id_, _) in view.topics.items() if id_ == topic_id), None)
    if name is None:
        return MetadataResponseTopic(topic_id=topic_id, error_code=ErrorCode.UNKNOWN_TOPIC_ID)
    error = view.errors.get(name, ErrorCode.NONE)
    if not error and name not in view.topics:
        error = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    if error:
        return MetadataResponseTopic(name=name, error_code=error)
    id_, leaders = view.topics[name]
    return MetadataResponseTopic(
        name=name,
        topic_id=id_,
        partitions=[
            MetadataResponsePartition(
                partition_index=index, leader_id=leader, leader_epoch=epoch, replica_nodes=[leader]
            )
            for index, (leader, epoch) in enumerate(leaders)
        ],
    )


def _coordinator(view: View, key: str) -> Coordinator:
    found = view.coordinators.get(key, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if isinstance(found, ErrorCode):
        return Coordinator(key=key, node_id=-1, host="", port=-1, error_code=found)
    address = view.nodes[found]
    return Coordinator(key=key, node_id=found, host=address.host, port=address.port)
