"""What the producer must know before it can send: partitions, their leaders, its own id."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.client.backoff import Backoff
from ottla.client.producer.accumulator import Accumulator, TopicRecords, Unplaced
from ottla.client.producer.batch import NOBODY, Identity
from ottla.client.producer.errors import DeliveryError, DeliveryTimeoutError
from ottla.client.producer.line import Line
from ottla.client.producer.partition_queue import NEVER, PartitionQueue
from ottla.client.remedies import known_error, remedy_of
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

_log = logging.getLogger(__name__)


class Lookups:
    """`stale` are topics to ask for anew. Asks by tasks that `start` runs.

    `drop` is called with each record that gets no place, and why.
    """

    def __init__(
        self,
        line: Line,
        accumulator: Accumulator,
        *,
        start: Callable[[Coroutine[Any, Any, None]], None],
        fail: Callable[[Exception], None],
        drop: Callable[[Unplaced, Exception], None],
    ) -> None:
        self._line = line
        self._accumulator = accumulator
        self._options = accumulator.options
        self._clock = accumulator.clock
        self._start = start
        self._fail = fail
        self._drop = drop
        self._generation = -1
        self.stale: set[str] = set()
        self._refreshing = False
        self._asked_at_ms: dict[str, int] = {}
        self._refresh_at_ms = 0.0
        self._refresh_backoff = self._new_backoff()
        self._asks_identity = False
        self._identity_at_ms = 0.0
        self._identity_backoff = self._new_backoff()
        self.identity = NOBODY
        """Who the producer is; transactions set it themselves."""

    def _new_backoff(self) -> Backoff:
        options = self._options
        return Backoff(
            options.retry_backoff_ms, options.retry_backoff_max_ms, self._accumulator.rng
        )

    def look_after(self, now_ms: float) -> float:
        """Start what must be asked for; when to look again for it."""
        again_at_ms = min(
            (
                topic.unplaced[0].since_ms + self._options.max_block_ms
                for topic in self._accumulator.topics.values()
                if topic.unplaced
            ),
            default=NEVER,
        )
        if self.stale and not self._refreshing:
            if self._refresh_at_ms <= now_ms:
                self._refreshing = True
                self._start(self._refresh())
            else:
                again_at_ms = min(again_at_ms, self._refresh_at_ms)
        if self._needs_identity and not self._asks_identity:
            if self._identity_at_ms <= now_ms:
                self._asks_identity = True
                self._start(self._ask_identity())
            else:
                again_at_ms = min(again_at_ms, self._identity_at_ms)
        return again_at_ms

    def learn_topics(self, now_ms: float) -> None:
        """Take what the metadata says by now, and place what has waited for it."""
        metadata = self._line.metadata
        if metadata.generation != self._generation:
            self._generation = metadata.generation
            for topic in self._accumulator.topics.values():
                self._learn_topic(topic)
        # A copy: who hears that a record has no place may send to a topic that is new.
        for topic in list(self._accumulator.topics.values()):
            if topic.unplaced:
                self._look_up(topic, now_ms)

    def _learn_topic(self, topic: TopicRecords) -> None:
        known = self._line.metadata.topic(topic.name)
        if known is None:
            return
        topic.partition_count = len(known.partitions)
        topic.leaderless = frozenset(
            index for index, partition in known.partitions.items() if partition.leader_id < 0
        )

    def _look_up(self, topic: TopicRecords, now_ms: float) -> None:
        if not topic.partition_count:
            self._learn_topic(topic)
        if topic.partition_count:
            for unplaced, error in topic.place_waiting():
                self._drop(unplaced, error)
        late_ms = now_ms - self._options.max_block_ms
        if self._is_hopeless(topic.name):
            late_ms = max(late_ms, self._asked_at_ms.get(topic.name, late_ms))
        waiting = topic.unplaced
        topic.unplaced = [unplaced for unplaced in waiting if unplaced.since_ms > late_ms]
        for unplaced in waiting:
            if unplaced.since_ms <= late_ms:
                self._drop(unplaced, self._never_placed(topic))
        if topic.unplaced:
            self.stale.add(topic.name)

    def _is_hopeless(self, name: str) -> bool:
        """Whether the last answer says that waiting is in vain: no right, an impossible name."""
        told = self._line.metadata.topics.get(name)
        return told is not None and bool(told.error) and not remedy_of(told.error).retriable

    def _never_placed(self, topic: TopicRecords) -> Exception:
        told = self._line.metadata.topics.get(topic.name)
        code = (
            told.error if told is not None and told.error else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        )
        return DeliveryTimeoutError(
            code,
            f"topic {topic.name!r} has not been found, with that partition, within the "
            f"{self._options.max_block_ms} ms of max_block_ms",
        )

    def leader_of(self, queue: PartitionQueue) -> int | None:
        """The node to send to; where there is none, it is asked for."""
        leader = self._line.metadata.leader(*queue.partition)
        if leader is None:
            self.stale.add(queue.partition.topic)
            return None
        return leader.node.node_id

    async def _refresh(self) -> None:
        topics = sorted(self.stale)
        asked_at_ms = self._clock.monotonic_ms()
        try:
            await self._line.refresh(topics)
        except (UserError, ProtocolError) as error:
            _log.info("metadata was not refreshed", extra={"reason": str(error)})
        else:
            self.stale.difference_update(topics)
            self._asked_at_ms.update(dict.fromkeys(topics, asked_at_ms))
        finally:
            self._refreshing = False
        if not self.stale and not self._still_unknown(topics):
            self._refresh_backoff.reset()
        self._refresh_at_ms = self._clock.monotonic_ms() + self._refresh_backoff.next_ms()

    def _still_unknown(self, topics: Sequence[str]) -> bool:
        return any(self._line.metadata.topic(topic) is None for topic in topics)

    # -- who we are ------------------------------------------------------------------------------

    @property
    def _needs_identity(self) -> bool:
        """Whether a producer id is to be asked for; transactions ask for theirs themselves."""
        options = self._options
        if not options.is_idempotent or options.transactional_id is not None:
            return False
        if self.identity is NOBODY:
            return bool(self._accumulator.busy)
        worn = self.identity.producer_id
        return any(
            queue.is_worn and queue.identity.producer_id == worn
            for queue in self._accumulator.busy.values()
        )

    async def _ask_identity(self) -> None:
        request = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=-1)
        try:
            node = await self._line.any_node()
            response = await node.call(request, InitProducerIdResponse)
        except (UserError, ProtocolError) as error:
            # An API that no node has may be there after the next update of the cluster.
            _log.info("no producer id yet", extra={"reason": str(error)})
            code = ErrorCode.NETWORK_EXCEPTION
        else:
            code = known_error(response.error_code)
            if code is ErrorCode.NONE:
                self.identity = Identity(response.producer_id, response.producer_epoch)
                self._identity_backoff.reset()
        finally:
            self._asks_identity = False
        if code is not ErrorCode.NONE and not remedy_of(code).retriable:
            self._fail(DeliveryError(code, "the cluster gives this producer no id"))
        self._identity_at_ms = self._clock.monotonic_ms() + self._identity_backoff.next_ms()
