"""Whom to ask about an item: one class for each rule of the protocol.

A route remembers what it has learned to be wrong, so it belongs to one call.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.connection import Connection
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import NodeUnreachableError, RefusedError
from ottla.client.metadata import Node
from ottla.client.remedies import Remedy, remedy_of

K = TypeVar("K", bound=Hashable)

_LOADING: Final = frozenset(
    {ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.COORDINATOR_NOT_AVAILABLE}
)
_NOT_THERE_YET: Final = frozenset(
    {
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
    }
)


class Errand(NamedTuple, Generic[K]):
    """Items that one node is asked about, in one question; None for whichever node."""

    items: Sequence[K]
    node: Node | None


class Placement(NamedTuple, Generic[K]):
    """Whom to ask, and items that nobody can be asked about now."""

    errands: Sequence[Errand[K]]
    refused: Mapping[K, RefusedError]


class Route(Protocol[K]):
    """Where items are asked about, and which refusals are worth another try."""

    async def place(self, items: Sequence[K]) -> Placement[K]:
        """By node, looked up once. Raises NodeError where nobody can be asked where to ask."""

    async def connection(self, node: Node | None) -> Connection:
        """To the node of an errand. Raises NodeError."""

    def doubt(self, items: Sequence[K], node: Node | None) -> None:
        """Asking this node has failed: look up these items anew."""

    def passes(self, code: ErrorCode) -> bool:
        """Whether to ask again after this refusal."""

    def passes_soon(self, code: ErrorCode) -> bool:
        """Whether to ask again only for a while: what is new may not be known everywhere."""


class _ByNode(Generic[K]):
    """What the routes share."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    async def connection(self, node: Node | None) -> Connection:
        return await (self.cluster.any_node() if node is None else self.cluster.connection(node))

    def passes_soon(self, code: ErrorCode) -> bool:
        return False


class ToAnyNode(_ByNode[K]):
    """What every node knows."""

    async def place(self, items: Sequence[K]) -> Placement[K]:
        return Placement([Errand(items, None)], {})

    def doubt(self, items: Sequence[K], node: Node | None) -> None:
        """Another node may be taken next time; there is nothing to forget."""

    def passes(self, code: ErrorCode) -> bool:
        return code in _LOADING


