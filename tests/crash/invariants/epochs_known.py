"""Each batch was written in the epoch that the log says, and epochs never go back.

Deleted records that a crash brings back, until the next round of retention, may have none.
"""

from __future__ import annotations

from ottla.wire.records.batch import read_header
from tests.crash.reopened import Reopened


def check(found: Reopened) -> None:
    last = -1
    for batch in found.batches:
        epoch = read_header(memoryview(batch.data)).partition_leader_epoch
        assert epoch >= last, f"epoch {epoch} follows {last}"
        offset = max(batch.base_offset, found.log.log_start_offset)
        known = found.log.epoch_at(offset)
        if known != -1 or offset >= found.promised.start_max:
            assert known == epoch, f"epoch {known} at {offset}, not {epoch}"
        last = epoch
