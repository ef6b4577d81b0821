"""A partition as it is found after a crash, beside what was promised of it."""

from __future__ import annotations

from typing import NamedTuple

from ottla.log.partition_log import PartitionLog
from tests.crash.promises import Batch, Promised
from tests.unit.log.support import all_batches


class Reopened(NamedTuple):
    """`batches` are all that can be read; `recovery_point` is what was written down."""

    name: str
    log: PartitionLog
    promised: Promised
    is_power_loss: bool
    recovery_point: int
    batches: list[Batch]


def batches_of(log: PartitionLog) -> list[Batch]:
    """All that can be read."""
    return [
        Batch(header.base_offset, header.next_offset, batch) for header, batch in all_batches(log)
    ]
