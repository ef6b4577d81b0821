"""A cluster as a client finds it: any of its nodes first, then the one that a request is for.

Every call here may be cancelled at any time: what others wait for goes on without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar

from ottla.base.errors import ErrorCode
from ottla.base.world import Rng
from ottla.client.address import Address, parse_addresses
from ottla.client.backoff import Backoff
from ottla.client.connection import Connection
from ottla.client.connections import Connections, Purpose
from ottla.client.connector import Connector
from ottla.client.coordinators import CoordinatorKind, Coordinators
from ottla.client.errors import NodeUnreachableError, RefusedError
from ottla.client.metadata import ClusterMetadata, Leader, Node, TopicMetadata
from ottla.client.metadata_refresh import MetadataRefresh
from ottla.client.nodes import AnyNode
from ottla.client.options import ClusterOptions
from ottla.client.retrying import retry
from ottla.transport.clock import SystemRng

T = TypeVar("T")


class Cluster:
    """Connections to a cluster's nodes, made when they are needed, and what they tell.

    async with Cluster("localhost:9092") as cluster:
        leader = await cluster.leader_of("orders", 0)
        connection = await cluster.connection(leader.node, Purpose.PRODUCE)
        response = await connection.call(request, ProduceResponse)

    Make it inside the event loop that uses it. Lookups try again, with backoff, until `timeout_s`
    (`default_api_timeout_ms` where None) is over, and raise DeadlineError then; RefusedError for
    what will never succeed; ClusterClosedError.
    """

    def __init__(
        self,
        bootstrap: str | Sequence[Address],
        options: ClusterOptions | None = None,
        *,
        connector: Connector | None = None,
        rng: Rng | None = None,
    ) -> None:
        """Reads the addresses, asks nothing yet; `connector` goes before that of the options.

        Raises UserError for what is no address.
        """
        addresses = parse_addresses(bootstrap) if isinstance(bootstrap, str) else bootstrap
        self.options = options or ClusterOptions()
        self.rng: Rng = rng or SystemRng()
        self.metadata = ClusterMetadata()
        """What is known. Reading a topic there keeps it fresh."""
        self._connections = Connections(self.options, connector or self.options.connector, self.rng)
        self._any_node = AnyNode(
            addresses, self._connections, self.metadata, self.options, self.rng
        )
        self._refresh = MetadataRefresh(
            self.metadata, self._any_node, self._connections, self.options, self.rng
        )
        self._coordinators = Coordinators(self._any_node)

    # -- connections -----------------------------------------------------------------------------

    async def connection(self, node: Node | int, purpose: Purpose = Purpose.GENERAL) -> Connection:
        """The connection to a node for a purpose, made where there is none.

        Raises NodeError at once where it cannot be made, also for a node id that is not known;
        ProtocolError where no Kafka broker is there. After a failure the next call for the same
        address waits for a backoff before it tries again.
        """
        if isinstance(node, int):
            known = self.metadata.nodes.get(node)
            if known is None:
                raise NodeUnreachableError(f"the cluster has no node {node}, as far as is known")
            node = known
        return await self._connections.get(node.address, purpose)

    async def any_node(self) -> Connection:
        """A connection to the known node with the least to do, or to a first address.

        Raises NodeUnreachableError with what each of them said.
        """
        return await self._any_node.connection()

    async def controller(self) -> Connection:
        """The node that takes changes of the cluster, asked for anew. Raises NodeError."""
        await self._refresh.tracked()
        node = self.metadata.nodes.get(self.metadata.controller_id)
        return await (self.any_node() if node is None else self.connection(node))

    # -- metadata --------------------------------------------------------------------------------

    async def refresh(self, topics: Iterable[str] | None = None, *, creates: bool = False) -> None:
        """Ask for these topics, or for all that is tracked, anew; one request for all who wait.

        With `creates`, topics that are missing are made where the cluster does so.
        Tries once. Raises NodeError where no node answers. What a topic's own error is, its entry
        in `metadata.topics` says.
        """
        await (
            self._refresh.tracked()
            if topics is None
            else self._refresh.topics(topics, creates=creates)
        )

    def refresh_soon(self) -> None:
        """Begin to refresh what is tracked, and wait for nothing: some node was wrong about it."""
        self._refresh.tracked_soon()

    async def refresh_all(self) -> None:
        """Learn every topic of the cluster: for patterns. Raises NodeError where nobody answers."""
        await self._refresh.all_topics()

    async def topic(
        self, name: str, *, creates: bool = False, timeout_s: float | None = None
    ) -> TopicMetadata:
        """The topic, waited for until it is there; with `creates`, made where the cluster does so.

        Raises DeadlineError, RefusedError (no right to it, an impossible name).
        """

        async def look() -> TopicMetadata:
            await self._refresh.topics([name], creates=creates)
            return self._present(name)

        found = self.metadata.topic(name)
        if found is not None:
            return found
        return await self.retry(look, failed=f"topic {name!r} was not found", timeout_s=timeout_s)

    async def topic_by_id(
        self, topic_id: bytes, *, timeout_s: float | None = None
    ) -> TopicMetadata:
        """The topic of an id, waited for until it is there. Raises DeadlineError, RefusedError."""

        async def look() -> TopicMetadata:
            await self._refresh.ids([topic_id])
            known = self.metadata.topic_by_id(topic_id)
            if known is None:
                raise RefusedError(ErrorCode.UNKNOWN_TOPIC_ID, topic_id.hex())
            return known

        found = self.metadata.topic_by_id(topic_id)
        if found is not None:
            return found
        return await self.retry(
            look, failed=f"no topic of id {topic_id.hex()} was found", timeout_s=timeout_s
        )

    async def leader_of(
        self,
        topic: str,
        partition: int,
        *,
        creates: bool = False,
        timeout_s: float | None = None,
    ) -> Leader:
        """The leader as it is known, or waited for until there is one.

        A leader that refuses (NOT_LEADER_OR_FOLLOWER) is forgotten by learning better: `refresh`,
        or `metadata.learn_leader` where its answer names the new one. Raises as `topic` does.
        """

        async def look() -> Leader:
            await self._refresh.topics([topic], creates=creates)
            return self._led(topic, partition)

        found = self.metadata.leader(topic, partition)
        if found is not None:
            return found
        return await self.retry(
            look, failed=f"no leader of {topic}-{partition} was found", timeout_s=timeout_s
        )

    def _present(self, name: str) -> TopicMetadata:
        found = self.metadata.topic(name)
        if found is not None:
            return found
        told = self.metadata.topics.get(name)
        code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION if told is None else told.error
        raise RefusedError(code, f"topic {name!r}")

    def _led(self, topic: str, partition: int) -> Leader:
        known = self._present(topic).partitions.get(partition)
        if known is None:
            raise RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"{topic}-{partition}")
        leader = self.metadata.leader(topic, partition)
        if leader is None:
            raise RefusedError(ErrorCode.LEADER_NOT_AVAILABLE, f"{topic}-{partition}")
        return leader

    # -- coordinators ----------------------------------------------------------------------------

    async def coordinator_of(
        self, kind: CoordinatorKind, key: str, *, timeout_s: float | None = None
    ) -> Node:
        """The node that coordinates a group or a transactional id, as known or waited for.

        Those that are asked for at the same time are looked up by one request. Raises
        DeadlineError, RefusedError.
        """
        known = self._coordinators.known(kind, key)
        if known is not None:
            return known
        return await self.retry(
            lambda: self._coordinators.find(kind, key),
            failed=f"no coordinator of {key!r} was found",
            timeout_s=timeout_s,
        )

    async def coordinators_of(
        self, kind: CoordinatorKind, keys: Iterable[str]
    ) -> Mapping[str, Node | RefusedError]:
        """The coordinator of each, or why there is none now. Tries once. Raises NodeError."""
        return await self._coordinators.find_all(kind, keys)

    def forget_coordinator(self, kind: CoordinatorKind, key: str, node: Node | None = None) -> None:
        """Look it up anew next time; with `node`, only if that is still the one remembered.

        For NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE and a lost connection.
        """
        self._coordinators.forget(kind, key, node)

    # -- trying again ----------------------------------------------------------------------------

    def backoff(self) -> Backoff:
        """For the failures of one thing: `retry_backoff_ms` and its maximum."""
        options = self.options
        return Backoff(options.retry_backoff_ms, options.retry_backoff_max_ms, self.rng)

    async def retry(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        failed: str,
        timeout_s: float | None = None,
    ) -> T:
        """What `attempt` returns at last; made again after NodeError and passing RefusedError.

        Raises all else that it raises, and DeadlineError, which begins with `failed`.
        """
        if timeout_s is None:
            timeout_s = self.options.default_api_timeout_ms / 1000
        return await retry(attempt, backoff=self.backoff(), timeout_s=timeout_s, failed=failed)

    # -- the end ---------------------------------------------------------------------------------

    async def close(self) -> None:
        """Close every connection; who still waits for anything here gets ClusterClosedError."""
        await self._refresh.close()
        await self._coordinators.close()
        await self._connections.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
