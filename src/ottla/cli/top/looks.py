"""A look at all offsets of a cluster, and what two of them tell: pure but for the asking.

Any cluster of Kafka's protocol tells these; nothing of it needs metrics.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.errors import ProtocolError, UserError
from ottla.base.ids import NO_LEADER, TopicPartition

if TYPE_CHECKING:
    from ottla.client.admin import Admin

GROUPS_MAX: Final = 200
"""Groups whose offsets are asked for at each look."""


class TopicLook(Struct, frozen=True, kw_only=True):
    """A topic at one moment; ends are exclusive offsets, summed over its partitions."""

    partitions: int
    firsts: int
    ends: int
    under_replicated: int
    offline: int
    size_bytes: int | None


class GroupLook(Struct, frozen=True, kw_only=True):
    """A group at one moment."""

    state: str
    committed: int
    lag: int


class Look(Struct, frozen=True, kw_only=True):
    """All of it at one moment."""

    at_s: float
    brokers: int
    topics: Mapping[str, TopicLook]
    groups: Mapping[str, GroupLook]


async def look(admin: Admin, *, at_s: float, internal: bool) -> Look:
    """Ask for everything. What a broker does not tell is left out."""
    listed = [topic.name for topic in await admin.topics.list(internal=True)]
    described = (await admin.topics.describe(*listed)).done if listed else {}
    places = [
        TopicPartition(name, each.index)
        for name, topic in described.items()
        for each in topic.partitions
        if each.leader != NO_LEADER
    ]
    firsts, ends = await _offsets(admin, places)
    sizes = await _sizes(admin)
    topics: dict[str, TopicLook] = {}
    for name, topic in described.items():
        if topic.is_internal and not internal:
            continue
        own = [TopicPartition(name, each.index) for each in topic.partitions]
        topics[name] = TopicLook(
            partitions=len(own),
            firsts=sum(firsts.get(place, 0) for place in own),
            ends=sum(ends.get(place, 0) for place in own),
            under_replicated=sum(len(each.isr) < len(each.replicas) for each in topic.partitions),
            offline=sum(each.leader == NO_LEADER for each in topic.partitions),
            size_bytes=sizes.get(name),
        )
    brokers = len((await admin.cluster.describe()).nodes)
    groups = await _groups(admin, ends)
    return Look(at_s=at_s, brokers=brokers, topics=topics, groups=groups)


async def _offsets(
    admin: Admin, places: Collection[TopicPartition]
) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
    from ottla.client.admin.offsets import OffsetSpec

    found: list[dict[TopicPartition, int]] = []
    for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST):
        listed = await admin.offsets.list(dict.fromkeys(places, spec))
        found.append(
            {place: told.offset for place, told in listed.done.items() if told is not None}
        )
    return found[0], found[1]


async def _sizes(admin: Admin) -> dict[str, int]:
    """By topic, all replicas together; nothing where this client may not ask."""
    sizes: dict[str, int] = {}
    try:
        told = await admin.log_dirs.describe()
    except (UserError, ProtocolError):
        return {}
    for directories in told.done.values():
        for directory in directories.values():
            for place, replica in directory.replicas.items():
                sizes[place.topic] = sizes.get(place.topic, 0) + replica.size_bytes
    return sizes


async def _groups(admin: Admin, ends: Mapping[TopicPartition, int]) -> dict[str, GroupLook]:
    listed = (await admin.groups.list())[:GROUPS_MAX]
    offsets = await admin.groups.offsets_of_many({group.group_id: None for group in listed})
    found: dict[str, GroupLook] = {}
    for group in listed:
        told = offsets.done.get(group.group_id, {})
        committed = {
            place: each.offset for place, each in told.items() if each is not None and place in ends
        }
        found[group.group_id] = GroupLook(
            state=group.state.value,
            committed=sum(committed.values()),
            lag=sum(max(0, ends[place] - offset) for place, offset in committed.items()),
        )
    return found


# -- what two looks tell ---------------------------------------------------------------------------


class TopicRate(Struct, frozen=True, kw_only=True):
    """A topic between two looks."""

    topic: str
    partitions: int
    records: int
    records_per_s: float
    size_bytes: int | None
    bytes_per_s: float | None
    under_replicated: int
    offline: int


class GroupRate(Struct, frozen=True, kw_only=True):
    """A group between two looks; `catches_up_s` is None where it does not."""

    group: str
    state: str
    lag: int
    records_per_s: float
    catches_up_s: float | None


def topic_rates(before: Look, after: Look) -> list[TopicRate]:
    """The busiest first; of topics that are new, what came since then is not known: 0."""
    seconds = max(after.at_s - before.at_s, 1e-9)
    rates = []
    for name, now in after.topics.items():
        then = before.topics.get(name, now)
        size, size_then = now.size_bytes, then.size_bytes
        is_sized = size is not None and size_then is not None
        rates.append(
            TopicRate(
                topic=name,
                partitions=now.partitions,
                records=now.ends - now.firsts,
                records_per_s=max(0, now.ends - then.ends) / seconds,
                size_bytes=size,
                bytes_per_s=max(0, (size or 0) - (size_then or 0)) / seconds if is_sized else None,
                under_replicated=now.under_replicated,
                offline=now.offline,
            )
        )
    return sorted(rates, key=lambda rate: (-rate.records_per_s, rate.topic))


def group_rates(before: Look, after: Look) -> list[GroupRate]:
    """Those that are behind most first."""
    seconds = max(after.at_s - before.at_s, 1e-9)
    rates = []
    for name, now in after.groups.items():
        then = before.groups.get(name, now)
        shrinks_per_s = (then.lag - now.lag) / seconds
        rates.append(
            GroupRate(
                group=name,
                state=now.state,
                lag=now.lag,
                records_per_s=max(0, now.committed - then.committed) / seconds,
                catches_up_s=now.lag / shrinks_per_s if now.lag and shrinks_per_s > 0 else None,
            )
        )
    return sorted(rates, key=lambda rate: (-rate.lag, rate.group))
