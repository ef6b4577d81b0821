"""Fetches ahead of the user: one look at all partitions whenever something has changed.

The look is a callback and never waits. What waits are tasks of its own: one fetch for each leader,
lookups of offsets and epochs, one refresh of the metadata. Whoever waits for records can be
cancelled without any of them noticing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.connection import Connection
from ottla.client.connections import Purpose
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.errors import ConsumerClosedError, FetchRefusedError
from ottla.client.consumer.fetch_requests import answers, fetch_request, learn_leader, version_limit
from ottla.client.consumer.fetch_session import (
    FINAL_EPOCH,
    NO_SESSION,
    FetchSession,
    SessionRequest,
)
from ottla.client.consumer.lookups import Lookups
from ottla.client.consumer.metrics import FetchCounts
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import NEVER, NodePlan, Plan, Task, look_at, share_of, targets
from ottla.client.consumer.verdicts import fetched, redirected
from ottla.client.errors import RefusedError
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.fetch import FetchRequest, FetchResponse, PartitionData
from ottla.wire.records.memory import copy_of

_log = logging.getLogger(__name__)

LEAVING_S_MAX: Final = 1.0
"""How long a consumer that closes takes to tell nodes that their sessions are over."""

PASS_PAUSE_MS: Final = 20
"""How long what has nothing new is left alone where its node waits for news of others."""

_SESSION_PARTS: Final = 3
_PARTS: Final = 4
"""How much of the room a session's answer may take."""


class _Asked:
    """A fetch on its way."""

    def __init__(self, tasks: list[Task], options: ConsumerOptions) -> None:
        self.wanted = targets(tasks, options)
        self.tasks = {task.partition.partition: task for task in tasks}

    @property
    def topics(self) -> dict[bytes, str]:
        """Names by id."""
        return {target.topic_id: partition.topic for partition, target in self.wanted.items()}

    def covers(self, task: Task) -> bool:
        """Whether its answer will be the one that is wanted by now."""
        asked = self.tasks.get(task.partition.partition)
        return (
            asked is not None
            and asked.partition is task.partition
            and asked.version == task.version
            and self.wanted[task.partition.partition].offset == task.partition.fetch_offset
        )


def _not_covered(tasks: list[Task], asked: _Asked | None) -> list[Task]:
    """Those that need a request of their own."""
    return tasks if asked is None else [task for task in tasks if not asked.covers(task)]


class _Node:
    """One node that is fetched from: by its session, in which it may wait for news, and past it.

    A session counts its requests, so that there is one at a time. What that one does not ask for
    must not wait until it is answered: it is fetched by a request that neither waits nor belongs
    to the session, on a connection of its own.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.session = FetchSession()
        self.busy = False
        self.asked: _Asked | None = None
        """What the session's request asks for."""
        self.promised = 0
        """Bytes that its answer may have."""
        self.is_passing = False
        self.passing: _Asked | None = None
        """What is fetched past the session, from when it was asked for."""
        self.pass_at_ms = 0.0
        self.retry_at_ms = 0.0
        self.backoff = cluster.backoff()


