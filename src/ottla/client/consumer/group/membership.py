"""Keeps a member in its group: one task that asks the coordinator what the member wants asked.

It goes on while nobody reads, so that a program may take its time; but not for ever.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.client.connections import Purpose
from ottla.client.consumer.group.classic_member import ClassicMember
from ottla.client.consumer.group.consumer_member import ConsumerMember
from ottla.client.consumer.group.errors import GroupError
from ottla.client.consumer.group.line import GroupLine
from ottla.client.consumer.group.member import NEVER, Ask
from ottla.client.consumer.group.topics import SubscribedTopics
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.errors import ClusterClosedError, DeadlineError, NodeError, RefusedError

_log = logging.getLogger(__name__)

NAMING_S_MAX: Final = 5.0
"""How long one topic that nobody knows, for it is deleted again, holds up the names of others."""

LEAVING_S_MAX: Final = 5.0
"""How long a member that goes tries to say so."""


class Membership:
    """From `start` to `stop`. `on_news` is called when the reader may have something to do."""

    def __init__(
        self,
        line: GroupLine,
        member: ClassicMember | ConsumerMember,
        topics: SubscribedTopics,
        options: ConsumerOptions,
        *,
        idle_since_ms: Callable[[], float],
        on_news: Callable[[], None],
    ) -> None:
        self._line = line
        self.member = member
        self._topics = topics
        self._options = options
        self._idle_since_ms = idle_since_ms
        self._on_news = on_news
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._naming: asyncio.Task[None] | None = None

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on."""
        if self._task is None:
            self._task = self._loop.create_task(self._run())
        self.wake()

    def wake(self) -> None:
        """Something has changed."""
        self._woken.set()

    async def stop(self) -> None:
        """Ask nothing more; the group does not know of it."""
        tasks = [task for task in (self._task, self._naming) if task is not None]
        self._task = self._naming = None
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def leave(self, reason: str) -> None:
        """Be no member any more, and say so, if that is possible."""
        ask = self.member.leave(reason)
        if ask is None:
            return
        try:
            # By a connection of its own: on the other a JoinGroup may be waiting.
            async with asyncio.timeout(LEAVING_S_MAX):
                await self._line.call(ask.kind, ask.make, ask.answer)
        except (UserError, ProtocolError, TimeoutError) as error:
            _log.info("the group was not told of leaving", extra={"reason": str(error)})

    # -- working ---------------------------------------------------------------------------------

    def _now_ms(self) -> float:
        return self._loop.time() * 1000

    async def _run(self) -> None:
        try:
            while True:
                await self._turn()
                self._on_news()
        except Exception as error:  # noqa: BLE001 # a fault of ours: nobody may wait for ever
            _log.exception("the membership has failed")
            self.member.refused(
                GroupError(ErrorCode.UNKNOWN_SERVER_ERROR, f"the member has failed: {error!r}"),
                self._now_ms(),
            )
            self._task = None
            self._on_news()

    async def _turn(self) -> None:
        self._woken.clear()
        self._look_at_topics()
        self._on_news()
        if self._is_idle:
            _log.warning("nobody reads: the group goes on without this member")
            await self.leave("nobody has read for max_poll_interval_ms")
            return
        if isinstance(self.member, ClassicMember) and self.member.election is not None:
            await self._assign(self.member)
            return
        ask = self.member.ask(self._now_ms())
        if ask is None:
            await self._sleep()
        else:
            await self._ask(ask)

    def _look_at_topics(self) -> None:
        topics, member = self._topics, self.member
        subscription = topics.subscription
        if subscription is None or not topics.is_known:
            return
        member.subscribe(subscription, topics.names())
        topics.touch()
        if isinstance(member, ClassicMember):
            member.look_at(topics.shapes(member.watched_topics()))
        elif member.unnamed is not None:
            self._name(member)

    def _name(self, member: ConsumerMember) -> None:
        """Find the names of topics that were assigned by id."""
        assert member.unnamed is not None
        metadata = self._line.cluster.metadata
        found = {id_: metadata.topic_by_id(id_) for id_ in member.unnamed}
        member.name({id_: topic.name for id_, topic in found.items() if topic is not None})
        missing = [id_ for id_, topic in found.items() if topic is None]
        if missing and self._naming is None:
            self._naming = self._loop.create_task(self._find_names(missing))

    async def _find_names(self, topic_ids: list[bytes]) -> None:
        try:
            for topic_id in topic_ids:
                await self._find_name(topic_id)
                self.wake()
        finally:
            self._naming = None
            self.wake()

    async def _find_name(self, topic_id: bytes) -> None:
        try:
            await self._line.cluster.topic_by_id(topic_id, timeout_s=NAMING_S_MAX)
        except (UserError, ProtocolError) as error:
            _log.info("a topic that was assigned is not known", extra={"reason": str(error)})

    @property
    def _is_idle(self) -> bool:
        return self.member.is_joined and self._now_ms() >= self._idle_at_ms()

    def _idle_at_ms(self) -> float:
        return self._idle_since_ms() + self._options.max_poll_interval_ms

    async def _sleep(self) -> None:
        due_ms = self.member.due_at_ms()
        if self.member.is_joined:
            due_ms = min(due_ms, self._idle_at_ms())
        # Never nothing: a clock in floating numbers may stand just before what is due, for ever.
        wait_s = None if due_ms == NEVER else max(due_ms - self._now_ms(), 1) / 1000
        try:
            async with asyncio.timeout(wait_s):
                await self._woken.wait()
        except TimeoutError:
            return

    async def _ask(self, ask: Ask) -> None:
        timeout_s = None if ask.timeout_ms is None else ask.timeout_ms / 1000
        try:
            answer = await self._line.call(
                ask.kind,
                ask.make,
                ask.answer,
                purpose=Purpose.COORDINATOR,
                timeout_s=timeout_s,
            )
        except ClusterClosedError:
            raise
        except (NodeError, DeadlineError) as error:
            _log.info("the coordinator does not answer", extra={"reason": str(error)})
            self.member.failed(self._now_ms())
        except (RefusedError, ProtocolError) as error:
            self.member.refused(GroupError(error.code, error.message), self._now_ms())
        else:
            self._line.heed(getattr(answer, "error_code", 0))
            self.member.answered(answer, self._now_ms())

    async def _assign(self, member: ClassicMember) -> None:
        """Lead: the topics of all members must be known, not only one's own."""
        assert member.election is not None
        wanted = member.election.topics
        await self._topics.learn(wanted)
        member.assign(self._topics.shapes(wanted), self._now_ms())
