"""Transactions on this broker: runs the shards, writes the markers they ask for, and completes.

An end goes in three steps: the shard decides it, and its record is committed; then every partition
gets its marker; then the shard notes that it is complete. Whatever is interrupted goes on from the
record of the first step, after a restart or when a shard was read again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from typing import Final, cast

from ottla.base.effects import Effects, Moment, Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.base.world import Clock
from ottla.broker.coordination.internal_topics import InternalTopics
from ottla.broker.coordination.runtime import Command, CoordinatorRuntime
from ottla.broker.metadata_service import MetadataService
from ottla.broker.replicas import LocalReplicas
from ottla.broker.transaction_markers import CoordinatorMarkers, Marker, TransactionMarkers
from ottla.metadata.features import TRANSACTION_VERSION
from ottla.metadata.image import MetadataDelta, MetadataImage
from ottla.settings import coordinators as keys
from ottla.settings.broker import BrokerSettings
from ottla.transactions.ending import Ending
from ottla.transactions.initialising import Takeover
from ottla.transactions.listing import Filter
from ottla.transactions.partitions import Writing
from ottla.transactions.shard import Answer, TransactionShard
from ottla.transactions.transaction import TransactionEnd
from ottla.wire.messages.describe_transactions import TransactionState
from ottla.wire.messages.list_transactions import TransactionState as ListedTransaction
from ottla.wire.payloads.coordinator import TRANSACTION_RECORDS
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS, TRANSACTION_STATE
from ottla.wire.payloads.records import CoordinatorRecord

log = logging.getLogger(__name__)

Shard = TransactionShard
Deciding = Callable[[Shard, int | None, Ticket, Moment], Effects[CoordinatorRecord]]
"""A command that may want a producer id that nobody ever had."""

MARKER_RETRY_SECONDS_MIN: Final = 0.02
MARKER_RETRY_SECONDS_MAX: Final = 5.0
SETTLED: Final = (
    ErrorCode.NONE,
    # The topic is gone, and the transaction's records with it.
    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    # Somebody, by hand, has ended the transaction there already.
    ErrorCode.INVALID_PRODUCER_EPOCH,
)
"""Answers of a partition after which it needs no marker any more."""


class TransactionCoordinator:
    """The transactional ids whose partition of `__transaction_state` is led here."""

    def __init__(
        self,
        replicas: LocalReplicas,
        metadata: MetadataService,
        settings: BrokerSettings,
        clock: Clock,
        groups: CoordinatorMarkers,
    ) -> None:
        self._metadata = metadata
        self._replicas = replicas
        self._settings = settings
        self._topics = InternalTopics(metadata, replicas.directories, settings)
        self.runtime = CoordinatorRuntime(
            TRANSACTION_STATE,
            TRANSACTION_RECORDS,
            self._make_shard,
            replicas,
            clock,
            served=self._served,
        )
        self.markers = TransactionMarkers(
            replicas, clock, {CONSUMER_OFFSETS: groups, TRANSACTION_STATE: self.runtime}
        )
        self._finishing: dict[TransactionEnd, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopped = False

    def _make_shard(self, _: int) -> Shard:
        return Shard(
            timeout_ms_max=self._settings[keys.TRANSACTION_MAX_TIMEOUT_MS],
            expiration_ms=self._settings[keys.TRANSACTIONAL_ID_EXPIRATION_MS],
            transaction_version=lambda: self._metadata.image.features.get(TRANSACTION_VERSION, 0),
        )

    # -- life ------------------------------------------------------------------------------------

    def start(self) -> None:
        """Serve what is led here, follow the metadata, and look after things now and then."""
        self._metadata.follow(self._follow)
        self.runtime.follow()
        abort_ms = self._settings[keys.TRANSACTION_ABORT_TIMED_OUT_CLEANUP_INTERVAL_MS]
        forget_ms = self._settings[keys.TRANSACTION_REMOVE_EXPIRED_CLEANUP_INTERVAL_MS]
        self._spawn(self._every(abort_ms, self.finish_what_stands_still))
        self._spawn(self._every(forget_ms, self.forget_expired))

    def _follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        topic = image.topics_by_name.get(TRANSACTION_STATE)
        if not self._is_stopped and topic and topic.topic_id in delta.partitions_changed:
            self.runtime.follow()

    async def stop(self) -> None:
        """Serve nobody any more. What is half finished goes on after the next start."""
        self._is_stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.runtime.stop()

    def _spawn(self, work: Awaitable[None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # -- where they are --------------------------------------------------------------------------

    async def coordinator_of(self, transactional_id: str) -> int:
        """The node that coordinates an id; makes the topic of all where it is missing.

        Raises ProtocolError.
        """
        if not transactional_id:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "a transactional id has a name")
        return await self._topics.coordinator_of(TRANSACTION_STATE, transactional_id)

    def _index_of(self, transactional_id: str) -> int:
        if self._is_stopped:
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the broker stops")
        return self._topics.partition_of(TRANSACTION_STATE, transactional_id)

    # -- producers -------------------------------------------------------------------------------

    async def initialise(self, wanted: Takeover) -> Answer:
        """Let a producer take over a transactional id."""
        return await self._decide(
            wanted.transactional_id,
            lambda shard, fresh, ticket, moment: shard.initialise(wanted, fresh, ticket, moment),
        )

    async def end(self, asked: Ending) -> Answer:
        """Commit or abort; what is led here has its markers when this returns, if it takes them."""
        return await self._decide(
            asked.transactional_id,
            lambda shard, fresh, ticket, moment: shard.end(asked, fresh, ticket, moment),
        )

    async def add_partitions(self, wanted: Writing, *, version: int) -> ErrorCode:
        """Take partitions into a transaction. `version` is what the client speaks."""
        answer = await self._decide(
            wanted.transactional_id,
            lambda shard, _, ticket, moment: shard.add_partitions(wanted, version, ticket, moment),
        )
        return answer.error

    async def verify_partitions(self, writing: Writing) -> dict[TopicPartition, ErrorCode]:
        """Whether each partition is in the open transaction."""
        try:
            index = self._index_of(writing.transactional_id)
            found = await self.runtime.run(
                index,
                lambda shard, ticket, moment: shard.verify_partitions(writing, ticket, moment),
            )
        except ProtocolError as refused:
            return dict.fromkeys(writing.partitions, refused.code)
        return cast(dict[TopicPartition, ErrorCode], found)

    def is_member(self, writing: Writing) -> bool:
        """Whether all of it is in the open transaction at this moment, committed or not.

        For who asked `add_partitions` or `verify_partitions`, had to wait, and is about to write.
        """
        try:
            index = self._index_of(writing.transactional_id)
            return self.runtime.peek(index).is_member(writing)
        except ProtocolError:
            return False

    async def offsets_partition(self, group_id: str) -> TopicPartition:
        """Where the positions of a group are kept. Raises ProtocolError."""
        await self._topics.ensure(CONSUMER_OFFSETS)
        return TopicPartition(
            CONSUMER_OFFSETS, self._topics.partition_of(CONSUMER_OFFSETS, group_id)
        )

    async def _decide(self, transactional_id: str, command: Deciding) -> Answer:
        if not transactional_id:
            return Answer(ErrorCode.INVALID_REQUEST)
        fresh_producer_id = None
        try:
            index = self._index_of(transactional_id)
            while True:
                answer = await self._run(index, command, fresh_producer_id)
                if not answer.needs_producer_id:
                    break
                fresh_producer_id = await self._metadata.next_producer_id()
        except ProtocolError as refused:
            return Answer(refused.code)
        if answer.end is not None:
            self._finish(index, answer.end)
            # The first attempt runs before this goes on: who has committed reads what it wrote.
            await asyncio.sleep(0)
        return answer

    async def _run(self, index: int, command: Deciding, fresh_producer_id: int | None) -> Answer:
        answer = await self.runtime.run(
            index,
            lambda shard, ticket, moment: command(shard, fresh_producer_id, ticket, moment),
        )
        return cast(Answer, answer)

    # -- looking ---------------------------------------------------------------------------------

    async def describe(self, transactional_id: str) -> TransactionState:
        """One transactional id."""
        if not transactional_id:
            return TransactionState(
                error_code=ErrorCode.INVALID_REQUEST, transactional_id=transactional_id
            )
        try:
            index = self._index_of(transactional_id)
            found = await self.runtime.run(
                index,
                lambda shard, ticket, moment: shard.describe(transactional_id, ticket, moment),
            )
        except ProtocolError as refused:
            return TransactionState(error_code=refused.code, transactional_id=transactional_id)
        return cast(TransactionState, found)

    async def list_transactions(self, wanted: Filter) -> list[ListedTransaction]:
        """All that are coordinated here and pass. Raises ProtocolError."""
        if self._is_stopped:
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, "the broker stops")
        if self.runtime.is_loading:
            raise ProtocolError(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, "transactions are read")
        found: list[ListedTransaction] = []
        for index in self.runtime.led:
            found += cast(
                list[ListedTransaction],
                await self.runtime.run(
                    index,
                    lambda shard, ticket, moment: shard.list_transactions(wanted, ticket, moment),
                ),
            )
        return found

    # -- finishing -------------------------------------------------------------------------------

    def _served(self, index: int) -> None:
        """A shard was read: what it has decided and not completed goes on."""
        self._spawn(self._finish_decided(index))

    async def _finish_decided(self, index: int) -> None:
        await self._finish_all(index, lambda shard, *asked: shard.unfinished(*asked))

    async def _finish_all(self, index: int, command: Command[Shard]) -> int:
        """Finish the ends that a command replies; how many."""
        try:
            ends = cast(list[TransactionEnd], await self.runtime.run(index, command))
        except ProtocolError:
            return 0  # whoever reads the shard next will see to it
        for ended in ends:
            self._finish(index, ended)
        return len(ends)

    def _finish(self, index: int, ended: TransactionEnd) -> None:
        if ended not in self._finishing:
            self._finishing[ended] = self._spawn(self._write_markers(index, ended))

    async def _write_markers(self, index: int, ended: TransactionEnd) -> None:
        """Write, again and again where partitions refuse, then complete; or let others do it."""
        missing: Collection[TopicPartition] = ended.partitions
        wait_seconds = MARKER_RETRY_SECONDS_MIN
        try:
            while missing:
                missing = await self._attempt(index, ended, missing)
                if missing:
                    await asyncio.sleep(wait_seconds)
                    wait_seconds = min(wait_seconds * 2, MARKER_RETRY_SECONDS_MAX)
            # Before version 2 the end of the next transaction, which may come before this is
            # answered, looks the same: it must not be taken for this one.
            self._let_go(ended)
            await self.runtime.run(
                index, lambda shard, ticket, moment: shard.complete(ended, ticket, moment)
            )
        except ProtocolError as refused:
            # Another broker finishes it, or this one when it has read the shard again.
            log.info(
                "a transaction's end is left: %s",
                refused.message,
                extra={"transactional_id": ended.transactional_id},
            )
        except Exception:
            log.exception(
                "a fault in the end of a transaction, it is tried again; please report this",
                extra={"transactional_id": ended.transactional_id},
            )
        finally:
            self._let_go(ended)

    def _let_go(self, ended: TransactionEnd) -> None:
        if self._finishing.get(ended) is asyncio.current_task():
            del self._finishing[ended]

    async def _attempt(
        self, index: int, ended: TransactionEnd, partitions: Collection[TopicPartition]
    ) -> list[TopicPartition]:
        """The partitions that still have no marker. Raises ProtocolError where it is not ours."""
        shard = self.runtime.peek(index)
        if not shard.is_under_way(ended):
            raise ProtocolError(ErrorCode.INVALID_TXN_STATE, "this end is not under way any more")
        outcomes = await self.markers.write(self._marker(index, ended), partitions)
        if ErrorCode.TRANSACTION_COORDINATOR_FENCED in outcomes.values():
            raise ProtocolError(ErrorCode.TRANSACTION_COORDINATOR_FENCED, "it has a newer one")
        missing = [where for where, error in outcomes.items() if error not in SETTLED]
        shard.note_marked(ended, ended.partitions.difference(missing))
        if missing:
            log.warning(
                "a transaction's end waits for partitions that take no marker now",
                extra={
                    "transactional_id": ended.transactional_id,
                    "partition": str(missing[0]),
                    "error": outcomes[missing[0]].name,
                    "count": len(missing),
                },
            )
        return missing

    def _marker(self, index: int, ended: TransactionEnd) -> Marker:
        partition = self._replicas.find(TRANSACTION_STATE, index)
        assert not isinstance(partition, ErrorCode), "it is served, so it is led here"
        return Marker(
            ended.producer_id,
            ended.producer_epoch,
            ended.is_committed,
            partition.leader_epoch,
            ended.transaction_version,
        )

    # -- now and then ----------------------------------------------------------------------------

    async def finish_what_stands_still(self) -> None:
        """Whoever would ask for it may be gone: readers of committed records wait for it.

        A shard that was thrown away when its log refused a write is read again.
        """
        self.runtime.follow()
        await self.abort_timed_out()
        for index in self.runtime.led:
            await self._finish_decided(index)

    async def abort_timed_out(self) -> None:
        """End transactions that are open for longer than their producers asked for."""
        for index in self.runtime.led:
            while await self._finish_all(
                index, lambda shard, *asked: shard.abort_timed_out(*asked)
            ):
                pass

    async def forget_expired(self) -> None:
        """Forget transactional ids that nobody has used for long."""
        for index in self.runtime.led:
            try:
                while await self.runtime.run(
                    index, lambda shard, *asked: shard.forget_expired(*asked)
                ):
                    pass
            except ProtocolError:
                continue  # not led here any more, or it is tried again the next time

    @staticmethod
    async def _every(interval_ms: int, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(interval_ms / 1000)
            try:
                await work()
            except Exception:
                # Once dead, it would leave every reader behind an open transaction for ever.
                log.exception("a fault in the care of transactions; please report this")
