"""Sticky shares where all members read the same: they differ by one partition at most."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, TopicShape


def share_alike(
    line: Sequence[GroupMember],
    topics: Mapping[str, TopicShape],
    owners: Mapping[TopicPartition, str],
    *,
    by_rack: bool,
) -> dict[str, list[TopicPartition]]:
    """Nobody loses more than what is above the even share.

    `line` reads all of `topics`; `owners` had what they still may have.
    """
    held: dict[str, list[TopicPartition]] = {member.member_id: [] for member in line}
    free: list[TopicPartition] = []
    for topic, shape in topics.items():
        for index in range(shape.partition_count):
            partition = TopicPartition(topic, index)
            owner = owners.get(partition)
            (free if owner is None else held[owner]).append(partition)
    room = _cut(held, free)
    free.sort()
    if by_rack:
        free = _deal_by_rack(line, topics, held, room, free)
    for partition, member_id in zip(free, _turns(room), strict=True):
        held[member_id].append(partition)
    for share in held.values():
        share.sort()
    return held


def _cut(held: dict[str, list[TopicPartition]], free: list[TopicPartition]) -> dict[str, int]:
    """Free what is above the even shares; how many each may get then.

    Those who have more than the lower share keep one above it, as long as there are such places.
    """
    lower, places = divmod(len(free) + sum(map(len, held.values())), len(held))
    room = {}
    for member_id in sorted(held, key=lambda member_id: len(held[member_id]) <= lower):
        quota = lower + (1 if places > 0 else 0)
        places -= 1
        share = held[member_id]
        free += share[quota:]
        del share[quota:]
        room[member_id] = quota - len(share)
    return {member_id: room[member_id] for member_id in held}


def _deal_by_rack(
    line: Sequence[GroupMember],
    topics: Mapping[str, TopicShape],
    held: dict[str, list[TopicPartition]],
    room: dict[str, int],
    free: Sequence[TopicPartition],
) -> list[TopicPartition]:
    """To members with a rack what has a replica there, in turn; what is left over."""
    waiting: dict[str, deque[str]] = {}
    for member in line:
        if member.rack and room[member.member_id]:
            waiting.setdefault(member.rack, deque()).append(member.member_id)

    def near(partition: TopicPartition) -> list[str]:
        racks = topics[partition.topic].partition_racks[partition.partition]
        return sorted(racks & waiting.keys())

    left = []
    # Those that few are near to come first, while these few still have room.
    for partition in sorted(free, key=lambda each: sum(len(waiting[rack]) for rack in near(each))):
        racks = near(partition)
        if not racks:
            left.append(partition)
            continue
        # The rack with most room: others may have none left for what only they are near to.
        rack = max(racks, key=lambda rack: len(waiting[rack]))
        member_id = waiting[rack].popleft()
        held[member_id].append(partition)
        room[member_id] -= 1
        if room[member_id]:
            waiting[rack].append(member_id)
        elif not waiting[rack]:
            del waiting[rack]
    return sorted(left)


def _turns(room: Mapping[str, int]) -> Iterator[str]:
    """Members with room, in turn, each once for every place it has."""
    waiting = deque((member_id, places) for member_id, places in room.items() if places)
    while waiting:
        member_id, places = waiting.popleft()
        yield member_id
        if places > 1:
            waiting.append((member_id, places - 1))
