"""Whether clocks agree: retention and times of records go by them.

An Ottla broker tells its clock. Of others, records from the future tell: those of producers, and
those that the coordinators themselves have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.ids import NO_LEADER, TopicPartition
from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.moments import format_duration

if TYPE_CHECKING:
    from ottla.client.admin import Admin

CLOCK: Final = "ottla.clock.ms"
_SKEW_MS: Final = 2_000
_BAD_SKEW_MS: Final = 300_000
_FUTURE_MS: Final = 60_000
_PARTITIONS_MAX: Final = 1_000
_REMEDY: Final = "let both machines follow a time server (chrony, systemd-timesyncd)"


async def look_at_clocks(
    admin: Admin, node_ids: Sequence[int], *, now_ms: Callable[[], int]
) -> list[Finding]:
    """Of brokers first, then of records."""
    skews: dict[int, int] = {}
    for node_id in node_ids:
        skew_ms = await _skew_ms(admin, node_id, now_ms)
        if skew_ms is not None:
            skews[node_id] = skew_ms
    told = (
        f"{len(skews)} of {len(node_ids)} brokers tell their clock"
        if skews
        else "brokers do not tell their clock; records were looked at"
    )
    findings = [Finding(level=Level.FINE, about="", told=told)]
    findings += [finding for node_id in skews for finding in skew_findings(node_id, skews[node_id])]
    return findings + await _from_the_future(admin, now_ms())


async def _skew_ms(admin: Admin, node_id: int, now_ms: Callable[[], int]) -> int | None:
    """How far the broker is ahead, less what the way may have taken; None where it is not told."""
    from ottla.client.admin.config_entries import ConfigResource

    resource = ConfigResource.broker(node_id)
    asked_ms = now_ms()
    entry = (await admin.configs.describe(resource, names=[CLOCK])).all()[resource].get(CLOCK)
    answered_ms = now_ms()
    if entry is None or entry.value is None or not entry.value.isdecimal():
        return None
    clock_ms = int(entry.value)
    if asked_ms <= clock_ms <= answered_ms:
        return 0
    return clock_ms - answered_ms if clock_ms > answered_ms else clock_ms - asked_ms


def skew_findings(node_id: int, skew_ms: int) -> list[Finding]:
    """Nothing for what is usual."""
    if abs(skew_ms) < _SKEW_MS:
        return []
    return [
        Finding(
            level=Level.PROBLEM if abs(skew_ms) >= _BAD_SKEW_MS else Level.WARNING,
            about=f"broker {node_id}",
            told=f"its clock is {format_duration(abs(skew_ms))} "
            f"{'ahead of' if skew_ms > 0 else 'behind'} the one of this machine",
            remedy=_REMEDY,
        )
    ]


async def _from_the_future(admin: Admin, now_ms: int) -> list[Finding]:
    from ottla.client.admin.errors import UnsupportedByBrokerError
    from ottla.client.admin.offsets import OffsetSpec

    names = [topic.name for topic in await admin.topics.list(internal=True)]
    described = await admin.topics.describe(*names)
    partitions = [
        TopicPartition(topic.name, each.index)
        for topic in described.done.values()
        for each in topic.partitions
        if each.leader != NO_LEADER  # which would be waited for
    ]
    asked = dict.fromkeys(partitions[:_PARTITIONS_MAX], OffsetSpec.MAX_TIMESTAMP)
    try:
        listed = await admin.offsets.list(asked)
    except UnsupportedByBrokerError:
        return []
    return [
        Finding(
            level=Level.WARNING,
            about=str(partition),
            told=f"it has records of the future, {format_duration(told.timestamp_ms - now_ms)} "
            "from now: time-based retention keeps them, and all of their segment, so much longer",
            remedy=_REMEDY + "; message.timestamp.after.max.ms refuses such records",
        )
        for partition, told in listed.done.items()
        if told is not None and told.timestamp_ms > now_ms + _FUTURE_MS
    ]
