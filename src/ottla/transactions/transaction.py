"""One transactional id: its producer, its transaction, and both as a record of the log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_EPOCH, NO_PRODUCER, TopicPartition
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.payloads.transaction_log import (
    PartitionsSchema,
    TransactionLogKey,
    TransactionLogValue,
)

EPOCH_MAX: Final = 2**15 - 1
EPOCH_OF_CLIENTS_MAX: Final = EPOCH_MAX - 1
"""No client gets the last epoch: there is always one left that fences it."""
NO_TIME: Final = -1
EPOCH_PER_TRANSACTION: Final = 2
"""From this `transaction.version` each end of a transaction begins a new epoch (KIP-890)."""
FLEXIBLE_RECORDS: Final = 1
"""From this `transaction.version` records are written in their version 1."""


class State(IntEnum):
    """Of a transaction, with Kafka's numbers."""

    EMPTY = 0
    ONGOING = 1
    PREPARE_COMMIT = 2
    PREPARE_ABORT = 3
    COMPLETE_COMMIT = 4
    COMPLETE_ABORT = 5
    DEAD = 6
    PREPARE_EPOCH_FENCE = 7

    @property
    def label(self) -> str:
        """As Kafka's tools print it: PrepareCommit."""
        return self.name.title().replace("_", "")


PREPARED: Final = frozenset({State.PREPARE_COMMIT, State.PREPARE_ABORT})
"""The end is decided, and markers are on their way."""
IDLE: Final = frozenset({State.EMPTY, State.COMPLETE_COMMIT, State.COMPLETE_ABORT})


class TransactionEnd(NamedTuple):
    """What the partitions of a transaction must be told; the record of it is committed.

    `transaction_version` 2 puts the marker's epoch above that of the records (KIP-1228).
    """

    transactional_id: str
    producer_id: int
    producer_epoch: int
    is_committed: bool
    transaction_version: int
    partitions: frozenset[TopicPartition]


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of one transactional id. Times are of the wall clock, in ms.

    `previous_producer_id` is the one before the last change of this record; `next_producer_id` the
    one that follows the end under way, where epochs are used up.
    """

    transactional_id: str
    producer_id: int
    epoch: int
    timeout_ms: int
    state: State = State.EMPTY
    partitions: frozenset[TopicPartition] = frozenset()
    start_ms: int = NO_TIME
    last_update_ms: int
    previous_producer_id: int = NO_PRODUCER
    next_producer_id: int = NO_PRODUCER
    client_version: int = 0

    @property
    def is_exhausted(self) -> bool:
        """Whether no further epoch may be given to a client."""
        return self.epoch >= EPOCH_OF_CLIENTS_MAX

    @property
    def end(self) -> TransactionEnd:
        """Which markers it waits for."""
        assert self.state in PREPARED
        return TransactionEnd(
            self.transactional_id,
            self.producer_id,
            self.epoch,
            self.state is State.PREPARE_COMMIT,
            self.client_version,
            self.partitions,
        )

    @property
    def current(self) -> tuple[int, int]:
        """The producer id and epoch that the client goes on with when this end is complete."""
        if self.next_producer_id != NO_PRODUCER:
            return self.next_producer_id, 0
        return self.producer_id, self.epoch

    def changed(self, now_ms: int, **fields: object) -> Transaction:
        """This one after a change at `now_ms`; time never runs backwards in a record."""
        fields.setdefault("previous_producer_id", self.producer_id)
        fields["last_update_ms"] = max(now_ms, self.last_update_ms)
        return msgspec.structs.replace(self, **fields)

    def is_timed_out(self, now_ms: int) -> bool:
        """Whether it has been open for longer than its producer has asked for."""
        return self.state is State.ONGOING and now_ms > self.start_ms + self.timeout_ms

    def is_expired(self, now_ms: int, expiration_ms: int) -> bool:
        """Whether nothing has happened for so long that the id may be forgotten."""
        return self.state in IDLE and now_ms >= self.last_update_ms + expiration_ms


def record_of(transaction: Transaction, transaction_version: int) -> CoordinatorRecord:
    """The record that says it, for a cluster of this `transaction.version`."""
    version = 1 if transaction_version >= FLEXIBLE_RECORDS else 0
    value = TransactionLogValue(
        producer_id=transaction.producer_id,
        producer_epoch=transaction.epoch,
        transaction_timeout_ms=transaction.timeout_ms,
        transaction_status=transaction.state,
        # As Kafka: null says that there never was a transaction.
        transaction_partitions=(
            None if transaction.state is State.EMPTY else _by_topic(transaction.partitions)
        ),
        transaction_last_update_timestamp_ms=transaction.last_update_ms,
        transaction_start_timestamp_ms=transaction.start_ms,
    )
    if version:
        value.previous_producer_id = transaction.previous_producer_id
        value.next_producer_id = transaction.next_producer_id
        value.client_transaction_version = transaction.client_version
    return CoordinatorRecord(_key(transaction.transactional_id), value, version)


def tombstone_of(transactional_id: str) -> CoordinatorRecord:
    """The record that forgets an id."""
    return CoordinatorRecord(_key(transactional_id), None)


def transaction_of(key: TransactionLogKey, value: TransactionLogValue) -> Transaction:
    """What a record says. Raises ProtocolError(CORRUPT_MESSAGE) for a state that is none."""
    return Transaction(
        transactional_id=key.transactional_id,
        producer_id=value.producer_id,
        epoch=value.producer_epoch,
        timeout_ms=value.transaction_timeout_ms,
        state=_state_of(value.transaction_status),
        partitions=frozenset(
            TopicPartition(topic.topic, index)
            for topic in value.transaction_partitions or ()
            for index in topic.partition_ids
        ),
        start_ms=value.transaction_start_timestamp_ms,
        last_update_ms=value.transaction_last_update_timestamp_ms,
        previous_producer_id=value.previous_producer_id,
        next_producer_id=value.next_producer_id,
        client_version=value.client_transaction_version,
    )


def _state_of(number: int) -> State:
    try:
        return State(number)
    except ValueError:
        raise ProtocolError(
            ErrorCode.CORRUPT_MESSAGE, f"a transaction cannot be in state {number}"
        ) from None


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """The partitions' numbers under each topic, all sorted."""
    found: dict[str, list[int]] = defaultdict(list)
    for topic, index in sorted(partitions):
        found[topic].append(index)
    return found


def _by_topic(partitions: Iterable[TopicPartition]) -> list[PartitionsSchema]:
    return [
        PartitionsSchema(topic=topic, partition_ids=indexes)
        for topic, indexes in by_topic(partitions).items()
    ]


def _key(transactional_id: str) -> TransactionLogKey:
    return TransactionLogKey(transactional_id=transactional_id)


NO_IDENTITY: Final = NO_PRODUCER, int(NO_EPOCH)
"""A producer id and an epoch that nobody has."""
