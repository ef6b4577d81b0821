"""The way to the coordinator of one group."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import NodeError
from ottla.client.metadata import Node
from ottla.client.remedies import Remedy, remedy_of
from ottla.wire.schema import Message

R = TypeVar("R", bound=Message)


class GroupLine:
    """Finds the coordinator, and forgets it where it was the wrong one."""

    def __init__(self, cluster: Cluster, group_id: str) -> None:
        self.cluster = cluster
        self.group_id = group_id
        self._node: Node | None = None

    async def call(
        self,
        kind: type[Message],
        make: Callable[[int], Message],
        answer: type[R],
        *,
        purpose: Purpose = Purpose.GENERAL,
        at_most: int | None = None,
        timeout_s: float | None = None,
    ) -> R:
        """Ask once, in the version for which `make` makes the request.

        What may wait, as JoinGroup, has a purpose of its own. Raises as `Connection.call` and
        `Cluster.coordinator_of` do.
        """
        node = await self.cluster.coordinator_of(CoordinatorKind.GROUP, self.group_id)
        self._node = node
        try:
            connection = await self.cluster.connection(node, purpose)
            version = connection.version_of(kind, at_most=at_most)
            return await connection.call(
                make(version), answer, at_most=version, timeout_s=timeout_s
            )
        except NodeError:
            self._forget(node)
            raise

    def heed(self, code: int) -> None:
        """Look the coordinator up anew where an answer says that it is another one."""
        if self._node is not None and remedy_of(code) is Remedy.FIND_COORDINATOR:
            self._forget(self._node)

    def _forget(self, node: Node) -> None:
        self.cluster.forget_coordinator(CoordinatorKind.GROUP, self.group_id, node)
