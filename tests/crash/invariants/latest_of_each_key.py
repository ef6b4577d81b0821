"""Compaction leaves the latest record of each key, at its offset; above what it saw, everything.

What can be read is what was written there: no record changes, none moves. Above what was flushed a
power loss may leave holes in compacted logs: recovery cannot tell them from compaction's.
"""

from __future__ import annotations

from collections.abc import Iterable

from ottla.wire.records.record import iter_records
from tests.crash.promises import Batch
from tests.crash.reopened import Reopened

Records = dict[int, tuple[bytes | None, bytes | None]]
"""(key, value) by offset."""


def check(found: Reopened) -> None:
    promised, log = found.promised, found.log
    if not promised.config.is_compacted:
        return
    written = _records(promised.everything, log.log_start_offset)
    present = _records(found.batches, log.log_start_offset)
    changed = [offset for offset in present if present[offset] != written.get(offset)]
    assert not changed, f"not what was written: {changed}"
    kept_end = promised.kept_end if found.is_power_loss else promised.end
    for offset, (key, _) in written.items():
        if offset >= kept_end or offset in present:
            continue
        # Something later of its key must be there, which compaction has seen.
        assert offset < promised.cleaned_end, f"{offset} is missing, and was not compacted"
        later = [other for other in present if other > offset and present[other][0] == key]
        assert later, f"{offset} is missing, and nothing later of its key is there"


def _records(batches: Iterable[Batch], start: int) -> Records:
    return {
        record.offset: (record.key, record.value)
        for batch in batches
        for record in iter_records(batch.data)
        if record.offset >= start
    }
