"""Keeping the metadata fresh: on demand, one request for all who wait, and by age."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct

from ottla.base.world import Rng
from ottla.client.backoff import Backoff
from ottla.client.connection import Connection
from ottla.client.connections import Connections
from ottla.client.errors import NodeError, NodeUnreachableError, RefusedError
from ottla.client.metadata import ClusterMetadata
from ottla.client.nodes import AnyNode
from ottla.client.options import ClusterOptions
from ottla.client.remedies import known_error
from ottla.client.rounds import Rounds
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse

log = logging.getLogger(__name__)

_IDS_FROM: Final = 12
"""The first version of Metadata that takes topics by id."""


class _Kind(Enum):
    TRACKED = "what is known"
    ALL = "all topics"
    NAME = "by name"
    NEW_NAME = "by name, to be created where the cluster does that"
    ID = "by id"


class _Want(NamedTuple):
    kind: _Kind
    name: str = ""
    topic_id: bytes = b""


class _Question(Struct, frozen=True, kw_only=True):
    """One request; `names` None for all topics."""

    names: frozenset[str] | None = frozenset()
    ids: frozenset[bytes] = frozenset()
    creates: bool = False

    def asks_all(self, connection: Connection) -> bool:
        """Whether all topics are asked for, also because the node takes no ids."""
        takes_ids = connection.version_of(MetadataRequest) >= _IDS_FROM
        return self.names is None or (bool(self.ids) and not takes_ids)

    def request(self, connection: Connection) -> MetadataRequest:
        """In the form that the node takes."""
        topics = None
        if self.names is not None and not self.asks_all(connection):
            topics = [MetadataRequestTopic(name=name) for name in sorted(self.names)]
            topics += [MetadataRequestTopic(name=None, topic_id=id_) for id_ in sorted(self.ids)]
        return MetadataRequest(topics=topics, allow_auto_topic_creation=self.creates)


class MetadataRefresh:
    """Asks; the answers are in `metadata` before whoever waits goes on.

    Topics are tracked, which is to say refreshed by age and with `tracked`, while somebody reads
    them from the metadata at least every `metadata_max_idle_ms`.
    """

    def __init__(
        self,
        metadata: ClusterMetadata,
        any_node: AnyNode,
        connections: Connections,
        options: ClusterOptions,
        rng: Rng,
    ) -> None:
        self._metadata = metadata
        self._any_node = any_node
        self._connections = connections
        self._options = options
        self._rounds: Rounds[_Want, None] = Rounds(self._round)
        self._loop = asyncio.get_running_loop()
        self._backoff = Backoff(options.retry_backoff_ms, options.retry_backoff_max_ms, rng)
        self._last_success_s = self._loop.time()
        self._last_round_s: float | None = None
        self._used_at_s: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def topics(self, names: Iterable[str], *, creates: bool = False) -> None:
        """Learn these. Raises NodeError where nobody answers; a topic's own error is its entry."""
        kind = _Kind.NEW_NAME if creates else _Kind.NAME
        await self._rounds.demand(_Want(kind, name=name) for name in names)

    async def ids(self, topic_ids: Iterable[bytes]) -> None:
        """Learn the topics of these ids. Raises NodeError."""
        await self._rounds.demand(_Want(_Kind.ID, topic_id=id_) for id_ in topic_ids)

    async def all_topics(self) -> None:
        """Learn every topic there is. Raises NodeError."""
        await self._rounds.demand([_Want(_Kind.ALL)])

    async def tracked(self) -> None:
        """Learn nodes, and what is tracked, anew. Raises NodeError."""
        await self._rounds.demand([_Want(_Kind.TRACKED)])

    def tracked_soon(self) -> None:
        """The same, without waiting."""
        self._rounds.begin([_Want(_Kind.TRACKED)])

    async def close(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()
        await self._rounds.close()

    # -- one round -------------------------------------------------------------------------------

    async def _round(self, wants: frozenset[_Want]) -> None:
        await self._keep_distance(wants)
        self._note_use()
        try:
            for question in self._questions(wants):
                await self._ask(question)
        except NodeError as error:
            log.info("no node tells the metadata", extra={"error": str(error)})
            self._come_again(self._backoff.next_ms())
            raise
        else:
            self._last_success_s = self._loop.time()
            self._backoff.reset()
            self._come_again(self._options.metadata_max_age_ms)
        finally:
            self._last_round_s = self._loop.time()

    async def _keep_distance(self, wants: frozenset[_Want]) -> None:
        """Not one round after the other about what is known: who asks for news gets it at once."""
        if self._last_round_s is None or any(map(self._is_new, wants)):
            return
        since_ms = (self._loop.time() - self._last_round_s) * 1000
        if since_ms < self._options.retry_backoff_ms:
            await asyncio.sleep((self._options.retry_backoff_ms - since_ms) / 1000)

    def _is_new(self, want: _Want) -> bool:
        match want.kind:
            case _Kind.NAME | _Kind.NEW_NAME:
                return want.name not in self._metadata.topics
            case _Kind.ALL:
                return True
            case _:
                return False

    def _note_use(self) -> None:
        """Track what was read since the last round; forget what nobody has read for long."""
        now_s = self._loop.time()
        for name in self._metadata.topics:
            self._used_at_s.setdefault(name, now_s)
        self._used_at_s.update(dict.fromkeys(self._metadata.take_read(), now_s))
        idle_s_max = self._options.metadata_max_idle_ms / 1000
        idle = [name for name, at_s in self._used_at_s.items() if now_s - at_s >= idle_s_max]
        for name in idle:
            del self._used_at_s[name]
        self._metadata.forget_topics(idle)

    def _questions(self, wants: frozenset[_Want]) -> Iterator[_Question]:
        """As few as can be: what is to be created, and what goes by id, stands alone.

        (A broker that is given an id looks at no names.)
        """
        kinds = {want.kind for want in wants}
        creates = frozenset(want.name for want in wants if want.kind is _Kind.NEW_NAME)
        if creates:
            yield _Question(names=creates, creates=True)
        ids = frozenset(want.topic_id for want in wants if want.kind is _Kind.ID)
        if ids:
            yield _Question(ids=ids)
        if _Kind.ALL in kinds:
            yield _Question(names=None)
            return
        names = frozenset(want.name for want in wants if want.kind is _Kind.NAME)
        if _Kind.TRACKED in kinds:
            names |= self._used_at_s.keys()
        if names or _Kind.TRACKED in kinds:
            yield _Question(names=names - creates)

    async def _ask(self, question: _Question) -> None:
        silent_ms = (self._loop.time() - self._last_success_s) * 1000
        due_ms = (
            self._options.metadata_max_age_ms
            + self._options.metadata_recovery_rebootstrap_trigger_ms
        )

        async def ask(connection: Connection) -> None:
            everything = question.asks_all(connection)
            response = await connection.call(question.request(connection), MetadataResponse)
            if response.error_code:
                code = known_error(response.error_code)
                raise RefusedError(code, "it does not tell the metadata")
            if not response.brokers:
                raise NodeUnreachableError(f"{connection.address} knows no node of its cluster")
            self._metadata.take(response, everything=everything)

        await self._any_node.ask(ask, rebootstrap=silent_ms >= due_ms)

    # -- by age ----------------------------------------------------------------------------------

    def _come_again(self, wait_ms: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(wait_ms / 1000, self._is_old)

    def _is_old(self) -> None:
        self._connections.close_idle()
        self.tracked_soon()
