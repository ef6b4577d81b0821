"""Who reads what, in the order in which all members of a group see each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ottla.client.consumer.assignors.contract import GroupMember, TopicShape


def lined_up(members: Iterable[GroupMember]) -> list[GroupMember]:
    """Static members by their instance ids, which outlive member ids, then the others.

    Java's order: who is in the same place gets the same partitions after a restart.
    """
    return sorted(members, key=_place)


def _place(member: GroupMember) -> tuple[bool, str, str]:
    instance_id = member.group_instance_id
    return instance_id is None, instance_id or "", member.member_id


def readers_by_topic(
    members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
) -> dict[str, list[GroupMember]]:
    """Of each topic that there is and somebody reads, by name, its readers in line."""
    readers: dict[str, list[GroupMember]] = {}
    for member in lined_up(members):
        for topic in member.topics:
            if topic in topics:
                readers.setdefault(topic, []).append(member)
    return {topic: readers[topic] for topic in sorted(readers)}


def racks_matter(readers: Iterable[GroupMember], shapes: Iterable[TopicShape]) -> bool:
    """Whether it makes a difference who reads what: not where every rack has every partition."""
    of_partitions = {racks for shape in shapes for racks in shape.partition_racks}
    known: frozenset[str] = frozenset().union(*of_partitions)
    if all(reader.rack not in known for reader in readers):
        return False
    return of_partitions != {known}
