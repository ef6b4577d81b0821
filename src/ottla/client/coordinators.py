"""Which node coordinates a group or a transactional id: looked up together, and remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.limits import CLIENT_COORDINATORS_KEPT_MAX
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.client.metadata import Node
from ottla.client.nodes import AnyNode
from ottla.client.remedies import known_error
from ottla.client.rounds import Rounds
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse

_SEVERAL_FROM: Final = 4
"""The first version of FindCoordinator that takes several keys (KIP-699)."""


class CoordinatorKind(IntEnum):
    """What is coordinated, by the protocol's numbers."""

    GROUP = 0
    TRANSACTION = 1
    SHARE = 2


class _Key(NamedTuple):
    kind: CoordinatorKind
    name: str


_Found = Node | RefusedError


class Coordinators:
    """Remembers nodes by what they coordinate, until somebody says that it is wrong."""

    def __init__(self, any_node: AnyNode, *, kept_max: int = CLIENT_COORDINATORS_KEPT_MAX) -> None:
        self._any_node = any_node
        self._kept_max = kept_max
        # In the order of their use, the latest last.
        self._known: dict[_Key, Node] = {}
        self._rounds: Rounds[_Key, Mapping[_Key, _Found]] = Rounds(self._round)

    def known(self, kind: CoordinatorKind, name: str) -> Node | None:
        """The coordinator, if it was looked up."""
        key = _Key(kind, name)
        found = self._known.get(key)
        if found is not None:
            self._known[key] = self._known.pop(key)
        return found

    async def find(self, kind: CoordinatorKind, name: str) -> Node:
        """The coordinator, asked for where it is not known. Raises NodeError, RefusedError."""
        found = (await self.find_all(kind, [name]))[name]
        if isinstance(found, Node):
            return found
        raise RefusedError(found.code, found.message)

    async def find_all(
        self, kind: CoordinatorKind, names: Iterable[str]
    ) -> dict[str, Node | RefusedError]:
        """Each coordinator, or why there is none; by one request. Raises NodeError."""
        found: dict[str, Node | RefusedError] = {}
        unknown: list[_Key] = []
        for name in names:
            known = self.known(kind, name)
            if known is None:
                unknown.append(_Key(kind, name))
            else:
                found[name] = known
        if unknown:
            told = await self._rounds.demand(unknown)
            found.update({key.name: told[key] for key in unknown})
        return found

    def forget(self, kind: CoordinatorKind, name: str, node: Node | None = None) -> None:
        """It is another one by now; with `node`, only if that is still the one remembered.

        Of many requests that one old coordinator refuses, the late ones must not undo what the
        first has found.
        """
        key = _Key(kind, name)
        if node is None or self._known.get(key) == node:
            self._known.pop(key, None)

    async def close(self) -> None:
        """Ask no more."""
        await self._rounds.close()

    async def _round(self, keys: frozenset[_Key]) -> Mapping[_Key, _Found]:
        found: dict[_Key, _Found] = {}

        async def ask(connection: Connection) -> None:
            for kind in CoordinatorKind:
                names = sorted(key.name for key in keys if key.kind is kind)
                if names:
                    found.update(await _ask(connection, kind, names))

        await self._any_node.ask(ask)
        for key, node in found.items():
            if isinstance(node, Node):
                self._remember(key, node)
        return found

    def _remember(self, key: _Key, node: Node) -> None:
        self._known.pop(key, None)
        if len(self._known) >= self._kept_max:
            del self._known[next(iter(self._known))]
        self._known[key] = node


async def _ask(
    connection: Connection, kind: CoordinatorKind, names: list[str]
) -> dict[_Key, _Found]:
    if connection.version_of(FindCoordinatorRequest) < _SEVERAL_FROM:
        return {_Key(kind, name): await _ask_one(connection, kind, name) for name in names}
    request = FindCoordinatorRequest(key_type=kind, coordinator_keys=names)
    response = await connection.call(request, FindCoordinatorResponse)
    answers = {
        answer.key: _found(
            answer.error_code,
            answer.error_message,
            Node(answer.node_id, answer.host, answer.port),
            name=answer.key,
        )
        for answer in response.coordinators
    }
    return {_Key(kind, name): answers.get(name) or _not_answered(name) for name in names}


async def _ask_one(connection: Connection, kind: CoordinatorKind, name: str) -> _Found:
    request = FindCoordinatorRequest(key=name, key_type=kind)
    answer = await connection.call(request, FindCoordinatorResponse)
    node = Node(answer.node_id, answer.host, answer.port)
    return _found(answer.error_code, answer.error_message, node, name=name)


def _found(error_code: int, message: str | None, node: Node, *, name: str) -> _Found:
    if not error_code:
        return node
    return RefusedError(known_error(error_code), message or f"no coordinator of {name!r} was told")


def _not_answered(name: str) -> RefusedError:
    return RefusedError(
        ErrorCode.COORDINATOR_NOT_AVAILABLE, f"the answer leaves out {name!r}, which was asked for"
    )
