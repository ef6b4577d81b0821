"""Fetches ahead of the user: one look at all partitions whenever something has changed.

The look is a callback and never waits. What waits are tasks of its own: one fetch for each leader,
lookups of offsets and epochs, one refresh of the metadata. Whoever waits for records can be
cancelled without any of them noticing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.errors import ConsumerClosedError, FetchRefusedError
from ottla.client.consumer.fetch_requests import answers, fetch_request, learn_leader, version_limit
from ottla.client.consumer.fetch_session import FINAL_EPOCH, FetchSession, SessionRequest, Target
from ottla.client.consumer.lookups import Lookups
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import NEVER, NodePlan, Plan, Task, look_at, share_of, targets
from ottla.client.consumer.verdicts import fetched
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.fetch import FetchRequest, FetchResponse

_log = logging.getLogger(__name__)

LEAVING_S_MAX: Final = 1.0
"""How long a consumer that closes takes to tell nodes that their sessions are over."""


class _Node:
    """One leader that is fetched from, by one request at a time: a session counts them."""

    def __init__(self, cluster: Cluster) -> None:
        self.session = FetchSession()
        self.busy = False
        self.retry_at_ms = 0.0
        self.backoff = cluster.backoff()


class _Asked:
    """A fetch on its way."""

    def __init__(self, tasks: list[Task], wanted: dict[TopicPartition, Target]) -> None:
        self.wanted = wanted
        self.tasks = {task.partition.partition: task for task in tasks}


class Fetcher:
    """Runs from the first wake until `stop`."""

    def __init__(self, cluster: Cluster, options: ConsumerOptions) -> None:
        self._cluster = cluster
        self._options = options
        self._loop = asyncio.get_running_loop()
        self.assigned: dict[TopicPartition, AssignedPartition] = {}
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

    # -- fetching --------------------------------------------------------------------------------

    def _fetch_from(self, node_id: int, plan: Plan, now_ms: float) -> float:
        """Fetch, if it is time and there is room; when to look again for it."""
        node = self._nodes.get(node_id)
        if node is None:
            node = self._nodes[node_id] = _Node(self._cluster)
        if node.busy:
            return NEVER
        if node.retry_at_ms > now_ms:
            return node.retry_at_ms
        if self._room(node_id, plan) <= 0 and not self._drop_paused(node_id):
            return NEVER
        node.busy = True
        self._start(self._fetch(node_id, node))
        return NEVER

    def _room(self, node_id: int, plan: Plan) -> int:
        return share_of(plan, self._options) - plan.nodes[node_id].buffered

    def _drop_paused(self, node_id: int) -> bool:
        """Make room by what nobody takes at present; whether there was any."""
        idle = [
            partition
            for partition in self.assigned.values()
            if partition.paused and partition.is_buffered and self._leads(node_id, partition)
        ]
        for partition in idle:
            partition.drop_buffer()
        return bool(idle)

    def _leads(self, node_id: int, partition: AssignedPartition) -> bool:
        leader = self._cluster.metadata.leader(*partition.partition)
        return leader is not None and leader.node.node_id == node_id

    async def _fetch(self, node_id: int, node: _Node) -> None:
        try:
            connection = await self._cluster.connection(node_id, Purpose.FETCH)
            # Only now: connecting may take long, and what is wanted may be something else by now.
            plan = look_at(
                self.assigned.values(), self._cluster.metadata, self._options, self._now_ms()
            )
            wanted = plan.nodes.get(node_id, NodePlan()).fetches
            if not wanted:
                return
            asked = _Asked(wanted, targets(wanted, self._options))
            at_most = version_limit(asked.wanted.values())
            version = connection.version_of(FetchRequest, at_most=at_most)
            session = node.session.plan(asked.wanted, by_id=version > 12)
            bytes_max = max(min(self._options.fetch_max_bytes, self._room(node_id, plan)), 1)
            request = fetch_request(session, self._options, bytes_max=bytes_max)
            response = await connection.call(request, FetchResponse, at_most=at_most)
        except (UserError, ProtocolError) as error:
            _log.info("a fetch has failed", extra={"node": node_id, "reason": str(error)})
            self._node_failed(node_id, node)
        else:
            self._answered(node, asked, response)
        finally:
            node.busy = False

    def _node_failed(self, node_id: int, node: _Node) -> None:
        node.session.lost()
        node.retry_at_ms = self._now_ms() + node.backoff.next_ms()
        self._stale.update(
            partition.partition.topic
            for partition in self.assigned.values()
            if self._leads(node_id, partition)
        )

    def _answered(self, node: _Node, asked: _Asked, response: FetchResponse) -> None:
        now_ms = self._now_ms()
        if response.error_code:
            self._refused(node, asked, response.error_code)
            return
        node.backoff.reset()
        names = node.session.topics
        node.session.answered(response.session_id)
        found = list(answers(response, names))
        # What is kept of an answer shall not hold the memory of all the rest of it.
        is_shared = sum(1 for _, data in found if data.records) > 1
        for partition, data in found:
            task = asked.tasks.get(partition)
            if task is None or self.assigned.get(partition) is not task.partition:
                continue
            if is_shared and data.records:
                data.records = bytes(data.records)
            offset = asked.wanted[partition].offset
            is_stale = fetched(task, offset, data, self._options, now_ms)
            metadata = self._cluster.metadata
            if learn_leader(metadata, partition, data, response):
                # The new leader is known: nothing to wait for.
                task.partition.retry_at_ms = now_ms
            elif is_stale:
                self._stale.add(partition.topic)

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
