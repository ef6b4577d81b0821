"""A shard with its log, as the runtime runs it: what it decides is replayed from its bytes."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from ottla.base.effects import Effects, Moment
from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.transactions.ending import Ending
from ottla.transactions.initialising import Takeover
from ottla.transactions.partitions import Writing
from ottla.transactions.shard import Answer, TransactionShard
from ottla.transactions.transaction import State, Transaction, TransactionEnd, record_of
from ottla.wire.payloads.coordinator import TRANSACTION_RECORDS
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.records.record import Record

NOW_MS = 1_795_000_000_000
TIMEOUT_MS = 60_000
TIMEOUT_MS_MAX = 900_000
EXPIRATION_MS = 604_800_000
ID = "payments"

Command = Callable[..., Effects[CoordinatorRecord]]
Producer = tuple[int, int]


class Coordinator:
    """One shard, its log, and a clock. Producer ids are given out from 1000 on."""

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.now_ms = NOW_MS
        self.log: list[Record] = []
        self.next_producer_id = 1000
        self.shard = self._new_shard()

    def _new_shard(self) -> TransactionShard:
        return TransactionShard(
            timeout_ms_max=TIMEOUT_MS_MAX,
            expiration_ms=EXPIRATION_MS,
            transaction_version=lambda: self.version,
        )

    def ask(self, command: Command, *args: object) -> object:
        """What a command replies, once what it decided is in the log."""
        effects = command(*args, 7, Moment(self.now_ms, self.now_ms - NOW_MS))
        for record in effects.records:
            self._append(record.encoded(self.now_ms))
        ((ticket, reply),) = effects.replies
        assert ticket == 7
        return reply

    def _append(self, record: Record) -> None:
        self._replay(record)
        self.log.append(record)

    def _replay(self, record: Record) -> None:
        assert record.key is not None
        key = TRANSACTION_RECORDS.decode_key(record.key)
        value = None
        if record.value is not None:
            value = TRANSACTION_RECORDS.decode_value(key.API_KEY, record.value)
        self.shard.replay(key, value, offset=len(self.log), producer=None)

    def reload(self) -> None:
        """Begin anew from the log."""
        self.shard = self._new_shard()
        for record in self.log:
            self._replay(record)

    def with_producer_id(self, command: Command, what: object) -> Answer:
        answer = self.ask(command, what, None)
        assert isinstance(answer, Answer)
        if answer.needs_producer_id:
            self.next_producer_id += 1
            answer = self.ask(command, what, self.next_producer_id - 1)
            assert isinstance(answer, Answer)
        return answer

    # -- shorthands ------------------------------------------------------------------------------

    def init(
        self,
        resumed: Producer = (-1, -1),
        *,
        timeout_ms: int = TIMEOUT_MS,
        transactional_id: str = ID,
    ) -> Answer:
        return self.with_producer_id(
            self.shard.initialise, Takeover(transactional_id, timeout_ms, *resumed)
        )

    def initialised(self) -> Producer:
        """Take over until it succeeds; completes ends that are in the way."""
        answer = self.init()
        if answer.end is not None:
            self.complete(answer.end)
            answer = self.init()
        assert answer.error is ErrorCode.NONE
        return answer.producer_id, answer.producer_epoch

    def add(self, producer: Producer, *indexes: int, version: int | None = None) -> ErrorCode:
        answer = self.ask(
            self.shard.add_partitions,
            writing(producer, *indexes),
            self.version if version is None else version,
        )
        assert isinstance(answer, Answer)
        return answer.error

    def verify(self, producer: Producer, *indexes: int) -> dict[int, ErrorCode]:
        found = self.ask(self.shard.verify_partitions, writing(producer, *indexes))
        assert isinstance(found, dict)
        return {where.partition: error for where, error in found.items()}

    def end(self, producer: Producer, *, commit: bool, version: int | None = None) -> Answer:
        asked = Ending(ID, *producer, commit, self.version if version is None else version)
        return self.with_producer_id(self.shard.end, asked)

    def complete(self, ended: TransactionEnd) -> Answer:
        answer = self.ask(self.shard.complete, ended)
        assert isinstance(answer, Answer)
        return answer

    def ended(self, producer: Producer, *, commit: bool) -> Producer:
        """End and complete; the producer for the next transaction."""
        answer = self.end(producer, commit=commit)
        assert answer.error is ErrorCode.NONE
        assert answer.end is not None
        assert self.complete(answer.end).error is ErrorCode.NONE
        return answer.producer_id, answer.producer_epoch

    def unfinished(self) -> list[TransactionEnd]:
        found = self.ask(self.shard.unfinished)
        assert isinstance(found, list)
        return found

    def abort_timed_out(self) -> list[TransactionEnd]:
        found = self.ask(self.shard.abort_timed_out)
        assert isinstance(found, list)
        return found

    @property
    def transaction(self) -> Transaction:
        found = self.shard.transaction(ID)
        assert found is not None
        return found

    @property
    def state(self) -> State:
        return self.transaction.state

    def set_epoch(self, epoch: int) -> None:
        """Let the current producer have used up its epochs up to this one."""
        changed = replace(self.transaction, epoch=epoch)
        self._append(record_of(changed, self.version).encoded(self.now_ms))


def writing(producer: Producer, *indexes: int) -> Writing:
    return Writing(ID, *producer, frozenset(TopicPartition("orders", index) for index in indexes))
