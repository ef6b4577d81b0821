"""What the producer needs of a cluster: the seam between it and `client.cluster`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.coordinators import CoordinatorKind
from ottla.client.metadata import ClusterMetadata
from ottla.wire.schema import Message

R = TypeVar("R", bound=Message)


class NodeLine(Protocol):
    """A connection to one node; `client.connection.Connection` is one."""

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be asked any more."""
        ...

    async def call(
        self,
        request: Message,
        answer: type[R],
        *,
        at_most: int | None = None,
        timeout_s: float | None = None,
    ) -> R:
        """Ask; the request leaves before this first waits. Raises NodeError, ProtocolError."""
        ...

    async def tell(self, request: Message, *, at_most: int | None = None) -> None:
        """Send what has no answer. Raises NodeError, ProtocolError."""
        ...

    def version_of(self, request: type[Message], *, at_most: int | None = None) -> int:
        """The version that both sides speak. Raises ProtocolError."""
        ...

    def feature_level(self, name: str) -> int:
        """The level at which the cluster runs a feature."""
        ...


class Line(Protocol):
    """A cluster."""

    @property
    def metadata(self) -> ClusterMetadata:
        """What is known now."""
        ...

    async def refresh(self, topics: Iterable[str]) -> None:
        """Ask for these topics anew, which creates them where the cluster does so.

        Raises UserError, ProtocolError.
        """
        ...

    async def node(self, node_id: int) -> NodeLine:
        """A connection to this node. Raises UserError, ProtocolError."""
        ...

    async def coordinator(self) -> NodeLine:
        """A connection to the coordinator of this producer's transactions. Raises as `node`."""
        ...

    def forget_coordinator(self) -> None:
        """Look it up anew next time."""
        ...

    async def group_coordinator(self, group_id: str) -> NodeLine:
        """A connection to the coordinator of a group. Raises as `node`."""
        ...

    def forget_group_coordinator(self, group_id: str) -> None:
        """Look it up anew next time."""
        ...

    async def any_node(self) -> NodeLine:
        """A connection to whichever node. Raises UserError, ProtocolError."""
        ...


class ClusterLine:
    """A `Line` to a real cluster."""

    def __init__(self, cluster: Cluster, transactional_id: str | None) -> None:
        self._cluster = cluster
        self._transactional_id = transactional_id or ""

    @property
    def metadata(self) -> ClusterMetadata:
        """See `Line`."""
        return self._cluster.metadata

    async def refresh(self, topics: Iterable[str]) -> None:
        """See `Line`."""
        await self._cluster.refresh(topics, creates=True)

    async def node(self, node_id: int) -> NodeLine:
        """See `Line`."""
        return await self._cluster.connection(node_id, Purpose.PRODUCE)

    async def any_node(self) -> NodeLine:
        """See `Line`."""
        return await self._cluster.any_node()

    async def coordinator(self) -> NodeLine:
        """See `Line`."""
        kind, key = CoordinatorKind.TRANSACTION, self._transactional_id
        return await self._coordinator(kind, key)

    def forget_coordinator(self) -> None:
        """See `Line`."""
        self._cluster.forget_coordinator(CoordinatorKind.TRANSACTION, self._transactional_id)

    async def group_coordinator(self, group_id: str) -> NodeLine:
        """See `Line`."""
        return await self._coordinator(CoordinatorKind.GROUP, group_id)

    def forget_group_coordinator(self, group_id: str) -> None:
        """See `Line`."""
        self._cluster.forget_coordinator(CoordinatorKind.GROUP, group_id)

    async def _coordinator(self, kind: CoordinatorKind, key: str) -> NodeLine:
        node = await self._cluster.coordinator_of(kind, key)
        return await self._cluster.connection(node, Purpose.COORDINATOR)
