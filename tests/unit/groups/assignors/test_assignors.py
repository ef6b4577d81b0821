"""What every assignor promises, and what each of them does, for subscriptions of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.groups.assignors.range import assign_ranges
from ottla.groups.assignors.subscription import Assignor, PartitionCounts, Shares, Subscriber
from ottla.groups.assignors.uniform import assign_uniformly

TOPICS = [bytes([number]) * 16 for number in range(5)]
BOTH = pytest.mark.parametrize("assignor", [assign_uniformly, assign_ranges])


@st.composite
def groups(draw: st.DrawFn, *, alike: bool = False) -> tuple[list[Subscriber], dict[bytes, int]]:
    """Members with what they had before, which may be any nonsense."""
    counts = {topic: draw(st.integers(0, 9)) for topic in TOPICS}
    everybody = draw(st.frozensets(st.sampled_from(TOPICS)))
    members = []
    for number in range(draw(st.integers(1, 7))):
        topics = everybody if alike else draw(st.frozensets(st.sampled_from(TOPICS)))
        kept = st.frozensets(st.tuples(st.sampled_from(TOPICS), st.integers(0, 10)), max_size=12)
        members.append(
            Subscriber(
                member_id=f"m{number}",
                topic_ids=topics,
                kept=draw(kept),
                instance_id=draw(st.none() | st.just(f"i{9 - number}")),
            )
        )
    return members, counts


def check_complete(members: Sequence[Subscriber], counts: PartitionCounts, shares: Shares) -> None:
    """Each partition that anybody reads has one owner, who reads it; no other has one."""
    assert shares.keys() == {member.member_id for member in members}
    for member in members:
        assert {topic for topic, _ in shares[member.member_id]} <= member.topic_ids
    read = {topic for member in members for topic in member.topic_ids}
    owned = Counter(partition for share in shares.values() for partition in share)
    assert owned == Counter((topic, index) for topic in read for index in range(counts[topic]))


def again(members: Sequence[Subscriber], shares: Shares) -> list[Subscriber]:
    """The members once more, with what they now have."""
    return [
        Subscriber(
            member_id=member.member_id,
            topic_ids=member.topic_ids,
            kept=shares[member.member_id],
            instance_id=member.instance_id,
        )
        for member in members
    ]


@BOTH
@given(group=groups())
def test_every_partition_has_one_owner_that_reads_it(
    assignor: Assignor, group: tuple[list[Subscriber], dict[bytes, int]]
) -> None:
    members, counts = group
    check_complete(members, counts, assignor(members, counts))


@BOTH
@given(group=groups())
def test_the_order_in_which_members_are_named_does_not_matter(
    assignor: Assignor, group: tuple[list[Subscriber], dict[bytes, int]]
) -> None:
    members, counts = group
    shuffled = list(reversed(members))
    assert assignor(members, counts) == assignor(shuffled, counts)


@BOTH
@given(group=groups())
def test_who_is_asked_again_gets_the_same(
    assignor: Assignor, group: tuple[list[Subscriber], dict[bytes, int]]
) -> None:
    members, counts = group
    shares = assignor(members, counts)
    assert assignor(again(members, shares), counts) == shares


# -- uniform ---------------------------------------------------------------------------------------


@given(group=groups(alike=True))
def test_members_that_read_the_same_differ_by_one_at_most(
    group: tuple[list[Subscriber], dict[bytes, int]],
) -> None:
    members, counts = group
    sizes = [len(share) for share in assign_uniformly(members, counts).values()]
    assert max(sizes) - min(sizes) <= 1


def reaches_emptier(giver: Subscriber, members: Mapping[str, Subscriber], shares: Shares) -> bool:
    """Whether a chain of hand-overs leads from a member to one that has two less."""
    reached, waiting = {giver.member_id}, [giver.member_id]
    while waiting:
        topics = {topic for topic, _ in shares[waiting.pop()]}
        for member_id, member in members.items():
            if member_id not in reached and topics & member.topic_ids:
                reached.add(member_id)
                waiting.append(member_id)
    return any(len(shares[each]) <= len(shares[giver.member_id]) - 2 for each in reached)


@given(group=groups())
def test_no_chain_of_hand_overs_makes_shares_more_even(
    group: tuple[list[Subscriber], dict[bytes, int]],
) -> None:
    members, counts = group
    shares = assign_uniformly(members, counts)
    known = {member.member_id: member for member in members}
    assert not any(reaches_emptier(member, known, shares) for member in members)


@given(group=groups(alike=True))
def test_when_one_leaves_the_others_keep_all_they_had(
    group: tuple[list[Subscriber], dict[bytes, int]],
) -> None:
    members, counts = group
    shares = assign_uniformly(members, counts)
    rest = again(members, shares)[1:]
    after = assign_uniformly(rest, counts)
    for member in rest:
        assert shares[member.member_id] <= after[member.member_id]


@given(group=groups(alike=True))
def test_when_one_joins_nothing_moves_but_to_it(
    group: tuple[list[Subscriber], dict[bytes, int]],
) -> None:
    members, counts = group
    shares = assign_uniformly(members, counts)
    newcomer = Subscriber(member_id="z", topic_ids=members[0].topic_ids)
    after = assign_uniformly([*again(members, shares), newcomer], counts)
    for member in members:
        assert after[member.member_id] <= shares[member.member_id]


def test_a_member_that_alone_reads_a_topic_gets_less_of_the_others() -> None:
    topic, shared = TOPICS[:2]
    members = [
        Subscriber(member_id="a", topic_ids=frozenset([topic, shared])),
        Subscriber(member_id="b", topic_ids=frozenset([shared])),
    ]
    shares = assign_uniformly(members, {topic: 4, shared: 4})
    assert {index for where, index in shares["a"] if where == shared} == set()
    assert len(shares["b"]) == 4


def test_a_large_group_of_many_subscriptions_is_shared_quickly() -> None:
    counts = {number.to_bytes(16, "big"): 20 for number in range(200)}
    topics = list(counts)
    members = [
        Subscriber(member_id=f"m{number}", topic_ids=frozenset(topics[number % 50 :: 7]))
        for number in range(300)
    ]
    shares = assign_uniformly(members, counts)
    check_complete(members, counts, shares)


# -- range -----------------------------------------------------------------------------------------


def test_ranges_of_topics_with_as_many_partitions_lie_beside_each_other() -> None:
    members = [
        Subscriber(member_id=name, topic_ids=frozenset(TOPICS[:2])) for name in ("c", "a", "b")
    ]
    shares = assign_ranges(members, {TOPICS[0]: 7, TOPICS[1]: 7})
    for topic in TOPICS[:2]:
        numbers = {
            name: sorted(index for where, index in share if where == topic)
            for name, share in shares.items()
        }
        assert numbers == {"a": [0, 1, 2], "b": [3, 4], "c": [5, 6]}


def test_static_members_line_up_by_their_instance() -> None:
    members = [
        Subscriber(member_id="a", topic_ids=frozenset(TOPICS[:1]), instance_id="second"),
        Subscriber(member_id="b", topic_ids=frozenset(TOPICS[:1]), instance_id="first"),
    ]
    shares = assign_ranges(members, {TOPICS[0]: 2})
    assert shares["b"] == {(TOPICS[0], 0)}
