"""Every batch is found by its offset and by its time, whatever has become of the indexes."""

from __future__ import annotations

from itertools import pairwise

from ottla.wire.records.record import iter_records
from tests.crash.reopened import Reopened
from tests.unit.log.support import NOW_MS


def check(found: Reopened) -> None:
    log = found.log
    for batch in found.batches:
        offset = max(batch.next_offset - 1, log.log_start_offset)
        place = log.read(offset, 1, end_offset=log.log_end_offset, min_one_batch=True)
        assert place is not None, f"nothing at {offset}"
        assert place.base_offset == batch.base_offset, f"{place.base_offset} for {offset}"
    first = log.offset_for_timestamp(NOW_MS)  # all records are of this time
    assert (first.offset if first else None) == _first_offset(found)
    assert log.offset_for_timestamp(NOW_MS + 1) is None
    infos = [] if found.promised.config.is_compacted else log.segments
    for before, after in pairwise(infos):
        assert before.next_offset == after.base_offset, "a hole between segments"


def _first_offset(found: Reopened) -> int | None:
    offsets = (record.offset for batch in found.batches for record in iter_records(batch.data))
    return next((offset for offset in offsets if offset >= found.log.log_start_offset), None)
