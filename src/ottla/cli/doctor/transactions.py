"""Whether transactions hold up those who read committed records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.moments import format_time

if TYPE_CHECKING:
    from ottla.client.admin.hanging import OpenTransaction


def look_at_transactions(hanging: Sequence[OpenTransaction]) -> list[Finding]:
    """Those that no coordinator is going to end."""
    findings = [
        Finding(
            level=Level.PROBLEM,
            about=str(each.partition),
            told=f"a transaction of producer {each.producer.producer_id} has no end since "
            f"{format_time(each.producer.last_timestamp_ms)}: readers of committed records stand "
            f"still at offset {each.producer.transaction_start_offset}",
            remedy=f"`ottla txn abort {each.partition.topic}:{each.partition.partition} "
            f"--start-offset {each.producer.transaction_start_offset}`",
        )
        for each in hanging
    ]
    told = f"{len(findings) or 'no'} transactions without an end"
    return [Finding(level=Level.FINE, about="", told=told), *findings]
