"""The transactional ids of one partition of `__transaction_state`.

Commands read, and answer with records; `replay` alone changes what is kept. Not kept, because the
records have no place for it: which epoch a client may resume from, and which markers of an end
under way are written already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from ottla.base.effects import NEVER, Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.base.limits import TRANSACTIONAL_IDS_FORGOTTEN_AT_ONCE, TRANSACTIONS_ABORTED_AT_ONCE
from ottla.transactions import ending, initialising, listing, partitions
from ottla.transactions.ending import Ending
from ottla.transactions.initialising import NOBODY, Takeover
from ottla.transactions.listing import Filter
from ottla.transactions.partitions import Writing
from ottla.transactions.step import Step
from ottla.transactions.transaction import (
    NO_IDENTITY,
    PREPARED,
    Transaction,
    TransactionEnd,
    record_of,
    tombstone_of,
    transaction_of,
)
from ottla.wire.messages.describe_transactions import TransactionState
from ottla.wire.messages.list_transactions import TransactionState as ListedTransaction
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.payloads.transaction_log import TransactionLogKey, TransactionLogValue
from ottla.wire.schema import Payload

Decision = Effects[CoordinatorRecord]


class Answer(NamedTuple):
    """To most commands. With `end`, markers must be written now; then comes `complete`.

    `needs_producer_id`: nothing was decided, ask again with one that nobody ever had.
    """

    error: ErrorCode
    producer_id: int = NO_IDENTITY[0]
    producer_epoch: int = NO_IDENTITY[1]
    end: TransactionEnd | None = None
    needs_producer_id: bool = False


class TransactionShard:
    """A `broker.coordination.shard.Shard`; see `Answer` for what commands reply."""

    def __init__(
        self,
        *,
        timeout_ms_max: int,
        expiration_ms: int,
        transaction_version: Callable[[], int],
    ) -> None:
        """`transaction_version` is the level that the cluster runs now (a feature)."""
        self._timeout_ms_max: Final = timeout_ms_max
        self._expiration_ms: Final = expiration_ms
        self._transaction_version: Final = transaction_version
        self._by_id: dict[str, Transaction] = {}
        self._resumable: dict[str, int] = {}
        self._marked: dict[str, set[TopicPartition]] = {}

    def __iter__(self) -> Iterator[Transaction]:
        """Every transactional id that is kept, for a look at it."""
        return iter(list(self._by_id.values()))

    # --- the log ---

    def replay(
        self, key: Payload, value: Payload | None, *, offset: int, producer: ProducerIdentity | None
    ) -> None:
        """Take over a record; a tombstone forgets the id."""
        assert isinstance(key, TransactionLogKey)
        self._marked.pop(key.transactional_id, None)
        if value is None:
            self._by_id.pop(key.transactional_id, None)
            self._resumable.pop(key.transactional_id, None)
        else:
            assert isinstance(value, TransactionLogValue)
            self._by_id[key.transactional_id] = transaction_of(key, value)

    def replay_marker(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        """No transaction ever writes to this topic: nothing waits for its end."""

    def loaded(self, moment: Moment) -> Decision:
        """What is half finished is told by `unfinished`."""
        return Effects()

    @property
    def next_deadline_ms(self) -> int:
        """Its owner looks now and then: `abort_timed_out` and `forget_expired`."""
        return NEVER

    def expire(self, moment: Moment) -> Decision:
        return Effects()

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        """Nobody waits in here."""
        return []

    # --- commands of producers ---

    def initialise(
        self, wanted: Takeover, fresh_producer_id: int | None, ticket: Ticket, moment: Moment
    ) -> Decision:
        """Let a producer take over a transactional id."""
        if not 0 < wanted.timeout_ms <= self._timeout_ms_max:
            return _replied(ticket, Answer(ErrorCode.INVALID_TRANSACTION_TIMEOUT))
        step = initialising.take_over(
            self._by_id.get(wanted.transactional_id),
            wanted,
            resumable_epoch=self._resumable.get(wanted.transactional_id, NOBODY),
            fresh_producer_id=fresh_producer_id,
            transaction_version=self._transaction_version(),
            now_ms=moment.now_ms,
        )
        return self._taken(ticket, step)

    def add_partitions(
        self, wanted: Writing, version: int, ticket: Ticket, moment: Moment
    ) -> Decision:
        """Take partitions into a transaction. `version`: that of the client."""
        current = self._by_id.get(wanted.transactional_id)
        step = partitions.add(current, wanted, version=version, now_ms=moment.now_ms)
        return self._taken(ticket, step)

    def verify_partitions(self, writing: Writing, ticket: Ticket, moment: Moment) -> Decision:
        """Replies a dict: whether each partition is in the transaction."""
        current = self._by_id.get(writing.transactional_id)
        return _replied(ticket, partitions.verify(current, writing))

    def end(
        self, asked: Ending, fresh_producer_id: int | None, ticket: Ticket, moment: Moment
    ) -> Decision:
        """Decide how a transaction ends."""
        step = ending.end(
            self._by_id.get(asked.transactional_id),
            asked,
            fresh_producer_id=fresh_producer_id,
            now_ms=moment.now_ms,
        )
        return self._taken(ticket, step)

    # --- commands of the owner ---

    def complete(self, ended: TransactionEnd, ticket: Ticket, moment: Moment) -> Decision:
        """All markers of an end are written."""
        current = self._by_id.get(ended.transactional_id)
        return self._taken(ticket, ending.complete(current, ended, moment.now_ms))

    def unfinished(self, ticket: Ticket, moment: Moment) -> Decision:
        """Replies a list of ends that are decided and not complete: after a load."""
        return _replied(
            ticket, [found.end for found in self._by_id.values() if found.state in PREPARED]
        )

    def abort_timed_out(self, ticket: Ticket, moment: Moment) -> Decision:
        """End what is open for too long, some at a time; replies the list of these ends."""
        version = self._transaction_version()
        timed_out = (found for found in self._by_id.values() if found.is_timed_out(moment.now_ms))
        aborted = [
            ending.fenced(found, version, moment.now_ms)
            for found in islice(timed_out, TRANSACTIONS_ABORTED_AT_ONCE)
        ]
        for found in aborted:
            self._resumable.pop(found.transactional_id, None)
        return Effects(
            [record_of(found, version) for found in aborted],
            [(ticket, [found.end for found in aborted])],
        )

    def forget_expired(self, ticket: Ticket, moment: Moment) -> Decision:
        """Forget ids that are long unused; replies how many, some thousand at a time."""
        all_expired = (
            found.transactional_id
            for found in self._by_id.values()
            if found.is_expired(moment.now_ms, self._expiration_ms)
        )
        expired = list(islice(all_expired, TRANSACTIONAL_IDS_FORGOTTEN_AT_ONCE))
        return Effects([tombstone_of(name) for name in expired], [(ticket, len(expired))])

    # --- looking ---

    def describe(self, transactional_id: str, ticket: Ticket, moment: Moment) -> Decision:
        """Replies a `TransactionState`."""
        return _replied(ticket, self.description(transactional_id))

    def list_transactions(self, wanted: Filter, ticket: Ticket, moment: Moment) -> Decision:
        """Replies a list of those that pass the filter."""
        found: list[ListedTransaction] = listing.passing(
            self._by_id.values(), wanted, moment.now_ms
        )
        return _replied(ticket, found)

    def description(self, transactional_id: str) -> TransactionState:
        """What DescribeTransactions tells of an id."""
        marked = self._marked.get(transactional_id, ())
        return listing.described(transactional_id, self._by_id.get(transactional_id), marked)

    def transaction(self, transactional_id: str) -> Transaction | None:
        return self._by_id.get(transactional_id)

    def is_member(self, writing: Writing) -> bool:
        """Whether a producer may write to these partitions at this moment."""
        return not any(
            partitions.verify(self.transaction(writing.transactional_id), writing).values()
        )

    def is_under_way(self, ended: TransactionEnd) -> bool:
        """Whether its markers may be written: nobody has completed or replaced it."""
        current = self._by_id.get(ended.transactional_id)
        return current is not None and current.state in PREPARED and current.end == ended

    def note_marked(self, ended: TransactionEnd, written: Iterable[TopicPartition]) -> None:
        """These partitions have their marker."""
        if self.is_under_way(ended):
            self._marked.setdefault(ended.transactional_id, set()).update(written)

    # --- the way of all steps ---

    def _taken(self, ticket: Ticket, step: Step) -> Decision:
        changed = step.transaction
        is_ending = changed is not None and changed.state in PREPARED
        answer = Answer(
            step.error,
            *step.producer,
            end=changed.end if changed is not None and is_ending else None,
            needs_producer_id=step.needs_producer_id,
        )
        if changed is None:
            return _replied(ticket, answer)
        if step.resumable_epoch is not None:
            self._resumable[changed.transactional_id] = step.resumable_epoch
        return Effects([record_of(changed, self._transaction_version())], [(ticket, answer)])


def _replied(ticket: Ticket, reply: object) -> Decision:
    return Effects((), [(ticket, reply)])
