"""Acknowledged can be read: after a kill all of it, after a power loss what was flushed."""

from __future__ import annotations

from tests.crash.reopened import Reopened


def check(found: Reopened) -> None:
    promised = found.promised
    kept_end = promised.kept_end if found.is_power_loss else promised.end
    end = found.log.log_end_offset
    assert end >= kept_end, f"acknowledged up to {kept_end}, and {end} is the end"
    if promised.config.is_compacted:
        return  # which of them must still be there: `latest_of_each_key`
    acked = [
        batch
        for batch in promised.batches
        if found.log.log_start_offset < batch.next_offset <= kept_end
    ]
    missing = [batch.base_offset for batch in acked if batch not in found.batches]
    assert not missing, f"acknowledged batches are missing: {missing}"
