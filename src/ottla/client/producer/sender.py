"""Sends what the accumulator holds: one look at all partitions whenever something has changed.

The look (`_look`) is a callback and never waits. What waits are tasks of its own: one for each
request on its way, one that connects to a node, one that refreshes the metadata. Whoever awaits a
delivery can be cancelled without any of them noticing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from ottla.base.errors import ProtocolError, UserError
from ottla.client.backoff import Backoff
from ottla.client.errors import NodeError
from ottla.client.producer.accumulator import Accumulator
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.errors import ProducerClosedError
from ottla.client.producer.line import Line, NodeLine
from ottla.client.producer.lookups import Lookups
from ottla.client.producer.metrics import Counts
from ottla.client.producer.packing import Packing
from ottla.client.producer.partition_queue import NEVER, PartitionQueue
from ottla.client.producer.produce_requests import produce_request, version_limit
from ottla.client.producer.settlement import Settlement
from ottla.wire.messages.produce import ProduceResponse

_log = logging.getLogger(__name__)

REQUEST_OVERHEAD_BYTES: Final = 512
"""Kept free in a request for its header and the names in it."""

BATCH_OVERHEAD_BYTES: Final = 96


class _Node:
    """One node that is sent to."""

    __slots__ = ("backoff", "connecting", "in_flight", "line", "retry_at_ms")

    def __init__(self, backoff: Backoff) -> None:
        self.line: NodeLine | None = None
        self.connecting = False
        self.in_flight = 0
        self.retry_at_ms = 0.0
        self.backoff = backoff


class Sender:
    """Runs from the first wake until `stop`."""

    def __init__(self, line: Line, accumulator: Accumulator) -> None:
        self._line = line
        self._accumulator = accumulator
        self._options = accumulator.options
        self._clock = accumulator.clock
        self._loop = asyncio.get_running_loop()
        self._nodes: dict[int, _Node] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._look_is_due = False
        self._timer: asyncio.TimerHandle | None = None
        self._room: list[asyncio.Future[None]] = []
        self._stopped = False
        self._dropping: Exception | None = None
        self.transactions_2 = True
        """Whether partitions join transactions by themselves; true without transactions."""
        self.fatal: Exception | None = None
        """Why nothing can be sent any more."""
        self.hurries = 0
        """Above 0, batches wait for no more records: somebody flushes."""
        self.counts = Counts()
        self.lookups = Lookups(
            line,
            accumulator,
            start=self._start,
            fail=self.fail,
            drop=lambda unplaced, error: self.settlement.drop_unplaced(unplaced, error),
        )
        self.settlement = Settlement(
            accumulator, lambda: line.metadata, self.lookups.stale.add, self.counts
        )
        self._packing = Packing(self._options, start=self._start)
        self.settlement.on_room = self._tell_room
        self.on_muted: Callable[[], None] = lambda: None
        """Called when batches are there whose partitions are not part of the transaction."""

    def _new_backoff(self) -> Backoff:
        options = self._options
        return Backoff(
            options.retry_backoff_ms, options.retry_backoff_max_ms, self._accumulator.rng
        )

    # -- waking ----------------------------------------------------------------------------------

    def wake(self) -> None:
        """Look again, in this turn of the loop."""
        if not self._look_is_due and not self._stopped:
            self._look_is_due = True
            self._loop.call_soon(self._look)

    def _wake_at(self, at_ms: float, now_ms: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if at_ms != NEVER:
            self._timer = self._loop.call_later(max(at_ms - now_ms, 1) / 1000, self.wake)

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
        _log.error("the producer has failed", exc_info=error)
        self.fail(ProducerClosedError(f"the producer has failed: {error!r}"))

    def fail(self, error: Exception) -> None:
        """Nothing can be sent any more: give everything up."""
        self.fatal = self.fatal or error
        self.settlement.drop_all(error)
        self._tell_room()

    # -- looking ---------------------------------------------------------------------------------

    def _look(self) -> None:
        self._look_is_due = False
        if self._stopped:
            return
        try:
            self._look_through()
        except Exception as error:  # noqa: BLE001 # a callback has nobody to raise to
            self._break(error)

    def _look_through(self) -> None:
        now_ms = self._clock.monotonic_ms()
        if self._dropping is not None:
            self.settlement.drop_all(self._dropping)
        self.lookups.learn_topics(now_ms)
        again_at_ms = NEVER
        sendable: dict[int, list[PartitionQueue]] = {}
        for partition, queue in list(self._accumulator.busy.items()):
            expires_at_ms = self.settlement.expires_at_ms(queue)
            if expires_at_ms <= now_ms:
                self.settlement.expire(queue, now_ms)
                expires_at_ms = self.settlement.expires_at_ms(queue)
            queue.mend(self.lookups.identity)
            if queue.is_idle:
                del self._accumulator.busy[partition]
                continue
            if queue.muted and queue.fresh:
                self.on_muted()
            again_at_ms = min(again_at_ms, expires_at_ms)
            self._packing.pack_closed(queue)
            node_id = self.lookups.leader_of(queue)
            if node_id is None:
                continue
            if self._due(queue, now_ms) is not None:
                sendable.setdefault(node_id, []).append(queue)
            else:
                again_at_ms = min(again_at_ms, queue.due_at_ms(now_ms))
        for node_id, queues in sendable.items():
            again_at_ms = min(again_at_ms, self._send_to(node_id, queues, now_ms))
        again_at_ms = min(again_at_ms, self.lookups.look_after(now_ms))
        self._wake_at(again_at_ms, now_ms)

    def _due(self, queue: PartitionQueue, now_ms: float) -> ProducerBatch | None:
        return queue.due(now_ms, self.lookups.identity, hurry=self._hurry)

    @property
    def _hurry(self) -> bool:
        return self.hurries > 0 or bool(self._room)

    # -- requests --------------------------------------------------------------------------------

    def _send_to(self, node_id: int, queues: list[PartitionQueue], now_ms: float) -> float:
        """Send as many requests as may be on their way; when to look again."""
        node = self._nodes.get(node_id)
        if node is None:
            node = self._nodes[node_id] = _Node(self._new_backoff())
        if node.line is None or node.line.is_lost:
            return self._connect(node_id, node, now_ms)
        while queues and node.in_flight < self._options.max_in_flight_requests_per_connection:
            batches = self._take(queues, now_ms)
            if not batches:
                break  # they are with threads, which wake us
            self._post(node, node.line, batches)
            queues = [queue for queue in queues if self._due(queue, now_ms) is not None]
        return min((queue.due_at_ms(now_ms) for queue in queues), default=NEVER)

    def _take(self, queues: list[PartitionQueue], now_ms: float) -> list[ProducerBatch]:
        """One batch of each partition, as many as one request holds."""
        room = self._options.max_request_size - REQUEST_OVERHEAD_BYTES
        batches: list[ProducerBatch] = []
        busy = self._accumulator.busy
        for queue in queues:
            batch = self._due(queue, now_ms)
            assert batch is not None
            size = batch.size + BATCH_OVERHEAD_BYTES
            if batches and size > room:
                continue
            # Not before there is a request for it: until then it takes more records.
            self._close(queue)
            if not self._packing.is_ready(batch):
                continue
            room -= size
            queue.take(batch)
            batches.append(batch)
            busy[queue.partition] = busy.pop(queue.partition)
        if batches:
            self.counts.sent(batches, now_ms)
        return batches

    def _close(self, queue: PartitionQueue) -> None:
        """Its batch that is sent next takes no more records; those without a key go elsewhere."""
        if queue.open is not None and queue.fresh[0] is queue.open:
            queue.open = None
            self._accumulator.topic(queue.partition.topic).drained(queue.partition.partition)

    def _connect(self, node_id: int, node: _Node, now_ms: float) -> float:
        if node.connecting:
            return NEVER
        if node.retry_at_ms > now_ms:
            return node.retry_at_ms
        node.connecting = True
        self._start(self._find_line(node_id, node))
        return NEVER

    async def _find_line(self, node_id: int, node: _Node) -> None:
        try:
            node.line = await self._line.node(node_id)
            node.backoff.reset()
        except (UserError, ProtocolError) as error:
            _log.info("node is not reached", extra={"node": node_id, "reason": str(error)})
            node.retry_at_ms = self._clock.monotonic_ms() + node.backoff.next_ms()
            self.lookups.stale.update(partition.topic for partition in self._accumulator.busy)
        finally:
            node.connecting = False

    def _post(self, node: _Node, line: NodeLine, batches: list[ProducerBatch]) -> None:
        node.in_flight += 1
        self._start(self._carry(node, line, batches))

    async def _carry(self, node: _Node, line: NodeLine, batches: list[ProducerBatch]) -> None:
        try:
            if self._options.acks_number == 0:
                await self._tell(line, batches)
            else:
                await self._ask(line, batches)
        except BaseException:
            self._abandon(batches)
            raise
        finally:
            node.in_flight -= 1

    async def _tell(self, line: NodeLine, batches: list[ProducerBatch]) -> None:
        metadata = self._line.metadata
        try:
            request = produce_request(batches, self._options, metadata)
            limit = version_limit(batches, metadata, transactions_2=True)
            await line.tell(request, at_most=limit)
        except (NodeError, ProtocolError) as error:
            self.settlement.all_lost(batches, error)
        else:
            for batch in batches:
                self.settlement.queue_of(batch).returned(batch)
                self.settlement.stored(batch, -1, -1)

    async def _ask(self, line: NodeLine, batches: list[ProducerBatch]) -> None:
        metadata = self._line.metadata
        try:
            request = produce_request(batches, self._options, metadata)
            limit = version_limit(batches, metadata, transactions_2=self.transactions_2)
            response = await line.call(
                request,
                ProduceResponse,
                at_most=limit,
                timeout_s=self._options.request_timeout_ms / 1000,
            )
        except NodeError as error:
            self.settlement.all_lost(batches, error)
        except ProtocolError as error:
            self.settlement.all_refused(batches, error)
        else:
            self.settlement.answered(batches, request, response)

    def _abandon(self, batches: list[ProducerBatch]) -> None:
        """The producer is being closed in haste, or has failed."""
        for batch in batches:
            if batch.in_flight:
                self.settlement.queue_of(batch).returned(batch)
                batch.in_doubt = True

    # -- answers ---------------------------------------------------------------------------------

    def drop_from_now_on(self, error: Exception) -> None:
        """Give up all that is not on its way, and what comes back without an outcome."""
        self._dropping = error
        self.wake()

    async def drain(self, error: Exception) -> None:
        """Give up all; returns when nothing is on its way. What is sent later is sent."""
        self.drop_from_now_on(error)
        try:
            await self._all_settled()
        finally:
            self._dropping = None

    async def flush(self) -> None:
        """Until all that is here has an outcome, good or bad."""
        self.hurries += 1
        self.wake()
        try:
            await self._all_settled()
        finally:
            self.hurries -= 1

    async def _all_settled(self) -> None:
        waiting = self._accumulator.unsettled()
        while waiting:
            settling = waiting.pop()
            if onward := settling.onward():
                waiting += onward
            elif not settling.settled:
                waiting.append(settling)
                await settling.changed()

    # -- memory ----------------------------------------------------------------------------------

    def _tell_room(self) -> None:
        room, self._room = self._room, []
        for future in room:
            if not future.done():
                future.set_result(None)

    async def wait_for_room(self) -> None:
        """Until something was freed. While somebody waits, batches wait for no more records."""
        room: asyncio.Future[None] = self._loop.create_future()
        self._room.append(room)
        self.wake()
        try:
            await room
        finally:
            if room in self._room:
                self._room.remove(room)

    # -- the end ---------------------------------------------------------------------------------

    async def stop(self, error: UserError) -> None:
        """Stop at once: what has no outcome gets this error, or is in doubt."""
        self.fatal = self.fatal or error
        # Before the tasks end: what they give back is not to be sent again.
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            self._let_go(error)

    def _let_go(self, error: UserError) -> None:
        for queue in self._accumulator.busy.values():
            # A task that was cancelled before its first step gives nothing back itself.
            self._abandon(queue.sent)
        self._packing.stop()
        if self._timer is not None:
            self._timer.cancel()
        self.settlement.drop_all(error)
        self._tell_room()
