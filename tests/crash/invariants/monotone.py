"""The log start never falls behind what was written down, nor runs ahead of what was let go.

And the recovery point that is written down is one that was reached: else nobody would look again at
what lies below it.
"""

from __future__ import annotations

from tests.crash.reopened import Reopened


def check(found: Reopened) -> None:
    promised = found.promised
    start = found.log.log_start_offset
    assert start >= promised.start_min, f"the log starts at {start}, not {promised.start_min}"
    assert start <= promised.start_max, f"records below {start} were not deleted"
    assert found.recovery_point <= promised.point_max, (
        f"the recovery point {found.recovery_point} was not synced up to"
    )
