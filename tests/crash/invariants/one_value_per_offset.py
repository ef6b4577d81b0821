"""What can be read is a beginning of what was written: the same bytes in place, without holes."""

from __future__ import annotations

from tests.crash.reopened import Reopened


def check(found: Reopened) -> None:
    if found.promised.config.is_compacted:
        return  # what compaction may leave out: `latest_of_each_key`
    log = found.log
    written = [
        batch
        for batch in found.promised.everything
        if log.log_start_offset < batch.next_offset <= log.log_end_offset
    ]
    if found.batches != written:
        offsets = [batch.base_offset for batch in found.batches]
        expected = [batch.base_offset for batch in written]
        raise AssertionError(f"read {offsets}, written {expected}")
    if written:
        assert log.log_end_offset == written[-1].next_offset, "the log ends behind its last batch"
