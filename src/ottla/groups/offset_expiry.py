"""Which offsets are old enough to go (KIP-211).

A group without members loses its offsets a retention time after the last one left, one that never
had members each offset by itself, one that is stable those of topics that it reads no more.
"""

from __future__ import annotations

from collections.abc import Iterator

from ottla.groups.group import Group
from ottla.groups.offsets import CommittedOffset, GroupOffsets, Place


def expired(
    group: Group, offsets: GroupOffsets, *, now_ms: int, retention_ms: int
) -> Iterator[Place]:
    """The partitions whose offsets have expired. What a transaction may still change stays."""
    may_expire: dict[str, bool] = {}
    for place, offset in offsets.committed.items():
        if place.topic not in may_expire:
            may_expire[place.topic] = group.may_expire(place.topic)
        if (
            may_expire[place.topic]
            and not offsets.is_unstable(place)
            and _is_old(group, offset, now_ms, retention_ms)
        ):
            yield place


def _is_old(group: Group, offset: CommittedOffset, now_ms: int, retention_ms: int) -> bool:
    if offset.expires_ms >= 0:
        return now_ms >= offset.expires_ms
    since_ms = offset.committed_ms
    if group.protocol_type is not None and group.empty_since_ms is not None:
        since_ms = group.empty_since_ms
    return now_ms - since_ms >= retention_ms
