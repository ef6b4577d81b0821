"""What one partition knows of its idempotent and transactional producers: sequences, epochs,
open transactions.

Pure: batches come in as headers, nothing here knows a file. The rules are those of KIP-98 and
KIP-360 as Apache Kafka 4.3 keeps them, with one difference: a batch that is surely stored, but too
long ago to tell its offset, is answered DUPLICATE_SEQUENCE_NUMBER. Clients take that for success;
OUT_OF_ORDER_SEQUENCE_NUMBER would make them give it up, or begin a new epoch and store it twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import PRODUCERS_PER_PARTITION_MAX
from ottla.log.errors import DuplicateBatchError
from ottla.wire.records.header import TRANSACTIONAL_BIT, BatchHeader

BATCHES_KEPT: Final = 5
"""A client has at most this many batches of a partition on their way (KIP-98)."""

NONE: Final = -1
"""No sequence, no offset, no epoch."""

_SEQUENCE_MASK: Final = 0x7FFF_FFFF
"""Sequences go on with 0 after 2**31 - 1."""

_EVICTED_SHARE: Final = 8


class StoredBatch(msgspec.Struct, frozen=True, gc=False):
    """A batch of a producer; `offset_delta` is its count of records less one."""

    last_sequence: int
    last_offset: int
    offset_delta: int
    timestamp: int

    @property
    def base_sequence(self) -> int:
        return (self.last_sequence - self.offset_delta) & _SEQUENCE_MASK

    @property
    def base_offset(self) -> int:
        return self.last_offset - self.offset_delta


class ProducerState(msgspec.Struct, frozen=True, gc=False):
    """One producer; about 1 KB with five batches.

    `batches` has the newest last, all of this epoch. `sequences_known` counts the sequences up to
    the last one that are stored without a gap. `transaction_start` is the first offset of the open
    transaction. `timestamp` is that of the last batch or marker.
    """

    epoch: int
    batches: tuple[StoredBatch, ...] = ()
    sequences_known: int = 0
    timestamp: int = NONE
    coordinator_epoch: int = NONE
    transaction_start: int = NONE

    def is_stored(self, base_sequence: int) -> bool:
        """Whether this sequence, not above the last one, is surely among those that were stored."""
        behind = (self.batches[-1].last_sequence - base_sequence) & _SEQUENCE_MASK
        return behind < self.sequences_known

    def with_history(self, earlier: Sequence[StoredBatch]) -> ProducerState:
        """This producer, knowing more of what it wrote before: those without a gap count."""
        batches = self.batches
        known = self.sequences_known
        for batch in reversed(earlier):
            if (batch.last_sequence + 1) & _SEQUENCE_MASK != batches[0].base_sequence:
                break
            batches = (batch, *batches)
            known += batch.offset_delta + 1
        return msgspec.structs.replace(self, batches=batches[-BATCHES_KEPT:], sequences_known=known)

    def with_batch(self, batch: StoredBatch, epoch: int, transaction_start: int) -> ProducerState:
        """This producer after one more batch."""
        before: tuple[StoredBatch, ...] = ()
        known = 0
        if epoch == self.epoch and self.batches:
            before = self.batches[1 - BATCHES_KEPT :]
            if batch.base_sequence == (self.batches[-1].last_sequence + 1) & _SEQUENCE_MASK:
                # A sequence number comes back after 2**31 others: half of them are enough to know.
                known = min(self.sequences_known, _SEQUENCE_MASK >> 1)
        return ProducerState(
            epoch,
            (*before, batch),
            known + batch.offset_delta + 1,
            batch.timestamp,
            self.coordinator_epoch,
            transaction_start,
        )


History = Callable[[int, int, int], Sequence[StoredBatch]]
"""Batches of (producer id, epoch) that end below an offset, oldest first, as far as is handy.

