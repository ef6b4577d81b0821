"""Sequences and epochs of one partition's batches."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.producer.batch import NOBODY, Identity, ProducerBatch
from ottla.client.producer.errors import DeliveryError
from ottla.client.producer.partition_queue import EPOCH_MAX, NEVER, Gap, PartitionQueue

PARTITION = TopicPartition("t", 0)
ME = Identity(7, 0)
LOST = DeliveryError(ErrorCode.INVALID_RECORD, "refused")


def queue_of(*counts: int, known: bool = True) -> PartitionQueue:
    """Batches of so many records, of a partition that has stored something before."""
    queue = PartitionQueue(PARTITION, linger_ms=0, idempotent=True)
    for count in counts:
        batch = ProducerBatch(PARTITION, 0)
        for _ in range(count):
            batch.append(0, None, b"x", ())
        queue.fresh.append(batch)
    queue.begin(ME)
    queue.is_known = known
    return queue


def take_all(queue: PartitionQueue, identity: Identity = ME) -> list[ProducerBatch]:
    taken = []
    while (batch := queue.due(0, identity, hurry=True)) is not None:
        queue.take(batch)
        taken.append(batch)
    return taken


def test_sequences_go_on_from_batch_to_batch() -> None:
    queue = queue_of(2, 3, 1)
    assert [batch.sequence for batch in take_all(queue)] == [0, 2, 5]


def test_sequences_begin_again_after_the_largest() -> None:
    queue = queue_of(3, 1)
    queue.next_sequence = 2**31 - 2
    assert [batch.sequence for batch in take_all(queue)] == [2**31 - 2, 1]


def test_five_batches_are_on_their_way_at_most() -> None:
    queue = queue_of(*[1] * 7)
    assert len(take_all(queue)) == 5
    assert queue.due_at_ms(0) == NEVER


def test_of_a_new_epoch_the_first_batch_travels_alone() -> None:
    queue = queue_of(1, 1, known=False)
    (first,) = take_all(queue)
    queue.returned(first)
    queue.stored(first, 0, -1)
    assert len(take_all(queue)) == 1


def test_nothing_is_sent_before_there_is_an_identity() -> None:
    queue = queue_of(1)
    queue.identity = NOBODY
    assert take_all(queue, NOBODY) == []
    assert len(take_all(queue, ME)) == 1


def test_what_failed_goes_again_before_anything_new_and_alone() -> None:
    queue = queue_of(1, 1, 1)
    first, second = take_all(queue)[:2]
    for batch in list(queue.sent):
        queue.returned(batch)
        queue.repeat(batch, at_ms=0, in_doubt=True)
    assert take_all(queue) == [first]
    queue.returned(first)
    queue.stored(first, 0, -1)
    assert take_all(queue) == [second]
    assert (second.identity, second.sequence) == (ME, 1)


def test_after_a_lost_batch_those_behind_it_are_numbered_anew_in_the_next_epoch() -> None:
    queue = queue_of(2, 3, 4)
    first, second, third = take_all(queue)
    queue.returned(first)
    queue.give_up(first, LOST)
    queue.mend(ME)
    assert queue.gap is Gap.NEW_EPOCH, "two are still on their way"
    for batch in (second, third):
        queue.returned(batch)
        queue.out_of_order(batch, at_ms=0)
    queue.mend(ME)
    assert [(batch.identity.epoch, batch.sequence) for batch in (second, third)] == [(1, 0), (1, 3)]
    assert queue.next_sequence == 7


def test_a_batch_in_doubt_keeps_its_identity_until_the_cluster_has_said() -> None:
    queue = queue_of(1, 1)
    first, second = take_all(queue)
    queue.returned(first)
    queue.give_up(first, LOST)
    queue.returned(second)
    queue.repeat(second, at_ms=0, in_doubt=True)
    queue.mend(ME)
    assert take_all(queue) == [second]
    assert (second.identity, second.sequence) == (ME, 1)
    queue.returned(second)
    queue.out_of_order(second, at_ms=0)
    queue.mend(ME)
    assert (second.identity.epoch, second.sequence) == (1, 0)


def test_used_up_epochs_need_another_producer_id() -> None:
    queue = queue_of(1, 1)
    queue.begin(Identity(7, EPOCH_MAX))
    queue.is_known = True
    first, second = take_all(queue)
    queue.returned(first)
    queue.give_up(first, LOST)
    queue.returned(second)
    queue.out_of_order(second, at_ms=0)
    queue.mend(Identity(7, EPOCH_MAX))
    assert queue.is_worn
    queue.mend(Identity(8, 0))
    assert (second.identity, second.sequence) == (Identity(8, 0), 0)


def test_without_idempotence_nothing_is_numbered() -> None:
    queue = PartitionQueue(PARTITION, linger_ms=0, idempotent=False)
    batch = ProducerBatch(PARTITION, 0)
    batch.append(0, None, b"x", ())
    queue.fresh.append(batch)
    assert take_all(queue, NOBODY) == [batch]
    assert (batch.sequence, batch.identity) == (-1, NOBODY)


def test_a_batch_that_is_being_compressed_holds_back_those_after_it() -> None:
    queue = queue_of(1, 1)
    first, second = queue.fresh
    first.is_being_packed = True
    assert take_all(queue) == []
    first.is_being_packed = False
    assert take_all(queue) == [first, second]
    queue.returned(first)
    queue.repeat(first, at_ms=0, in_doubt=False)
    queue.returned(second)
    first.is_being_packed = True
    assert queue.due(0, ME, hurry=True) is None
    assert queue.due_at_ms(0) == NEVER


def test_what_is_due_already_is_looked_at_again_only_when_something_happens() -> None:
    queue = queue_of(1)
    (batch,) = take_all(queue)
    queue.returned(batch)
    queue.repeat(batch, at_ms=5, in_doubt=False)
    assert queue.due_at_ms(4) == 5
    assert queue.due(5, ME, hurry=False) is batch
    assert queue.due_at_ms(5) == NEVER
    assert queue.due_at_ms(6) == NEVER
