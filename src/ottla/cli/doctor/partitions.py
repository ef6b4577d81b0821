"""Whether every partition has a leader and all its replicas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ottla.base.ids import NO_LEADER
from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.topic_descriptions import PartitionDescription, TopicDescription


async def look_at_partitions(admin: Admin) -> list[Finding]:
    """All topics, also the brokers' own."""
    names = [topic.name for topic in await admin.topics.list(internal=True)]
    described = await admin.topics.describe(*names)
    return partition_findings(described.done.values())


def partition_findings(topics: Iterable[TopicDescription]) -> list[Finding]:
    """Each partition by itself; leaders that moved are told together."""
    every = [(topic.name, each) for topic in topics for each in topic.partitions]
    findings = [finding for name, each in every for finding in _of(name, each)]
    moved = sum(
        each.leader != NO_LEADER and each.replicas[:1] not in ((), (each.leader,))
        for _, each in every
    )
    if moved:
        findings.append(
            Finding(
                level=Level.NOTE,
                about="",
                told=f"{moved} partitions are led by another replica than their first",
                remedy="`ottla partition elect-leaders` lets the first ones lead again",
            )
        )
    count = len({name for name, _ in every})
    summary = f"{counted(len(every), 'partition')} of {counted(count, 'topic')}"
    return [Finding(level=Level.FINE, about="", told=summary), *findings]


def _of(topic: str, partition: PartitionDescription) -> Iterator[Finding]:
    about = f"{topic}-{partition.index}"
    holders = _list(partition.isr or partition.replicas)
    missing = sorted({*partition.replicas} - {*partition.isr})
    if partition.leader == NO_LEADER:
        yield Finding(
            level=Level.PROBLEM,
            about=about,
            told="it has no leader: nobody can read or write it",
            remedy=f"start a broker that has all of it: {holders}",
        )
    elif missing:
        yield Finding(
            level=Level.WARNING,
            about=about,
            told=f"replicas on brokers {_list(missing)} are behind or gone",
            remedy="start these brokers, or see in their logs why they do not follow",
        )


def _list(nodes: Iterable[int]) -> str:
    return ", ".join(map(str, nodes))
