"""No batch twice, none out of order: producers that send again find all of theirs exactly once.

What is known of each is what the log holds. Who lost nothing that was answered sends what was not
answered, in order; each of these is stored then, once.
"""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log.errors import DuplicateBatchError
from ottla.log.partition_log import PartitionLog
from ottla.wire.records.batch import read_header
from ottla.wire.records.header import BatchHeader
from tests.crash.promises import Sender, Sent
from tests.crash.reopened import Reopened
from tests.crash.sending import sent_bytes
from tests.unit.log.support import NOW_MS, all_batches


def check(found: Reopened) -> None:
    before = _stored(found.log)
    _check_known(found.log)
    for sender in found.promised.senders:
        own = [header for header in before if header.producer_id == sender.producer_id]
        present = {h.base_sequence for h in own if h.producer_epoch == sender.epoch}
        lost = [
            sent
            for sent in sender.answered
            if sent.base_sequence not in present and not _is_deleted(found, sender, sent)
        ]
        present |= {
            sent.base_sequence for sent in sender.unanswered if _is_deleted(found, sender, sent)
        }
        _send_again(found.log, sender, present, may_be_refused=bool(lost))
    found.log.commit()
    _check_once(_stored(found.log))


def _stored(log: PartitionLog) -> list[BatchHeader]:
    return [header for header, _ in all_batches(log) if header.producer_id >= 0]


def _check_known(log: PartitionLog) -> None:
    newest = {header.producer_id: header for header in _stored(log)}
    known = dict(log.producers.states)
    for producer_id, header in newest.items():
        state = known.get(producer_id)
        assert state is not None, f"producer {producer_id} is not known"
        last = state.batches[-1]
        assert (state.epoch, last.base_sequence, last.base_offset) == (
            header.producer_epoch,
            header.base_sequence,
            header.base_offset,
        ), f"producer {producer_id} is known with another batch than its last"


def _is_deleted(found: Reopened, sender: Sender, sent: Sent) -> bool:
    """Whether retention let the batch go: then it was not lost."""
    wanted = (sender.producer_id, sender.epoch, sent.base_sequence)
    for batch in found.promised.batches:
        header = read_header(memoryview(batch.data))
        if (header.producer_id, header.producer_epoch, header.base_sequence) == wanted:
            return batch.next_offset <= found.log.log_start_offset
    return False


def _send_again(
    log: PartitionLog, sender: Sender, present: set[int], *, may_be_refused: bool
) -> None:
    for sent in sender.unanswered:
        batch = memoryview(sent_bytes(sender, sent))
        try:
            log.stage(batch, read_header(batch), max(log.last_epoch, 0), NOW_MS)
        except DuplicateBatchError:
            if sent.base_sequence not in present:
                raise AssertionError("taken for a duplicate, and not stored") from None
        except ProtocolError as refused:
            if not may_be_refused or refused.code is not ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER:
                raise
        else:
            assert sent.base_sequence not in present, "stored twice"


def _check_once(stored: list[BatchHeader]) -> None:
    following: dict[tuple[int, int], int] = {}
    for header in stored:
        key = header.producer_id, header.producer_epoch
        expected = following.get(key, header.base_sequence)
        assert header.base_sequence == expected, "a gap, or stored twice"
        following[key] = header.base_sequence + header.record_count
