"""A consumer's group: what its reader does at its turns, and what goes on without it."""

from __future__ import annotations

import asyncio
import inspect
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.group.classic_member import ClassicMember
from ottla.client.consumer.group.commits import Commits
from ottla.client.consumer.group.consumer_member import ConsumerMember
from ottla.client.consumer.group.errors import FencedMemberError
from ottla.client.consumer.group.line import GroupLine
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.consumer.group.membership import Membership
from ottla.client.consumer.group.ownership import Step, StepKind
from ottla.client.consumer.group.positions import Positions
from ottla.client.consumer.group.topics import SubscribedTopics
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.client.offset_and_metadata import OffsetAndMetadata

_log = logging.getLogger(__name__)

REVOCATION_COMMIT_S_MAX: Final = 60.0
"""How long partitions that go are held up by a commit that does not succeed."""

OTHERS_LISTENER_S_MAX: Final = 5.0
"""How long giving back waits for a listener that another task has called, and that may itself wait
for this."""

COMMIT_SHARE: Final = 0.5
LISTENER_SHARE: Final = 0.75
"""Of the time for a close: when the last commit, and then the listener, is over at the latest."""


class Group:
    """Positions of a group, and membership in it while there is a subscription."""

    def __init__(
        self,
        cluster: Cluster,
        options: ConsumerOptions,
        fetcher: Fetcher,
        *,
        interrupt: Callable[[], None],
        progress: Callable[[], object],
    ) -> None:
        """`interrupt` makes the next read ask for its turn; `progress` is something else whenever
        records were handed out without asking."""
        assert options.group_id is not None
        self._cluster = cluster
        self._options = options
        self._fetcher = fetcher
        self._interrupt = interrupt
        self._progress = progress
        self._loop = asyncio.get_running_loop()
        self.line = GroupLine(cluster, options.group_id)
        self.member: ClassicMember | ConsumerMember
        if options.group_protocol == "classic":
            self.member = ClassicMember(options, options.assignors(), cluster.backoff())
        else:
            self.member = ConsumerMember(options, str(uuid.uuid4()), cluster.backoff())
        self.topics = SubscribedTopics(cluster, options, on_news=self._topics_told)
        self.membership = Membership(
            self.line,
            self.member,
            self.topics,
            options,
            idle_since_ms=self._idle_since,
            on_news=self._news,
        )
        is_modern = options.group_protocol == "consumer"
        self.commits = Commits(
            self.line,
            self.member,
            tells_epoch=is_modern,
            is_shared=lambda: self.subscription is not None,
            on_refusal=self.membership.wake,
        )
        self.positions = Positions(fetcher, self.commits, tell=self._tell)
        self._listener = RebalanceListener()
        self._told: list[Exception] = []
        self._turn_of: asyncio.Task[object] | None = None
        self._listening_to: Step | None = None
        self._listened = asyncio.Event()
        self._is_ending = False
        self._commit_is_due = False
        self._commit_timer: asyncio.TimerHandle | None = None
        self._auto_commit: asyncio.Task[bool] | None = None
        self._last_commit: asyncio.Task[None] | None = None
        self._last_commit_step: Step | None = None
        self._reads = 0
        self._seen_progress: object = None
        self._idle_at_ms = self._now_ms()

    def _now_ms(self) -> float:
        return self._loop.time() * 1000

    # -- subscribing -----------------------------------------------------------------------------

    @property
    def subscription(self) -> Subscription | None:
        """What is subscribed to."""
        return self.topics.subscription

    def subscribe(self, subscription: Subscription, listener: RebalanceListener | None) -> None:
        """Be a member that reads this; the next read joins."""
        self._listener = listener or RebalanceListener()
        self._idle_at_ms = self._now_ms()
        if subscription != self.subscription:
            self.topics.subscribe(subscription)
        self.membership.start()
        self.begin_auto_commits()

    async def unsubscribe(self) -> None:
        """Commit, give back, leave. Raises what the listener raises; cancelled, it may be called
        again."""
        if self.subscription is None:
            return
        try:
            await self.membership.stop()
            self._told.clear()
            await self._let_go({}, "it has unsubscribed")
        except BaseException:
            self._stay()
            raise
        self.raise_told()

    def _stay(self) -> None:
        """Unsubscribing was cut off: where the subscription is still there, go on with it."""
        if self.subscription is None:
            return
        ownership = self.member.ownership
        ownership.give_back(())
        for place in ownership.owned:
            partition = self._fetcher.assigned.get(place)
            if partition is not None:
                partition.is_leaving = False
        self._fetcher.wake()
        self.membership.start()

    async def close(
        self, *, in_hand: Mapping[TopicPartition, tuple[int, int]], timeout_s: float
    ) -> None:
        """The same at the end, in so much time; without a subscription there is only the commit.

        `in_hand` are the positions before what was handed out, and not dealt with.
        """
        self._is_ending = True
        self._stop_timer()
        self._told.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self.membership.stop()
                await self._let_go(in_hand, "the consumer is closed", timeout_s=timeout_s)
        except TimeoutError:
            _log.warning("the group was not left in time", extra={"group": self.line.group_id})
        finally:
            self.topics.stop()
            await self.membership.stop()
            await self.positions.stop()
            await self._end_commits()
        if self._told:
            raise self._told.pop(0)

    async def _let_go(
        self,
        in_hand: Mapping[TopicPartition, tuple[int, int]],
        reason: str,
        *,
        timeout_s: float | None = None,
    ) -> None:
        begin_s = self._loop.time()

        def until(share: float) -> float | None:
            return None if timeout_s is None else begin_s + share * timeout_s

        if self._options.enable_auto_commit:
            await self._commit_last(self._dealt_with(in_hand), until(COMMIT_SHARE))
        if self.subscription is None:
            return
        try:
            async with asyncio.timeout_at(until(LISTENER_SHARE)):
                await self._give_back()
        except TimeoutError:
            _log.warning("a rebalance listener was cut off", extra={"group": self.line.group_id})
        self.topics.stop()
        await self.membership.leave(reason)
        self._seen_progress = None

    async def _commit_last(
        self, offsets: Mapping[TopicPartition, OffsetAndMetadata], end_s: float | None
    ) -> None:
        try:
            async with asyncio.timeout_at(end_s):
                await self.commits.commit(offsets)
        except (UserError, ProtocolError, TimeoutError) as error:
            reason = str(error) or "the time for it is over"
            _log.warning("positions were not committed", extra={"reason": reason})

    async def _give_back(self) -> None:
        await self._others_listener_ends()
        being_told = self._listening_to
        ownership = self.member.ownership
        ownership.give_back(ownership.owned)
        self._turn_of = asyncio.current_task()
        try:
            while (step := ownership.step()) is not None and step.kind is not StepKind.TAKE:
                self._hold_back(step)
                if step != being_told:
                    await self._listen(step)
                self._drop(step)
        finally:
            self._turn_is_over()

    async def _others_listener_ends(self) -> None:
        """Wait for a listener that another task has called; not for ever."""
        if self._listening_to is None or self._turn_of is asyncio.current_task():
            return
        try:
            async with asyncio.timeout(OTHERS_LISTENER_S_MAX):
                await self._listened.wait()
        except TimeoutError:
            _log.warning("a rebalance listener goes on", extra={"group": self.line.group_id})

    def _dealt_with(
        self, in_hand: Mapping[TopicPartition, tuple[int, int]]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        """What is to be committed, if `in_hand` is not done with."""
        found = self.positions.uncommitted()
        for place, (offset, epoch) in in_hand.items():
            if place in found:
                found[place] = OffsetAndMetadata(offset, epoch)
        last = self.commits.last
        return {
            place: position
            for place, position in found.items()
            if place not in last or last[place].offset != position.offset
        }

    # -- turns of the reader ---------------------------------------------------------------------

    @property
    def wants_turn(self) -> bool:
        """See `reader.Turns`."""
        member = self.member
        return (
            self._commit_is_due
            or bool(self._told)
            or member.error is not None
            or member.ownership.step() is not None
            or member.wants_preparation
        )

    def read_began(self) -> None:
        """See `reader.Turns`."""
        if self._turn_of is asyncio.current_task():
            raise UserError("a rebalance listener does not read")
        if self._turn_of is not None:
            raise UserError("another task is in a rebalance: one task reads at a time")
        self._reads += 1

    def read_ended(self) -> None:
        """See `reader.Turns`."""
        self._reads -= 1
        self._idle_at_ms = self._now_ms()

    async def turn(self, end_s: float | None) -> None:
        """See `reader.Turns`."""
        self._turn_of = asyncio.current_task()
        try:
            # Whoever closes meanwhile does the rest.
            while not self._is_ending and (step := self._next_step()) is not None:
                if not await self._do(step, end_s):
                    return
        finally:
            self._turn_is_over()
        self._commit_if_due()
        self.raise_told()

    def _turn_is_over(self) -> None:
        if self._turn_of is asyncio.current_task():
            self._turn_of = None

    def _next_step(self) -> Step | None:
        member = self.member
        step = member.ownership.step()
        if step is None and member.wants_preparation:
            member.ownership.give_back(member.to_give_back())
            step = member.ownership.step()
            if step is None:
                member.prepared()
                self.membership.wake()
        return step

    async def _do(self, step: Step, end_s: float | None) -> bool:
        """Do what is next; False where the time was over before it was done."""
        match step.kind:
            case StepKind.TAKE:
                self._take(step)
            case StepKind.TELL:
                await self._listen(step)
                self.member.ownership.done(step)
                self._reconciled()
            case StepKind.LOSE:
                self._hold_back(step)
                await self._listen(step)
                self._drop(step)
            case StepKind.REVOKE:
                self._hold_back(step)
                if self._options.enable_auto_commit and not await self._commit_before(step, end_s):
                    return False
                if self.member.ownership.step() == step and not self._is_ending:
                    await self._listen(step)
                    self._drop(step)
        return True

    def _take(self, step: Step) -> None:
        assigned = self._fetcher.assigned
        new = {
            place: AssignedPartition(place, self._cluster.backoff()) for place in step.partitions
        }
        self._fetcher.assigned = {**assigned, **new}
        self.member.ownership.done(step)
        self.positions.look_up(new.values())
        self._fetcher.wake()
        if self.member.ownership.is_reconciled:
            self._reconciled()

    def _reconciled(self) -> None:
        if self.member.ownership.is_reconciled:
            self.member.reconciled()
            self.membership.wake()

    def _hold_back(self, step: Step) -> None:
        """From here on no record of these is handed out."""
        for place in step.partitions:
            partition = self._fetcher.assigned.get(place)
            if partition is not None and not partition.is_leaving:
                partition.is_leaving = True
                partition.drop_buffer()
        self._interrupt()

    def _drop(self, step: Step) -> None:
        self.member.ownership.done(step)
        self._last_commit = None
        gone = frozenset(step.partitions)
        kept = {
            place: partition
            for place, partition in self._fetcher.assigned.items()
            if place not in gone
        }
        self._fetcher.assigned = kept
        for place in gone:
            self.commits.last.pop(place, None)
        self._fetcher.wake()

    async def _listen(self, step: Step) -> None:
        listener = self._listener
        calls = {
            StepKind.LOSE: listener.on_lost,
            StepKind.REVOKE: listener.on_revoked,
            StepKind.TELL: listener.on_assigned,
        }
        self._listening_to = step
        self._listened.clear()
        try:
            result = calls[step.kind](step.partitions)
            if inspect.isawaitable(result):
                await result
        except Exception as error:  # noqa: BLE001 # the program's own: told when all is in order
            self._told.append(error)
        finally:
            self._listening_to = None
            self._listened.set()

    # -- errors ----------------------------------------------------------------------------------

    def _tell(self, error: Exception) -> None:
        # What lasts comes again: while nobody reads, one is enough.
        if not self._told:
            self._told.append(error)
        self._call_reader()

    def raise_told(self) -> None:
        """Tell the program what stands in its way; what is out for good, each time."""
        error = self.member.error
        if error is not None:
            self._told.append(error)
        if not isinstance(error, FencedMemberError):
            self.member.error = None
        if self._told:
            raise self._told.pop(0)

    # -- what goes on without the reader ---------------------------------------------------------

    def _idle_since(self) -> float:
        """Since when nobody reads; now, while somebody does."""
        progress = self._progress()
        if self._reads or progress != self._seen_progress:
            self._seen_progress = progress
            self._idle_at_ms = self._now_ms()
        return self._idle_at_ms

    def _topics_told(self) -> None:
        self.membership.wake()

    def _news(self) -> None:
        if self.wants_turn:
            self._call_reader()

    def _call_reader(self) -> None:
        self._interrupt()
        self._fetcher.wake()

    # -- committing ------------------------------------------------------------------------------

    async def commit(
        self,
        offsets: Mapping[TopicPartition, int | OffsetAndMetadata] | None,
        *,
        timeout_s: float | None,
    ) -> None:
        """Keep these, or all positions. Raises as `Commits.commit`."""
        if offsets is None:
            wanted = self.positions.consumed()
        else:
            wanted = {
                TopicPartition(*place): (
                    position
                    if isinstance(position, OffsetAndMetadata)
                    else OffsetAndMetadata(position)
                )
                for place, position in offsets.items()
            }
        await self.commits.commit(wanted, timeout_s=timeout_s)

    def commit_soon(self, *, in_hand: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """Commit what was dealt with, of partitions that may go without a rebalance."""
        if self._options.enable_auto_commit and self._auto_commit is None:
            self._commit_in_background(self._dealt_with(in_hand))

    def begin_auto_commits(self) -> None:
        """Commit at intervals from now on, if the settings say so."""
        if self._options.enable_auto_commit and self._commit_timer is None:
            self._set_timer(self._options.auto_commit_interval_ms)

    def look_up(self, partitions: Iterable[AssignedPartition]) -> None:
        """Begin where the group has committed: for partitions that the program has assigned."""
        self.positions.look_up(partitions)
        self.begin_auto_commits()

    def _set_timer(self, wait_ms: float) -> None:
        self._stop_timer()
        self._commit_timer = self._loop.call_later(wait_ms / 1000, self._commit_soon)

    def _stop_timer(self) -> None:
        if self._commit_timer is not None:
            self._commit_timer.cancel()
        self._commit_timer = None

    def _commit_soon(self) -> None:
        self._commit_is_due = True
        self._call_reader()

    def _commit_if_due(self) -> None:
        """What was handed out before the read that this turn is part of."""
        if not self._commit_is_due:
            return
        self._commit_is_due = False
        uncommitted = self.positions.uncommitted()
        if uncommitted and self._auto_commit is None:
            self._commit_in_background(uncommitted)
        else:
            self._set_timer(self._options.auto_commit_interval_ms)

    def _commit_in_background(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        if offsets:
            self._auto_commit = self._loop.create_task(self.commits.commit_once(offsets))
            self._auto_commit.add_done_callback(self._committed)

    def _committed(self, task: asyncio.Task[bool]) -> None:
        self._auto_commit = None
        if self._commit_timer is None or task.cancelled():
            return
        options = self._options
        soon_ms = min(self._cluster.options.retry_backoff_max_ms, options.auto_commit_interval_ms)
        self._set_timer(options.auto_commit_interval_ms if task.result() else soon_ms)

    async def _commit_before(self, step: Step, end_s: float | None) -> bool:
        """Commit before partitions go; False where that takes longer than until `end_s`."""
        if self._last_commit is not None and step != self._last_commit_step:
            # Others go, too, and have been read since.
            self._last_commit.cancel()
            self._last_commit = None
        if self._last_commit is None:
            self._last_commit_step = step
            uncommitted = self.positions.uncommitted()
            self._last_commit = self._loop.create_task(self._commit_or_log(uncommitted))
        left_s = None if end_s is None else max(end_s - self._loop.time(), 0)
        await asyncio.wait([self._last_commit], timeout=left_s)
        return self._last_commit.done()

    async def _commit_or_log(self, offsets: Mapping[TopicPartition, OffsetAndMetadata]) -> None:
        timeout_s = min(REVOCATION_COMMIT_S_MAX, self._options.max_poll_interval_ms / 1000)
        try:
            await self.commits.commit(offsets, timeout_s=timeout_s)
        except (UserError, ProtocolError) as error:
            _log.warning("positions were not committed", extra={"reason": str(error)})

    async def _end_commits(self) -> None:
        tasks = [task for task in (self._auto_commit, self._last_commit) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
