"""Transactions of one producer: who it is, which partitions take part, and how each one ends.

Two protocols: with `transaction.version` 2 (Kafka 4, KIP-890) partitions and groups join by their
first write, and every end brings a new epoch; before that they are added by requests of their own,
and the epoch changes only after something was lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final, TypeVar

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.errors import NodeError, RefusedError
from ottla.client.group_member import GroupMember
from ottla.client.producer.accumulator import Accumulator
from ottla.client.producer.batch import NOBODY, Identity
from ottla.client.producer.errors import (
    ProducerFencedError,
    TransactionAbortedError,
    TransactionError,
)
from ottla.client.producer.line import Line
from ottla.client.producer.sender import Sender
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.client.retrying import retry
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
)
from ottla.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)

T = TypeVar("T")

FEATURE: Final = "transaction.version"
_EXPLICIT_PARTITIONS_MAX: Final = 3
_EXPLICIT_OFFSETS_MAX: Final = 4
_EXPLICIT_END_MAX: Final = 4
_INIT_TAKES_IDENTITY: Final = 3
_INIT_MAX: Final = 5
"""Version 6 is for two-phase commit, which is not offered here."""

_FENCED: Final = {
    ErrorCode.PRODUCER_FENCED,
    ErrorCode.INVALID_PRODUCER_EPOCH,
    ErrorCode.TRANSACTION_COORDINATOR_FENCED,
}
_FATAL: Final = {
    ErrorCode.INVALID_PRODUCER_ID_MAPPING,
    ErrorCode.INVALID_TXN_STATE,
    ErrorCode.INVALID_TRANSACTION_TIMEOUT,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ErrorCode.UNSUPPORTED_VERSION,
}


class _State(Enum):
    IDLE = "no transaction"
    OPEN = "in a transaction"
    COMMITTING = "waiting for the last records of a transaction"
    BROKEN = "in a transaction that must be aborted"
    ENDING = "ending a transaction"


_GOES_ON: Final = (_State.OPEN, _State.COMMITTING)
"""Its records are still being sent."""


class Transactions:
    """One at a time."""

    def __init__(self, line: Line, accumulator: Accumulator, sender: Sender) -> None:
        assert accumulator.options.transactional_id is not None
        self._id = accumulator.options.transactional_id
        self._line = line
        self._accumulator = accumulator
        self._options = accumulator.options
        self._sender = sender
        self._state = _State.IDLE
        self._error: Exception | None = None
        self._added: set[TopicPartition] = set()
        self._has_offsets = False
        self._needs_new_epoch = False
        self._adding: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._giving: set[asyncio.Task[None]] = set()
        """Calls that give positions to the transaction; it ends after the last of them."""
        self.number = 0
        """Of the transaction that is open, or was last."""
        sender.transactions_2 = False
        sender.settlement.on_failure = self._failed
        sender.on_muted = self._add_soon

    # -- who we are ------------------------------------------------------------------------------

    async def init(self) -> None:
        """Take the id: whoever had it before is fenced, and its open transaction aborted.

        Raises DeadlineError, RefusedError, TransactionError.
        """
        await self._init(NOBODY)

    async def _init(self, before: Identity) -> None:
        async def ask() -> Identity:
            node = await self._line.coordinator()
            version = node.version_of(InitProducerIdRequest, at_most=_INIT_MAX)
            # An older coordinator takes no identity, and gives the next epoch all the same.
            producer_id, epoch = before if version >= _INIT_TAKES_IDENTITY else NOBODY
            request = InitProducerIdRequest(
                transactional_id=self._id,
                transaction_timeout_ms=self._options.transaction_timeout_ms,
                producer_id=producer_id,
                producer_epoch=epoch,
            )
            response = await node.call(request, InitProducerIdResponse, at_most=version)
            self._check(response.error_code, "to take the transactional id")
            self._sender.transactions_2 = node.feature_level(FEATURE) >= 2
            return Identity(response.producer_id, response.producer_epoch)

        self._take(await self._insist(ask, "the transactional id was not taken"))

    def _take(self, identity: Identity) -> None:
        """A new epoch: every partition counts from 0."""
        self._sender.lookups.identity = identity
        self._needs_new_epoch = False
        for topic in self._accumulator.topics.values():
            for queue in topic.queues.values():
                queue.begin(identity)

    # -- beginning -------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether records may be sent. Raises TransactionError where it must be aborted."""
        if self._state is _State.BROKEN and self._error is not None:
            raise self._error
        return self._state is _State.OPEN

    async def begin(self) -> None:
        """Begin, once the one before has ended. Raises UserError for one that is open."""
        if self._ending is not None:
            await asyncio.shield(self._ending)
        self._check_alive()
        if self._state is not _State.IDLE:
            raise UserError(f"this producer is {self._state.value}")
        self._state = _State.OPEN
        self.number += 1
        self._added.clear()
        self._has_offsets = False
        self._mute()

    def _check_alive(self) -> None:
        if self._sender.fatal is not None:
            raise self._sender.fatal

    def _mute(self) -> None:
        explicit = not self._sender.transactions_2
        self._accumulator.mutes = explicit
        for topic in self._accumulator.topics.values():
            for queue in topic.queues.values():
                queue.muted = explicit

    # -- partitions ------------------------------------------------------------------------------

    def _add_soon(self) -> None:
        if self._adding is None and self._state in _GOES_ON:
            self._adding = asyncio.get_running_loop().create_task(self._add_partitions())

    async def _add_partitions(self) -> None:
        try:
            while muted := [queue for queue in self._accumulator.busy.values() if queue.muted]:
                await self._add([queue.partition for queue in muted])
                for queue in muted:
                    queue.muted = False
                self._sender.wake()
        except (UserError, ProtocolError) as error:
            self._failed(error)
        finally:
            self._adding = None

    async def _add(self, partitions: list[TopicPartition]) -> None:
        topics: dict[str, AddPartitionsToTxnTopic] = {}
        for name, index in partitions:
            topic = topics.setdefault(name, AddPartitionsToTxnTopic(name=name, partitions=[]))
            topic.partitions.append(index)
        producer_id, epoch = self._sender.lookups.identity
        request = AddPartitionsToTxnRequest(
            v3_and_below_transactional_id=self._id,
            v3_and_below_producer_id=producer_id,
            v3_and_below_producer_epoch=epoch,
            v3_and_below_topics=list(topics.values()),
        )

        async def ask() -> None:
            node = await self._line.coordinator()
            response = await node.call(
                request, AddPartitionsToTxnResponse, at_most=_EXPLICIT_PARTITIONS_MAX
            )
            codes = {
                result.partition_error_code
                for topic in response.results_by_topic_v3_and_below
                for result in topic.results_by_partition
            }
            # One partition's error leaves the others not attempted: it says more than they do.
            for code in sorted(codes - {ErrorCode.OPERATION_NOT_ATTEMPTED}, reverse=True):
                self._check(code, "to add partitions to the transaction")

        self._added.update(partitions)
        await self._insist(ask, "partitions were not added to the transaction")

    # -- positions of groups ---------------------------------------------------------------------

    async def send_offsets(
        self, offsets: Mapping[TopicPartition, int], member: GroupMember
    ) -> None:
        """Commit positions (the next offset to read) of a group with this transaction.

        Raises TransactionError and DeadlineError, after which it must be aborted; RefusedError;
        TransactionAbortedError where it is aborted meanwhile. A commit waits for this call.
        """
        self._check_alive()
        if not self.is_open:
            raise UserError(f"this producer is {self._state.value}")
        if not offsets:
            return
        giving = asyncio.get_running_loop().create_task(self._give(offsets, member))
        self._giving.add(giving)
        giving.add_done_callback(self._giving.discard)
        try:
            await giving
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise TransactionAbortedError("the transaction of these positions has ended") from None

    async def _give(self, offsets: Mapping[TopicPartition, int], member: GroupMember) -> None:
        self._has_offsets = True
        try:
            if not self._sender.transactions_2:
                await self._insist(
                    lambda: self._add_group(member.group_id), "the group was not added"
                )
            await self._insist(
                lambda: self._commit_offsets(offsets, member), "positions were not committed"
            )
        except (UserError, ProtocolError, asyncio.CancelledError) as error:
            # Cancelled, nobody knows whether the positions are part of it.
            self._failed(
                error
                if isinstance(error, Exception)
                else TransactionAbortedError("its positions were cut off")
            )
            raise

    async def _add_group(self, group_id: str) -> None:
        producer_id, epoch = self._sender.lookups.identity
        request = AddOffsetsToTxnRequest(
            transactional_id=self._id,
            producer_id=producer_id,
            producer_epoch=epoch,
            group_id=group_id,
        )
        node = await self._line.coordinator()
        response = await node.call(request, AddOffsetsToTxnResponse, at_most=_EXPLICIT_OFFSETS_MAX)
        self._check(response.error_code, "to add the group to the transaction")

    async def _commit_offsets(
        self, offsets: Mapping[TopicPartition, int], member: GroupMember
    ) -> None:
        topics: dict[str, TxnOffsetCommitRequestTopic] = {}
        for (name, index), offset in offsets.items():
            topic = topics.setdefault(name, TxnOffsetCommitRequestTopic(name=name, partitions=[]))
            topic.partitions.append(
                TxnOffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
            )
        producer_id, epoch = self._sender.lookups.identity
        request = TxnOffsetCommitRequest(
            transactional_id=self._id,
            group_id=member.group_id,
            producer_id=producer_id,
            producer_epoch=epoch,
            generation_id=member.generation,
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            topics=list(topics.values()),
        )
        node = await self._line.group_coordinator(member.group_id)
        limit = None if self._sender.transactions_2 else _EXPLICIT_OFFSETS_MAX
        response = await node.call(request, TxnOffsetCommitResponse, at_most=limit)
        for answer in response.topics:
            for partition in answer.partitions:
                self._check(partition.error_code, "to commit positions", group_id=member.group_id)

    # -- ending ----------------------------------------------------------------------------------

    async def commit(self) -> None:
        """Wait for every record, then commit. Raises TransactionError where it must be aborted.

        Cancelled while it waits for records or positions, the transaction is open as before. After
        that the commit goes on, and `begin` waits for it.
        """
        self._check_alive()
        if not self.is_open:
            raise UserError(f"this producer is {self._state.value}")
        # What is sent from here on would be waited for by nobody, and end in the next transaction.
        self._state = _State.COMMITTING
        try:
            await self._sender.flush()
            if self._giving:
                await asyncio.wait(self._giving)
        finally:
            if self._state is _State.COMMITTING:
                self._state = _State.OPEN
        self._check_alive()
        if not self.is_open:
            raise UserError(f"this producer is {self._state.value}")
        await self._end(committed=True)

    @property
    def can_abort(self) -> bool:
        """Whether there is one that is not ending already."""
        return self._state in (*_GOES_ON, _State.BROKEN) and self._sender.fatal is None

    async def close(self) -> None:
        """End what is ending, abort what is open: its readers need not wait for the timeout."""
        if self._ending is not None:
            await asyncio.wait([self._ending])
        if self.can_abort:
            await self.abort()

    async def stop(self) -> None:
        """Ask nothing any more."""
        tasks = [task for task in (self._adding, self._ending, *self._giving) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def abort(self) -> None:
        """Drop what was not sent, and abort. Raises as `commit` does. Cancelled, it goes on."""
        if self._ending is not None:
            await asyncio.shield(self._ending)
        self._check_alive()
        if self._state not in (*_GOES_ON, _State.BROKEN):
            raise UserError(f"this producer is {self._state.value}")
        await self._end(committed=False)

    async def _end(self, *, committed: bool) -> None:
        self._state = _State.ENDING
        self._ending = asyncio.get_running_loop().create_task(self._finish(committed=committed))
        # Who waits may be cancelled: the next call then tells by the sender's fatal error.
        self._ending.add_done_callback(lambda task: task.cancelled() or task.exception())
        await asyncio.shield(self._ending)

    async def _finish(self, *, committed: bool) -> None:
        try:
            if not committed:
                await self._cut_off_positions()
                await self._sender.drain(TransactionAbortedError("the transaction is aborted"))
            if self._adding is not None:
                await asyncio.wait([self._adding])
            if self._sender.transactions_2 or self._added or self._has_offsets:
                await self._insist(
                    lambda: self._ask_end(committed=committed), "the transaction did not end"
                )
            if self._needs_new_epoch:
                await self._init(self._sender.lookups.identity)
        except (UserError, ProtocolError) as error:
            # Whether it has ended nobody here knows, and nothing may be written before that.
            self._sender.fail(error)
            raise
        except asyncio.CancelledError:
            self._sender.fail(TransactionAbortedError("the producer was closed meanwhile"))
            raise
        finally:
            self._state = _State.IDLE
            self._error = None
            self._ending = None

    async def _cut_off_positions(self) -> None:
        """A try made later would commit them with the transaction after this one."""
        giving = list(self._giving)
        for task in giving:
            task.cancel()
        if giving:
            await asyncio.wait(giving)

    async def _ask_end(self, *, committed: bool) -> None:
        if not self._has_written:
            return
        producer_id, epoch = self._sender.lookups.identity
        request = EndTxnRequest(
            transactional_id=self._id,
            producer_id=producer_id,
            producer_epoch=epoch,
            committed=committed,
        )
        node = await self._line.coordinator()
        limit = None if self._sender.transactions_2 else _EXPLICIT_END_MAX
        response = await node.call(request, EndTxnResponse, at_most=limit)
        code = response.error_code
        if code == ErrorCode.INVALID_TXN_STATE and self._is_doubtful and not committed:
            return
        self._check(code, "to end the transaction")
        if response.producer_id >= 0:
            self._take(Identity(response.producer_id, response.producer_epoch))

    @property
    def _is_doubtful(self) -> bool:
        """Whether what would have begun the transaction may have been lost on its way.

        The coordinator then has nothing to abort, and what comes late is of the epoch before.
        """
        return self._needs_new_epoch and not self._sender.transactions_2

    @property
    def _has_written(self) -> bool:
        """Whether the coordinator can know of this transaction."""
        if self._added or self._has_offsets:
            return True
        return any(
            queue.next_sequence
            for topic in self._accumulator.topics.values()
            for queue in topic.queues.values()
        )

    # -- errors ----------------------------------------------------------------------------------

    def _failed(self, error: Exception) -> None:
        """Something of the transaction is lost: all the rest of it is given up."""
        self._needs_new_epoch |= not self._sender.transactions_2
        if isinstance(error, ProducerFencedError):
            # Once: failing gives up all batches, each of which is told here too.
            if self._sender.fatal is None:
                self._sender.fail(error)
        elif self._state in _GOES_ON:
            self._state = _State.BROKEN
            code = getattr(error, "code", ErrorCode.TRANSACTION_ABORTABLE)
            self._error = TransactionError(code, f"abort the transaction: {error}")
            self._sender.drop_from_now_on(self._error)

    def _check(self, code: int, what: str, *, group_id: str | None = None) -> None:
        """Raises RefusedError for what passes, TransactionError for what ends the transaction."""
        error = known_error(code)
        if error is ErrorCode.NONE:
            return
        if error in _FENCED:
            raise ProducerFencedError(error, f"{self._id!r} was not allowed {what}")
        if error in _FATAL:
            fatal = TransactionError(error, f"{self._id!r} was not allowed {what}")
            self._sender.fail(fatal)
            raise fatal
        if remedy_of(code) is Remedy.FIND_COORDINATOR:
            if group_id is None:
                self._line.forget_coordinator()
            else:
                self._line.forget_group_coordinator(group_id)
        raise RefusedError(error, f"{self._id!r}, {what}")

    async def _insist(self, ask: Callable[[], Awaitable[T]], failed: str) -> T:
        """Ask until it is answered, within `delivery_timeout_ms`."""

        async def attempt() -> T:
            try:
                return await ask()
            except NodeError:
                self._line.forget_coordinator()
                raise

        options = self._options
        backoff = Backoff(
            options.retry_backoff_ms, options.retry_backoff_max_ms, self._accumulator.rng
        )
        timeout_s = options.delivery_timeout_ms / 1000
        return await retry(attempt, backoff=backoff, timeout_s=timeout_s, failed=failed)
