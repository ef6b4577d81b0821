"""Groups of consumers as assignors see them, and what must hold of every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

import msgspec
from hypothesis import strategies as st

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors import Assignor, GroupMember, TopicShape

Shares = dict[str, list[TopicPartition]]
Group = tuple[list[GroupMember], dict[str, TopicShape]]

TOPICS = [f"t{number}" for number in range(5)]
RACKS = ["a", "b", "c"]


def reader(member_id: str, *topics: str, **fields: object) -> GroupMember:
    return msgspec.convert({"member_id": member_id, "topics": topics, **fields}, GroupMember)


def shapes(**counts: int) -> dict[str, TopicShape]:
    return {topic: TopicShape.of(count) for topic, count in counts.items()}


def racked(*racks: str) -> TopicShape:
    """A topic with one partition for each word; a letter is a rack with a replica."""
    return TopicShape(tuple(frozenset(each) for each in racks))


def numbers(share: Sequence[TopicPartition], topic: str) -> list[int]:
    return sorted(partition.partition for partition in share if partition.topic == topic)


def groups(*, alike: bool | None = None, with_racks: bool = False) -> st.SearchStrategy[Group]:
    """As `some_group`, which makes them of a number: drawing each part took most of the time."""
    seeds = st.integers(0, 2**32)
    return seeds.map(lambda seed: some_group(Random(seed), alike=alike, with_racks=with_racks))


def some_group(rng: Random, *, alike: bool | None = None, with_racks: bool = False) -> Group:
    """Members who hold whatever they say: partitions of others, of no topic, of any generation."""
    counts = [rng.randint(0, 9) for _ in range(rng.randint(1, 2))]
    names = rng.sample(TOPICS, rng.randint(1, len(TOPICS)))
    shape = racked_by(rng, RACKS if with_racks else [])
    topics = {name: shape(rng.choice(counts)) for name in names}
    everything = [TopicPartition(topic, index) for topic in TOPICS for index in range(11)]
    everybody = some_of(rng, TOPICS)
    is_alike = rng.random() < 0.5 if alike is None else alike
    members = [
        GroupMember(
            member_id=f"m{number}",
            group_instance_id=rng.choice([None, f"i{9 - number}"]),
            topics=everybody if is_alike else some_of(rng, TOPICS),
            owned=tuple(rng.sample(everything, rng.choice([0, 0, 3, 12]))),
            generation=rng.randint(-1, 3),
            rack=rng.choice([None, *RACKS]) if with_racks else None,
        )
        for number in range(rng.randint(1, 7))
    ]
    return members, topics


def racked_by(rng: Random, racks: Sequence[str]) -> Callable[[int], TopicShape]:
    """Makes topics of so many partitions, each with replicas in any of the racks."""
    return lambda count: TopicShape(tuple(some_of(rng, racks) for _ in range(count)))


def some_of(rng: Random, words: Sequence[str]) -> frozenset[str]:
    """Any number of them, none and all included."""
    return frozenset(rng.sample(words, rng.randint(0, len(words))))


def check_complete(
    members: Sequence[GroupMember], topics: Mapping[str, TopicShape], shares: Shares
) -> None:
    """Each partition that anybody reads has one owner, who reads it; no other has one."""
    assert shares.keys() == {member.member_id for member in members}
    for member in members:
        assert {partition.topic for partition in shares[member.member_id]} <= member.topics
    owned = Counter(partition for share in shares.values() for partition in share)
    assert owned == Counter(read_by_anybody(members, topics))


def read_by_anybody(
    members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
) -> list[TopicPartition]:
    read = {topic for member in members for topic in member.topics} & topics.keys()
    return [
        TopicPartition(topic, index)
        for topic in sorted(read)
        for index in range(topics[topic].partition_count)
    ]


def after(
    assignor: Assignor, members: Sequence[GroupMember], shares: Shares, generation: int
) -> list[GroupMember]:
    """The members once more, as they subscribe after this generation."""
    return [
        msgspec.structs.replace(
            member,
            owned=tuple(shares[member.member_id]),
            generation=generation,
            user_data=assignor.user_data(shares[member.member_id], generation),
        )
        for member in members
    ]