Raises StorageError."""


class EndedTransaction(msgspec.Struct, frozen=True, gc=False):
    """A transaction from its first record to its marker, both inclusive."""

    producer_id: int
    first_offset: int
    marker_offset: int
    is_aborted: bool


class Verification:
    """One question to a coordinator; `begins_epoch` where each transaction has its own epoch.

    One that was never begun serves for batches whose transaction is open already.
    """

    __slots__ = ("begins_epoch",)

    def __init__(self, *, begins_epoch: bool = False) -> None:
        self.begins_epoch = begins_epoch


_UNKNOWN: Final = ProducerState(NONE)


class ProducerStates:
    """All producers of one partition, the one that wrote last at the end.

    What is staged counts at once, and is taken back by `drop_staged`. At most
    `limits.PRODUCERS_PER_PARTITION_MAX` producers are known; above it the idlest are forgotten, as
    if they had expired.
    """

    __slots__ = ("_by_id", "_ended", "_forgetful", "_history", "_open", "_undo", "_verifying")

    def __init__(
        self,
        states: Iterable[tuple[int, ProducerState]] = (),
        history: History | None = None,
    ) -> None:
        """From (producer id, state), the idlest first; `history` is asked when one sends again
        what it wrote before that."""
        self._by_id = dict(states)
        self._history = history
        self._forgetful = set() if history is None else set(self._by_id)
        self._open = {
            producer_id: state.transaction_start
            for producer_id, state in self._by_id.items()
            if state.transaction_start != NONE
        }
        self._ended: list[EndedTransaction] = []
        # Producers that the coordinator is being asked about, and the last question of each.
        self._verifying: dict[int, Verification] = {}
        # (base offset, producer id, state before), of batches that may still be dropped.
        self._undo: list[tuple[int, int, ProducerState | None]] = []

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[tuple[int, ProducerState]]:
        return iter(self._by_id.items())

    def get(self, producer_id: int) -> ProducerState | None:
        return self._by_id.get(producer_id)

    # --- taking batches ---

    def admit(
        self,
        header: BatchHeader,
        base_offset: int,
        timestamp: int,
        log_end_offset: int,
        verification: Verification | None = None,
    ) -> None:
        """Check a client's batch and note it as staged at `base_offset`.

        Raises what `check` raises, and DuplicateBatchError for a batch that is stored or staged.
        """
        stored = self.check(header, verification)
        if stored is not None:
            raise DuplicateBatchError(stored.base_offset, stored.last_offset, stored.timestamp)
        self.note(header, base_offset, timestamp, log_end_offset)

    def check(
        self, header: BatchHeader, verification: Verification | None = None
    ) -> StoredBatch | None:
        """None where the batch is the next of its producer; the stored one where it is a duplicate.

        Raises ProtocolError: INVALID_PRODUCER_EPOCH for an epoch that has ended,
        OUT_OF_ORDER_SEQUENCE_NUMBER for a gap and for a new epoch that does not begin with 0,
        DUPLICATE_SEQUENCE_NUMBER for what is stored but no longer known one by one,
        INVALID_TXN_STATE where the batch and the producer's transaction do not fit, StorageError.
        A producer that is not known, because its state has expired, may go on with any sequence.
        """
        state = self._by_id.get(header.producer_id, _UNKNOWN)
        if state is not _UNKNOWN:
            if header.producer_id in self._forgetful and _is_behind(header, state):
                state = self._recall(header.producer_id, state)
            stored = _check_sequence(header, state)
            if stored is not None:
                return stored
        if header.attributes & TRANSACTIONAL_BIT:
            self._check_verification(header, state, verification)
        elif state.transaction_start != NONE:
            raise _refuse(ErrorCode.INVALID_TXN_STATE, header, "is in a transaction")
        return None

    # --- verification (KIP-890) ---

    def is_in_transaction(self, producer_id: int, epoch: int) -> bool:
        """Whether a transaction of this epoch is open: then its batches need no verification."""
        state = self._by_id.get(producer_id, _UNKNOWN)
        return state.transaction_start != NONE and state.epoch == epoch

    def begin_verification(self, producer_id: int, verification: Verification) -> None:
        """Before the coordinator is asked whether a producer may write here.

        What it answers holds for `stage` as long as no marker of the producer comes between, and
        nobody else has asked. `end_verification` must follow.
        """
        self._verifying[producer_id] = verification

    def end_verification(self, producer_id: int, verification: Verification) -> None:
        """The answer was used, or is of no use."""
        if self._verifying.get(producer_id) is verification:
            del self._verifying[producer_id]

    def _check_verification(
        self, header: BatchHeader, state: ProducerState, verification: Verification | None
    ) -> None:
        if verification is None:
            raise _refuse(ErrorCode.INVALID_TXN_STATE, header, "names no transactional id")
        if state.transaction_start != NONE and state.epoch == header.producer_epoch:
            return
        if self._verifying.get(header.producer_id) is not verification:
            raise _refuse(ErrorCode.INVALID_TXN_STATE, header, "has no verified transaction here")
        if verification.begins_epoch and state.epoch == NONE and header.base_sequence != 0:
            raise _refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, header, "begins a new epoch")

    def needs_marker(
        self, producer_id: int, epoch: int, *, coordinator_epoch: int, begins_epoch: bool
    ) -> bool:
        """Whether a marker may and must be written; False for one that is written already.

        `begins_epoch`: the marker's epoch lies above that of the transaction (KIP-1228). Raises
        ProtocolError: INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED.
        """
        state = self._by_id.get(producer_id, _UNKNOWN)
        if coordinator_epoch < state.coordinator_epoch:
            raise ProtocolError(
                ErrorCode.TRANSACTION_COORDINATOR_FENCED,
                f"the coordinator's epoch is {state.coordinator_epoch}, not {coordinator_epoch}",
            )
        is_open = state.transaction_start != NONE
        if epoch < state.epoch or (begins_epoch and epoch == state.epoch and is_open):
            raise ProtocolError(
                ErrorCode.INVALID_PRODUCER_EPOCH,
                f"producer {producer_id} is at epoch {state.epoch}, and the marker has {epoch}",
            )
        return not (begins_epoch and epoch == state.epoch)

    def _recall(self, producer_id: int, state: ProducerState) -> ProducerState:
        """Look once for what the producer wrote before the snapshot that told of it."""
        assert self._history is not None
        earlier = self._history(producer_id, state.epoch, state.batches[0].base_offset)
        self._forgetful.discard(producer_id)
        state = self._by_id[producer_id] = state.with_history(earlier)
        return state

    def note(
        self, header: BatchHeader, base_offset: int, timestamp: int, log_end_offset: int
    ) -> None:
        """Take over a batch that is placed at `base_offset`, without checks.

        For leaders' batches on a follower, coordinators' batches, and recovery.
        """
        producer_id = header.producer_id
        state = self._by_id.get(producer_id)
        self._remember(base_offset, producer_id, state, log_end_offset)
        before = state or _UNKNOWN
        start = before.transaction_start
        if start == NONE and header.attributes & TRANSACTIONAL_BIT:
            start = self._open[producer_id] = base_offset
        batch = StoredBatch(
            header.last_sequence,
            base_offset + header.last_offset_delta,
            header.last_offset_delta,
            timestamp,
        )
        self._put(producer_id, before.with_batch(batch, header.producer_epoch, start))

    def note_marker(
        self, header: BatchHeader, coordinator_epoch: int, log_end_offset: int, *, is_aborted: bool
    ) -> EndedTransaction | None:
        """A transaction ends with this control batch; None where it had no records here."""
        producer_id = header.producer_id
        self._verifying.pop(producer_id, None)
        state = self._by_id.get(producer_id)
        self._remember(header.base_offset, producer_id, state, log_end_offset)
        before = state or _UNKNOWN
        same_epoch = header.producer_epoch == before.epoch
        after = ProducerState(
            header.producer_epoch,
            before.batches if same_epoch else (),
            before.sequences_known if same_epoch else 0,
            header.max_timestamp,
            coordinator_epoch,
        )
        self._put(producer_id, after)
        if self._open.pop(producer_id, NONE) == NONE:
            return None
        ended = EndedTransaction(
            producer_id, before.transaction_start, header.base_offset, is_aborted
        )
        self._ended.append(ended)
        return ended

    def _put(self, producer_id: int, state: ProducerState) -> None:
        by_id = self._by_id
        by_id.pop(producer_id, None)
        by_id[producer_id] = state
        if len(by_id) > PRODUCERS_PER_PARTITION_MAX:
            self._evict()

    def _evict(self) -> None:
        """Many at once: looking for the idlest one by one would walk over those that are gone."""
        count = PRODUCERS_PER_PARTITION_MAX // _EVICTED_SHARE
        for producer_id in list(islice(self._by_id, count)):
            if producer_id not in self._open:
                del self._by_id[producer_id]

    # --- staging ---

    def _remember(
        self, base_offset: int, producer_id: int, state: ProducerState | None, log_end_offset: int
    ) -> None:
        undo = self._undo
        if undo and undo[-1][0] < log_end_offset:
            undo.clear()  # all of it is committed
        undo.append((base_offset, producer_id, state))

    def drop_staged(self, log_end_offset: int) -> None:
        """Forget the batches at `log_end_offset` and behind it, which were not written."""
        while self._undo and self._undo[-1][0] >= log_end_offset:
            _, producer_id, state = self._undo.pop()
            if state is None:
                self._by_id.pop(producer_id, None)
            else:
                self._by_id[producer_id] = state
            if state is None or state.transaction_start == NONE:
                self._open.pop(producer_id, None)
            else:
                self._open[producer_id] = state.transaction_start
        self._undo.clear()
        self._ended = [ended for ended in self._ended if ended.marker_offset < log_end_offset]

    def at(self, offset: int) -> dict[int, ProducerState]:
        """The states below `offset`, which is not below what is committed."""
        states = dict(self._by_id)
        for base_offset, producer_id, state in reversed(self._undo):
            if base_offset < offset:
                break
            if state is None:
                states.pop(producer_id, None)
            else:
                states[producer_id] = state
        return states

    # --- transactions ---

    def last_stable_offset(self, high_watermark: int) -> int:
        """Where the first transaction begins that is open below `high_watermark`; or that itself.

        A transaction whose marker is not below the high watermark yet counts as open.
        """
        if not self._open and not self._ended:
            return high_watermark
        self._ended = [ended for ended in self._ended if ended.marker_offset >= high_watermark]
        starts = [*self._open.values(), *(ended.first_offset for ended in self._ended)]
        return min([high_watermark, *starts])

    def first_open_offset(self, end_offset: int) -> int:
        """Where the first transaction begins that has no marker below `end_offset`; or that."""
        return min([end_offset, *self._open.values()])

    # --- forgetting ---

    def expire(self, now_ms: int, expiration_ms: int) -> None:
        """Forget who has written nothing for so long, by its batches' own time; not in the middle
        of a transaction."""
        expired = [
            producer_id
            for producer_id, state in self._by_id.items()
            if now_ms - state.timestamp >= expiration_ms and state.transaction_start == NONE
        ]
        for producer_id in expired:
            del self._by_id[producer_id]


def _is_behind(header: BatchHeader, state: ProducerState) -> bool:
    """Whether the batch comes again, or seems to, and is not among those that are known."""
    if header.producer_epoch != state.epoch or not state.batches:
        return False
    behind = (state.batches[0].base_sequence - 1 - header.last_sequence) & _SEQUENCE_MASK
    return behind <= _SEQUENCE_MASK >> 1


def _check_sequence(header: BatchHeader, state: ProducerState) -> StoredBatch | None:
    """See `ProducerStates.check`; None where the batch continues the producer's sequence."""
    base_sequence = header.base_sequence
    if header.producer_epoch != state.epoch:
        if header.producer_epoch < state.epoch:
            raise _refuse(
                ErrorCode.INVALID_PRODUCER_EPOCH, header, f"has gone on to epoch {state.epoch}"
            )
        if base_sequence != 0:
            raise _refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, header, "begins a new epoch")
        return None
    if not state.batches:
        if base_sequence != 0:
            raise _refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, header, "begins a new epoch")
        return None
    last_sequence = state.batches[-1].last_sequence
    if base_sequence == (last_sequence + 1) & _SEQUENCE_MASK:
        return None
    for stored in state.batches:
        if stored.last_sequence == header.last_sequence and stored.base_sequence == base_sequence:
            return stored
    if _is_behind(header, state) and state.is_stored(base_sequence):
        raise _refuse(
            ErrorCode.DUPLICATE_SEQUENCE_NUMBER, header, "has stored it longer ago than can be told"
        )
    raise _refuse(ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, header, f"is at sequence {last_sequence}")


def _refuse(code: ErrorCode, header: BatchHeader, reason: str) -> ProtocolError:
    return ProtocolError(
        code,
        f"producer {header.producer_id} {reason}; the batch has epoch {header.producer_epoch} "
        f"and sequence {header.base_sequence}",
    )