class Fetcher:
    """Runs from the first wake until `stop`."""

    def __init__(self, cluster: Cluster, options: ConsumerOptions) -> None:
        self._cluster = cluster
        self._options = options
        self._loop = asyncio.get_running_loop()
        self.assigned: dict[TopicPartition, AssignedPartition] = {}
        self.counts = FetchCounts()
        self.fatal: Exception | None = None
        """Why nothing is fetched any more."""
        self._nodes: dict[int, _Node] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._news: set[asyncio.Future[None]] = set()
        self._stopped = False
        self._stale: set[str] = set()
        self._refreshing = False
        self._refresh_at_ms = 0.0
        self._refresh_backoff = cluster.backoff()
        self._lookups = Lookups(
            cluster, options, start=self._start, stale=self._stale.add, now_ms=self._now_ms
        )

    def _now_ms(self) -> float:
        return self._loop.time() * 1000

    # -- waking ----------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again, in this turn of the loop, and let whoever waits do the same."""
        for waiter in self._news:
            if not waiter.done():
                waiter.set_result(None)
        if not self._look_is_due and not self._stopped:
            self._look_is_due = True
            self._loop.call_soon(self._look)

    async def news(self, timeout_s: float | None) -> None:
        """Wait until something has changed, or for so long."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._news.add(waiter)
        try:
            if timeout_s is None:
                await waiter
            else:
                await asyncio.wait([waiter], timeout=timeout_s)
        finally:
            self._news.discard(waiter)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._break(task.exception())
        self.wake()

    def _break(self, error: BaseException | None) -> None:
        """A fault of ours: nobody may wait for ever."""
        _log.error("the consumer has failed", exc_info=error)
        self.fatal = self.fatal or ConsumerClosedError(f"the consumer has failed: {error!r}")
        self._stopped = True

    # -- looking ---------------------------------------------------------------------------------

    def _look(self) -> None:
        self._look_is_due = False
        if self._stopped:
            return
        try:
            self._look_through()
        except Exception as error:  # noqa: BLE001 # a callback has nobody to raise to
            self._break(error)
            self.wake()

    def _look_through(self) -> None:
        now_ms = self._now_ms()
        plan = look_at(self.assigned.values(), self._cluster.metadata, self._options, now_ms)
        again_at_ms = plan.again_at_ms
        for node_id, wanted in plan.nodes.items():
            self._lookups.ask(node_id, wanted)
            if wanted.fetches:
                again_at_ms = min(again_at_ms, self._fetch_from(node_id, plan, now_ms))
        self._stale |= plan.leaderless
        again_at_ms = min(again_at_ms, self._refresh_stale(now_ms))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if again_at_ms != NEVER:
            wait_ms = max(again_at_ms - now_ms, 1)
            self._timer = self._loop.call_later(wait_ms / 1000, self.wake)
        self._raise_hands()

    def _raise_hands(self) -> None:
        """A look may have found an error that somebody waits to be told."""
        if any(partition.error is not None for partition in self.assigned.values()):
            for waiter in self._news:
                if not waiter.done():
                    waiter.set_result(None)

    def _refresh_stale(self, now_ms: float) -> float:
        """Ask for what is stale; when to look again for it."""
        if not self._stale or self._refreshing:
            return NEVER
        if self._refresh_at_ms > now_ms:
            return self._refresh_at_ms
        self._refreshing = True
        self._start(self._refresh())
        return NEVER

    async def _refresh(self) -> None:
        topics, now_known = sorted(self._stale), False
        generation = self._cluster.metadata.generation
        try:
            await self._cluster.refresh(topics, creates=self._options.allow_auto_create_topics)
        except (UserError, ProtocolError) as error:
            _log.info("metadata was not refreshed", extra={"reason": str(error)})
        else:
            self._stale.difference_update(topics)
            now_known = self._cluster.metadata.generation != generation
        finally:
            self._refreshing = False
        if now_known:
            self._refresh_backoff.reset()
        self._refresh_at_ms = self._now_ms() + self._refresh_backoff.next_ms()

    def _plan(self) -> Plan:
        return look_at(
            self.assigned.values(), self._cluster.metadata, self._options, self._now_ms()
        )

    # -- fetching --------------------------------------------------------------------------------

    def _fetch_from(self, node_id: int, plan: Plan, now_ms: float) -> float:
        """Fetch, if it is time and there is room; when to look again for it."""
        node = self._nodes.get(node_id)
        if node is None:
            node = self._nodes[node_id] = _Node(self._cluster)
        if node.retry_at_ms > now_ms:
            return node.retry_at_ms
        if node.busy:
            return self._fetch_past(node_id, node, plan, now_ms)
        if not _not_covered(plan.nodes[node_id].fetches, node.passing):
            return NEVER
        if self._room(node_id, plan) <= 0 and not self._drop_paused(node_id):
            return NEVER
        node.busy = True
        self._start(self._fetch(node_id, node))
        return NEVER

    def _fetch_past(self, node_id: int, node: _Node, plan: Plan, now_ms: float) -> float:
        """Fetch what the request on its way does not ask for; when to look again for it."""
        if node.is_passing or self._left_out(node_id, node, plan) is None:
            return NEVER
        if node.pass_at_ms > now_ms:
            return node.pass_at_ms
        node.is_passing = True
        self._start(self._pass(node_id, node))
        return NEVER

    def _left_out(self, node_id: int, node: _Node, plan: Plan) -> tuple[_Asked, int] | None:
        """What the request on its way does not ask for, and the bytes that there is room for."""
        planned = plan.nodes.get(node_id)
        if node.asked is None or planned is None:
            return None
        left_out = _not_covered(planned.fetches, node.asked)
        room = self._room(node_id, plan) - node.promised
        return (_Asked(left_out, self._options), room) if left_out and room > 0 else None

    def _room(self, node_id: int, plan: Plan) -> int:
        return share_of(plan, self._options) - plan.nodes[node_id].buffered

    def _drop_paused(self, node_id: int) -> bool:
        """Make room by what nobody takes at present; whether there was any."""
        idle = [
            partition
            for partition in self.assigned.values()
            if partition.paused and partition.is_buffered and self._serves(node_id, partition)
        ]
        for partition in idle:
            partition.drop_buffer()
        return bool(idle)

    def _serves(self, node_id: int, partition: AssignedPartition) -> bool:
        if partition.replica is not None:
            return partition.replica.node_id == node_id
        leader = self._cluster.metadata.leader(*partition.partition)
        return leader is not None and leader.node.node_id == node_id

    async def _fetch(self, node_id: int, node: _Node) -> None:
        try:
            connection = await self._cluster.connection(node_id, Purpose.FETCH)
            # Only now: connecting may take long, and what is wanted may be something else by now.
            plan = self._plan()
            wanted = _not_covered(plan.nodes.get(node_id, NodePlan()).fetches, node.passing)
            if not wanted:
                return
            node.asked = asked = _Asked(wanted, self._options)
            at_most = version_limit(asked.wanted.values())
            version = connection.version_of(FetchRequest, at_most=at_most)
            session = node.session.plan(asked.wanted, by_id=version > 12)
            node.promised = self._session_bytes_max(node_id, plan, len(wanted))
            request = fetch_request(session, self._options, bytes_max=node.promised)
            response = await self._timed(connection, request, at_most)
        except (UserError, ProtocolError) as error:
            _log.info("a fetch has failed", extra={"node": node_id, "reason": str(error)})
            self._node_failed(node_id, node)
        else:
            self._answered(node, asked, response)
        finally:
            node.busy, node.asked, node.promised = False, None, 0

    def _session_bytes_max(self, node_id: int, plan: Plan, partitions: int) -> int:
        """What an answer may bring; some room stays for what is fetched past the session."""
        room = self._room(node_id, plan) * _SESSION_PARTS // _PARTS
        most = partitions * self._options.max_partition_fetch_bytes
        return max(min(self._options.fetch_max_bytes, room, most), 1)

    async def _timed(
        self, connection: Connection, request: FetchRequest, at_most: int
    ) -> FetchResponse:
        began_ms = self._now_ms()
        response = await connection.call(request, FetchResponse, at_most=at_most)
        self.counts.answered(self._now_ms() - began_ms)
        return response

    async def _pass(self, node_id: int, node: _Node) -> None:
        """Fetch past the session; what has nothing new is asked again a little later."""
        brought = 0
        try:
            # Until it is there, which may take long, the session's next request asks for all.
            connection = await self._cluster.connection(node_id, Purpose.FETCH_NOW)
            left_out = self._left_out(node_id, node, self._plan())
            if left_out is None:
                return
            asked, room = left_out
            node.passing = asked
            at_most = version_limit(asked.wanted.values())
            alone = SessionRequest(NO_SESSION, FINAL_EPOCH, asked.wanted, {})
            bytes_max = min(self._options.fetch_max_bytes, room)
            request = fetch_request(alone, self._options, bytes_max=bytes_max, waits=False)
            response = await self._timed(connection, request, at_most)
            if response.error_code:
                raise RefusedError(known_error(response.error_code), "a fetch past the session")
        except (UserError, ProtocolError) as error:
            # The session's own requests will tell what is wrong for good.
            _log.info("a fetch has failed", extra={"node": node_id, "reason": str(error)})
        else:
            brought = self._take(asked, response, asked.topics)
        finally:
            node.is_passing, node.passing = False, None
            if not brought:
                node.pass_at_ms = self._now_ms() + PASS_PAUSE_MS

    def _node_failed(self, node_id: int, node: _Node) -> None:
        node.session.lost()
        node.retry_at_ms = self._now_ms() + node.backoff.next_ms()
        self._stale.update(
            partition.partition.topic
            for partition in self.assigned.values()
            if self._serves(node_id, partition)
        )
        for partition in self.assigned.values():
            if partition.replica is not None and partition.replica.node_id == node_id:
                partition.replica = None

    def _answered(self, node: _Node, asked: _Asked, response: FetchResponse) -> None:
        if response.error_code:
            self._refused(node, asked, response.error_code)
            return
        node.backoff.reset()
        names = node.session.topics
        node.session.answered(response.session_id)
        self._take(asked, response, names)

    def _take(self, asked: _Asked, response: FetchResponse, names: Mapping[bytes, str]) -> int:
        """Keep what is wanted by now; the bytes of records that came."""
        now_ms = self._now_ms()
        brought = self.counts.bytes_fetched
        found = list(answers(response, names))
        # What is kept of an answer shall not hold the memory of all the rest of it.
        is_shared = sum(1 for _, data in found if data.records) > 1
        for partition, data in found:
            task = asked.tasks.get(partition)
            if task is None or self.assigned.get(partition) is not task.partition:
                continue
            if data.records:
                self.counts.bytes_fetched += len(data.records)
                if is_shared:
                    data.records = copy_of(data.records)
            offset = asked.wanted[partition].offset
            is_stale = self._is_stale(task, offset, data, now_ms)
            metadata = self._cluster.metadata
            if learn_leader(metadata, partition, data, response):
                # The new leader is known: nothing to wait for.
                task.partition.retry_at_ms = now_ms
            elif is_stale:
                self._stale.add(partition.topic)
        return self.counts.bytes_fetched - brought

    def _is_stale(self, task: Task, offset: int, data: PartitionData, now_ms: float) -> bool:
        """Take one partition's answer; whether the metadata is to be asked anew."""
        is_known = data.preferred_read_replica in self._cluster.metadata.nodes
        for_ms = self._cluster.options.metadata_max_age_ms
        if redirected(task, data, now_ms, for_ms=for_ms, is_known=is_known):
            return not is_known
        return fetched(task, offset, data, self._options, now_ms)

    def _refused(self, node: _Node, asked: _Asked, code: int) -> None:
        node.session.refused(known_error(code))
        node.retry_at_ms = self._now_ms() + node.backoff.next_ms()
        remedy = remedy_of(code)
        if remedy is Remedy.REFRESH_METADATA:
            self._stale.update(partition.topic for partition in asked.wanted)
        elif not remedy.retriable:
            for partition, task in asked.tasks.items():
                task.partition.fail(FetchRefusedError(partition, known_error(code)))

    # -- the end ---------------------------------------------------------------------------------

    async def stop(self) -> None:
        """Fetch no more, and let the nodes forget the sessions, as far as they can be told."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.wake()
        leaving = [self._leave(id_, node) for id_, node in self._nodes.items()]
        try:
            async with asyncio.timeout(LEAVING_S_MAX):
                await asyncio.gather(*leaving, return_exceptions=True)
        except TimeoutError:
            _log.info("nodes keep fetch sessions until they forget them")

    async def _leave(self, node_id: int, node: _Node) -> None:
        session_id = node.session.session_id
        if not session_id:
            return
        # By any connection but that on which the last fetch may wait.
        connection = await self._cluster.connection(node_id)
        over = SessionRequest(session_id, FINAL_EPOCH, {}, {})
        await connection.call(fetch_request(over, self._options, bytes_max=1), FetchResponse)
