"""Whom to ask what any node can tell: known nodes, and behind them the first addresses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Rng
from ottla.client.address import Address
from ottla.client.connection import Connection
from ottla.client.connections import Connections
from ottla.client.errors import NodeError, NodeUnreachableError, RefusedError
from ottla.client.metadata import ClusterMetadata
from ottla.client.options import ClusterOptions

T = TypeVar("T")


class AnyNode:
    """The node with the least to do first; one that fails is passed over."""

    def __init__(
        self,
        bootstrap: Sequence[Address],
        connections: Connections,
        metadata: ClusterMetadata,
        options: ClusterOptions,
        rng: Rng,
    ) -> None:
        self._bootstrap = list(bootstrap)
        self._connections = connections
        self._metadata = metadata
        self._rng = rng
        self._rebootstraps = options.metadata_recovery_strategy == "rebootstrap"

    async def connection(self) -> Connection:
        """To the first that can be reached. Raises NodeUnreachableError."""

        async def take(connection: Connection) -> Connection:
            return connection

        return await self.ask(take)

    async def ask(
        self, question: Callable[[Connection], Awaitable[T]], *, rebootstrap: bool = False
    ) -> T:
        """The first answer; with `rebootstrap` the first addresses come first (KIP-1102).

        A node that answers REBOOTSTRAP_REQUIRED knows that its cluster has moved: then only they
        are asked. Raises NodeUnreachableError, with what each of them said.
        """
        failures: list[str] = []
        known_are_over = False
        for address, is_bootstrap in self._candidates(rebootstrap=rebootstrap):
            if known_are_over and not is_bootstrap:
                continue
            try:
                return await question(await self._connections.get(address))
            except NodeError as error:
                failures.append(str(error))
            except (ProtocolError, RefusedError) as error:
                failures.append(f"{address}: {error}")
                known_are_over |= error.code is ErrorCode.REBOOTSTRAP_REQUIRED
        raise NodeUnreachableError("; ".join(dict.fromkeys(failures)) or "no node is known")

    def _candidates(self, *, rebootstrap: bool) -> Iterator[tuple[Address, bool]]:
        """Each address once, and whether it is one of the first."""
        known = [node.address for node in self._metadata.nodes.values()]
        known.sort(key=self._load)
        first = self._bootstrap if self._rebootstraps or not known else []
        order = [*first, *known] if rebootstrap and self._rebootstraps else [*known, *first]
        for address in dict.fromkeys(order):
            yield address, address in first

    def _load(self, address: Address) -> tuple[bool, int, int]:
        """Connected ones first, then those that owe the fewest answers, then by chance."""
        found = self._connections.find(address)
        return found is None, 0 if found is None else found.in_flight, self._rng.below(1 << 16)
