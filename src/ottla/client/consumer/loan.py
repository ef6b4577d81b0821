"""Records lent to a thread beside the loop's, which hands them out one by one (`ottla.blocking`).

Pure state. Nothing counts as handed out before it is settled: until then the positions are those
before the loan, so that whoever commits them meanwhile commits too little, never too much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.record import ConsumerRecord


class Part(NamedTuple):
    """The records of one partition: from `first` to before `end` of the loan's."""

    partition: AssignedPartition
    version: int
    first: int
    end: int


class Loan:
    """Some records in the order in which they are handed out."""

    __slots__ = ("_parts", "_settled", "records")

    def __init__(self) -> None:
        self.records: list[ConsumerRecord] = []
        self._parts: list[Part] = []
        self._settled = 0

    def __bool__(self) -> bool:
        """Whether anything is lent."""
        return bool(self.records)

    def add(self, partition: AssignedPartition, records: list[ConsumerRecord]) -> None:
        """Lend these, which the partition shows and has not handed out."""
        first = len(self.records)
        self.records += records
        self._parts.append(Part(partition, partition.version, first, len(self.records)))

    def settle(self, count: int) -> Iterator[AssignedPartition]:
        """The first `count` were handed out; the partitions whose positions moved by that."""
        before, self._settled = self._settled, max(count, self._settled)
        for part in self._parts:
            handed_out = self.records[max(part.first, before) : min(part.end, count)]
            if handed_out:
                _move(part, handed_out)
                yield part.partition


def _move(part: Part, handed_out: list[ConsumerRecord]) -> None:
    partition, left = part.partition, len(handed_out)
    while left and partition.version == part.version:
        taken = partition.take_records(left)
        if not taken:
            break
        left -= len(taken)
    if left:
        # What was fetched is gone meanwhile, as with another leader: read on behind these.
        partition.seek(handed_out[-1].offset + 1, handed_out[-1].leader_epoch)
