"""Both sticky assignors: even shares, and few partitions that change hands."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest
from hypothesis import given

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors import BY_NAME, Assignor, GroupMember, Rebalancing
from tests.support.assignor_groups import (
    Group,
    Shares,
    after,
    check_complete,
    groups,
    numbers,
    racked,
    reader,
    shapes,
)

STICKY = BY_NAME["sticky"]
COOPERATIVE = BY_NAME["cooperative-sticky"]
BOTH = pytest.mark.parametrize("assignor", [STICKY, COOPERATIVE], ids=lambda each: each.name)


def rounds(assignor: Assignor, group: Group) -> Shares:
    """The shares when nobody has anything to give back any more, as cooperative members join."""
    members, topics = group
    shares = assignor.assign(members, topics)
    for generation in range(10, 13):
        members = after(assignor, members, shares, generation)
        shares = assignor.assign(members, topics)
    return shares


def settled(assignor: Assignor, group: Group) -> tuple[list[GroupMember], Shares]:
    """Members of a group that has agreed, and what they have."""
    shares = rounds(assignor, group)
    return after(assignor, group[0], shares, 20), shares


def moved(members: list[GroupMember], shares: Shares) -> set[TopicPartition]:
    """What some member had, and another has now."""
    owners = {partition: each.member_id for each in members for partition in each.owned}
    return {
        partition
        for member_id, share in shares.items()
        for partition in share
        if owners.get(partition, member_id) != member_id
    }


# -- whole and even --------------------------------------------------------------------------------


@BOTH
@given(group=groups() | groups(with_racks=True))
def test_every_partition_has_one_owner_that_reads_it(assignor: Assignor, group: Group) -> None:
    check_complete(*group, rounds(assignor, group))


@given(group=groups() | groups(with_racks=True))
def test_sticky_gives_out_everything_at_once(group: Group) -> None:
    check_complete(*group, STICKY.assign(*group))


@BOTH
@given(group=groups(alike=True) | groups(alike=True, with_racks=True))
def test_members_that_read_the_same_differ_by_one_at_most(assignor: Assignor, group: Group) -> None:
    sizes = [len(share) for share in rounds(assignor, group).values()]
    assert max(sizes) - min(sizes) <= 1


@BOTH
@given(group=groups() | groups(with_racks=True))
def test_no_chain_of_gifts_makes_shares_more_even(assignor: Assignor, group: Group) -> None:
    members, topics = group
    shares = rounds(assignor, group)
    readers = {
        topic: [each.member_id for each in members if topic in each.topics] for topic in topics
    }
    for member in members:
        reached = {member.member_id}
        waiting = [member.member_id]
        while waiting:
            for topic in {partition.topic for partition in shares[waiting.pop()]}:
                new = set(readers[topic]) - reached
                reached |= new
                waiting += new
        assert min(len(shares[each]) for each in reached) >= len(shares[member.member_id]) - 1


@BOTH
@given(group=groups() | groups(with_racks=True))
def test_the_order_in_which_members_and_topics_are_named_does_not_matter(
    assignor: Assignor, group: Group
) -> None:
    members, topics = group
    backwards = [
        msgspec.structs.replace(each, owned=each.owned[::-1]) for each in reversed(members)
    ]
    shares = assignor.assign(members, topics)
    assert assignor.assign(backwards, dict(reversed(topics.items()))) == shares


# -- sticky ----------------------------------------------------------------------------------------


@BOTH
@given(group=groups() | groups(with_racks=True))
def test_who_is_asked_again_gets_the_same(assignor: Assignor, group: Group) -> None:
    members, shares = settled(assignor, group)
    assert assignor.assign(members, group[1]) == shares


@BOTH
@given(group=groups(alike=True))
def test_when_one_leaves_the_others_keep_all_they_had(assignor: Assignor, group: Group) -> None:
    members, shares = settled(assignor, group)
    changed = assignor.assign(members[1:], group[1])
    for member in members[1:]:
        assert set(shares[member.member_id]) <= set(changed[member.member_id])


@BOTH
@given(group=groups())
def test_when_one_joins_partitions_only_move_to_make_shares_even(
    assignor: Assignor, group: Group
) -> None:
    members, before = settled(assignor, group)
    joined = [*members, GroupMember(member_id="z", topics=members[0].topics)]
    changed = rounds(assignor, (joined, group[1]))
    if sorted(map(len, changed.values())) == sorted([0, *map(len, before.values())]):
        assert not moved(members, changed)
    if len({member.topics for member in joined}) == 1:
        assert all(partition in changed["z"] for partition in moved(members, changed))


@BOTH
def test_a_new_topic_and_new_partitions_move_nothing_that_need_not_move(
    assignor: Assignor,
) -> None:
    members, before = settled(assignor, ([reader("a", "x"), reader("b", "x")], shapes(x=4)))
    changed = assignor.assign(members, shapes(x=7))
    for name in "ab":
        assert set(before[name]) < set(changed[name])


def test_a_partition_that_moved_on_the_way_comes_back_where_it_need_not_move() -> None:
    members = [
        reader("a", "t0", "t1", "t2", "t4", owned=[("t2", 0), ("t4", 0)], generation=1),
        reader("b", "t0", "t1", "t4", owned=[("t0", 0), ("t1", 0)], generation=1),
        reader("c", "t0", "t3", owned=[("t3", 0)], generation=1),
        reader("d", "t0", "t3"),
    ]
    shares = STICKY.assign(members, shapes(t0=1, t1=1, t2=1, t3=1, t4=1))
    assert moved(members, shares) == {TopicPartition("t0", 0)}


def test_what_two_claim_for_one_generation_is_nobody_s() -> None:
    members = [
        reader("a", "x", owned=[("x", 0), ("x", 1)], generation=3),
        reader("b", "x", owned=[("x", 0)], generation=3),
    ]
    shares = STICKY.assign(members, shapes(x=2))
    assert (numbers(shares["a"], "x"), numbers(shares["b"], "x")) == ([1], [0])


@BOTH
def test_of_two_claims_that_of_the_newer_generation_counts(assignor: Assignor) -> None:
    members = [
        reader("a", "x", owned=[("x", 0), ("x", 1)], generation=4),
        reader("b", "x", owned=[("x", 1), ("x", 2)], generation=5),
        reader("c", "x", owned=[("x", 2), ("x", 3)], generation=3),
    ]
    told = [
        msgspec.structs.replace(m, user_data=assignor.user_data(m.owned, m.generation))
        for m in members
    ]
    shares = assignor.assign(told, shapes(x=6))
    assert {0} <= set(numbers(shares["a"], "x"))
    assert numbers(shares["b"], "x") == [1, 2]
    assert {3} <= set(numbers(shares["c"], "x"))


def test_sticky_reads_what_older_clients_wrote_without_a_generation() -> None:
    old = bytes.fromhex("00000001" + "0001" + "78" + "00000001" + "00000002")
    shares = STICKY.assign([reader("a", "x"), reader("b", "x", user_data=old)], shapes(x=4))
    assert 2 in numbers(shares["b"], "x")


@BOTH
def test_words_that_nobody_can_read_are_none(assignor: Assignor) -> None:
    members = [reader("a", "x", user_data=b"\xff\xff\xff"), reader("b", "x")]
    assert [len(share) for share in assignor.assign(members, shapes(x=4)).values()] == [2, 2]


def test_a_group_of_nobody_gets_nothing() -> None:
    assert STICKY.assign([], shapes(x=1)) == {}


def test_many_members_of_different_topics_still_share_all_evenly() -> None:
    topics = {f"t{number}": 20 for number in range(30)}
    members = [
        reader(f"m{n:03}", *(f"t{(n * step) % 30}" for step in range(1, 2 + n % 9)))
        for n in range(200)
    ]
    shares = STICKY.assign(members, shapes(**topics))
    check_complete(members, shapes(**topics), shares)
    assert not moved(after(STICKY, members, shares, 1), shares)


# -- racks -----------------------------------------------------------------------------------------


@BOTH
def test_readers_get_partitions_of_their_rack_where_that_leaves_shares_even(
    assignor: Assignor,
) -> None:
    members = [reader("m1", "x", rack="b"), reader("m2", "x", rack="a")]
    shares = assignor.assign(members, {"x": racked("a", "b", "a", "b")})
    assert numbers(shares["m1"], "x") == [1, 3]
    assert numbers(shares["m2"], "x") == [0, 2]


@BOTH
def test_readers_of_different_topics_get_partitions_of_their_rack_too(assignor: Assignor) -> None:
    members = [reader("m1", "x", rack="b"), reader("m2", "x", "y", rack="a")]
    shares = assignor.assign(members, {"x": racked("a", "b", "a", "b"), "y": racked()})
    assert numbers(shares["m1"], "x") == [1, 3]


@BOTH
def test_no_rack_takes_away_what_a_member_has(assignor: Assignor) -> None:
    members = [reader("m1", "x", rack="b"), reader("m2", "x", rack="a")]
    shares = assignor.assign(members, {"x": racked("a", "b", "a", "b")})
    now = [
        msgspec.structs.replace(each, rack="a" if each.rack == "b" else "b")
        for each in after(assignor, members, shares, 1)
    ]
    assert assignor.assign(now, {"x": racked("a", "b", "a", "b")}) == shares


# -- cooperative -----------------------------------------------------------------------------------


@given(group=groups() | groups(with_racks=True))
def test_nobody_gets_what_another_still_holds(group: Group) -> None:
    members, _ = group
    shares = COOPERATIVE.assign(*group)
    for one, other in combinations(members, 2):
        for taker, holder in ((one, other), (other, one)):
            newly = set(shares[taker.member_id]) - set(taker.owned)
            assert not newly & set(holder.owned)


@given(group=groups())
def test_what_two_claim_for_one_generation_is_given_back_by_both(
    group: Group,
) -> None:
    members = [msgspec.structs.replace(each, generation=3) for each in group[0]]
    shares = COOPERATIVE.assign(members, group[1])
    for one, other in combinations(members, 2):
        both = set(one.owned) & set(other.owned)
        assert not both & {*shares[one.member_id], *shares[other.member_id]}


def test_a_partition_that_changes_owner_is_first_withheld_then_given() -> None:
    old = reader("a", "x", owned=[("x", index) for index in range(4)], generation=1)
    shares = COOPERATIVE.assign([old, reader("b", "x")], shapes(x=4))
    assert len(shares["a"]) == 2
    assert shares["b"] == []
    again = after(COOPERATIVE, [old, reader("b", "x")], shares, 2)
    shares = COOPERATIVE.assign(again, shapes(x=4))
    assert len(shares["a"]) == len(shares["b"]) == 2


def test_the_generation_is_read_from_where_older_clients_write_it() -> None:
    told = COOPERATIVE.user_data([], 7)
    members = [
        reader("a", "x", owned=[("x", 0)], user_data=told),
        reader("b", "x", owned=[("x", 0)], generation=6),
    ]
    shares = COOPERATIVE.assign(members, shapes(x=1))
    assert numbers(shares["a"], "x") == [0]


def test_how_partitions_change_hands() -> None:
    assert STICKY.rebalancing is Rebalancing.EAGER
    assert COOPERATIVE.rebalancing is Rebalancing.COOPERATIVE


def test_who_never_had_anything_says_nothing_to_sticky_leaders() -> None:
    assert STICKY.user_data([], -1) is None
    assert STICKY.user_data([], 3) == bytes.fromhex("00000000" + "00000003")