class ToController(_ByNode[K]):
    """Changes of the cluster. Newer clusters name any broker, which passes the request on."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._is_stale = False

    async def place(self, items: Sequence[K]) -> Placement[K]:
        metadata = self.cluster.metadata
        if self._is_stale or metadata.controller_id not in metadata.nodes:
            await self.cluster.refresh()
            self._is_stale = False
        return Placement([Errand(items, metadata.nodes.get(metadata.controller_id))], {})

    def doubt(self, items: Sequence[K], node: Node | None) -> None:
        self._is_stale = True

    def passes(self, code: ErrorCode) -> bool:
        return code in {
            ErrorCode.NOT_CONTROLLER,
            ErrorCode.NOT_LEADER_OR_FOLLOWER,
            ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        }


class ToLeaders(_ByNode[TopicPartition]):
    """Partitions, each at its leader; `together` lets one question be about all of a leader."""

    def __init__(self, cluster: Cluster, *, together: bool = True) -> None:
        super().__init__(cluster)
        self._together = together
        self._stale: set[str] = set()

    async def place(self, items: Sequence[TopicPartition]) -> Placement[TopicPartition]:
        metadata = self.cluster.metadata
        unknown = {item.topic for item in items if metadata.leader(*item) is None}
        unknown |= self._stale.intersection(item.topic for item in items)
        if unknown:
            await self.cluster.refresh(unknown)
            self._stale -= unknown
        found: dict[tuple[Node, TopicPartition | None], list[TopicPartition]] = {}
        refused: dict[TopicPartition, RefusedError] = {}
        for item in items:
            leader = metadata.leader(*item)
            if leader is None:
                refused[item] = self._why_nobody_leads(item)
            else:
                alone = None if self._together else item
                found.setdefault((leader.node, alone), []).append(item)
        return Placement([Errand(items, node) for (node, _), items in found.items()], refused)

    def _why_nobody_leads(self, item: TopicPartition) -> RefusedError:
        topic = self.cluster.metadata.topics.get(item.topic)
        if topic is not None and not topic.error and item.partition in topic.partitions:
            return RefusedError(ErrorCode.LEADER_NOT_AVAILABLE, str(item))
        if topic is None or not topic.error:
            return RefusedError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, str(item))
        return RefusedError(topic.error, str(item))

    def doubt(self, items: Sequence[TopicPartition], node: Node | None) -> None:
        self._stale.update(item.topic for item in items)

    def passes(self, code: ErrorCode) -> bool:
        return remedy_of(code).retriable

    def passes_soon(self, code: ErrorCode) -> bool:
        return code in _NOT_THERE_YET


class ToCoordinators(_ByNode[K]):
    """Groups or transactional ids, each at its coordinator.

    `name_of` tells the group or id that an item belongs to; `together` lets one question be about
    all the items of a coordinator, where the API takes several.
    """

    def __init__(
        self,
        cluster: Cluster,
        kind: CoordinatorKind,
        name_of: Callable[[K], str] = str,
        *,
        together: bool = True,
    ) -> None:
        super().__init__(cluster)
        self._kind = kind
        self._name_of = name_of
        self._together = together

    async def place(self, items: Sequence[K]) -> Placement[K]:
        names = {self._name_of(item) for item in items}
        told = await self.cluster.coordinators_of(self._kind, names)
        found: dict[tuple[Node, str], list[K]] = {}
        refused: dict[K, RefusedError] = {}
        for item in items:
            name = self._name_of(item)
            node = told[name]
            if isinstance(node, RefusedError):
                refused[item] = node
            else:
                found.setdefault((node, "" if self._together else name), []).append(item)
        return Placement([Errand(items, node) for (node, _), items in found.items()], refused)

    def doubt(self, items: Sequence[K], node: Node | None) -> None:
        for item in items:
            self.cluster.forget_coordinator(self._kind, self._name_of(item), node)

    def passes(self, code: ErrorCode) -> bool:
        return remedy_of(code) is Remedy.FIND_COORDINATOR or code in {
            ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
            ErrorCode.UNSTABLE_OFFSET_COMMIT,
            ErrorCode.REBALANCE_IN_PROGRESS,
            ErrorCode.CONCURRENT_TRANSACTIONS,
        }


class ToBrokers(_ByNode[K]):
    """Items that each belong to one broker, by its id; those of None to whichever."""

    def __init__(self, cluster: Cluster, broker_of: Callable[[K], int | None]) -> None:
        super().__init__(cluster)
        self._broker_of = broker_of
        self._is_stale = False

    async def place(self, items: Sequence[K]) -> Placement[K]:
        nodes = self.cluster.metadata.nodes
        wanted = {item: self._broker_of(item) for item in items}
        if self._is_stale or not nodes.keys() >= set(wanted.values()) - {None}:
            await self.cluster.refresh()
            nodes = self.cluster.metadata.nodes
            self._is_stale = False
        found: dict[Node | None, list[K]] = {}
        refused: dict[K, RefusedError] = {}
        for item, broker in wanted.items():
            if broker is None or broker in nodes:
                found.setdefault(None if broker is None else nodes[broker], []).append(item)
            else:
                code = ErrorCode.BROKER_NOT_AVAILABLE
                refused[item] = RefusedError(code, f"no broker {broker} is known")
        return Placement([Errand(items, node) for node, items in found.items()], refused)

    def doubt(self, items: Sequence[K], node: Node | None) -> None:
        self._is_stale = True

    def passes(self, code: ErrorCode) -> bool:
        return code in _LOADING

    def passes_soon(self, code: ErrorCode) -> bool:
        return code is ErrorCode.BROKER_NOT_AVAILABLE


async def brokers_of(cluster: Cluster) -> list[int]:
    """The ids of all brokers, asked for anew. Raises NodeError."""
    await cluster.refresh()
    if not cluster.metadata.nodes:
        raise NodeUnreachableError("the cluster tells of no broker")
    return sorted(cluster.metadata.nodes)
