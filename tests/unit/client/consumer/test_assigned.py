"""One partition's position, without a loop."""

from __future__ import annotations

from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assigned import AssignedPartition, Need, Stamp
from tests.support.cluster import SeededRng


def test_what_an_older_leader_still_answers_does_not_count_even_before_the_first_record() -> None:
    partition = AssignedPartition(TopicPartition("t", 0), Backoff(1, 1, SeededRng()))
    partition.seek(5)
    assert partition.need(Stamp(bytes(16), 1), bytes_max=1) is Need.FETCH
    asked = partition.version
    assert partition.need(Stamp(bytes(16), 1), bytes_max=1) is Need.FETCH
    assert partition.version == asked
    assert partition.need(Stamp(bytes(16), 2), bytes_max=1) is Need.FETCH
    assert partition.version != asked
