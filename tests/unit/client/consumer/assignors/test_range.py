"""Ranges: runs of each topic, cut alike, and near where racks are known."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given

from ottla.client.consumer.assignors import BY_NAME, GroupMember, Rebalancing
from tests.support.assignor_groups import (
    Group,
    check_complete,
    groups,
    numbers,
    racked,
    reader,
    shapes,
)

RANGE = BY_NAME["range"]


def sizes_by_topic(group: Group) -> dict[str, list[int]]:
    members, topics = group
    shares = RANGE.assign(members, topics)
    sizes: defaultdict[str, list[int]] = defaultdict(list)
    for member in members:
        for topic in member.topics & topics.keys():
            sizes[topic].append(len(numbers(shares[member.member_id], topic)))
    return sizes


@given(group=groups(with_racks=True))
def test_every_partition_has_one_owner_that_reads_it(group: Group) -> None:
    members, topics = group
    check_complete(members, topics, RANGE.assign(members, topics))


@given(group=groups(with_racks=True))
def test_readers_of_a_topic_differ_by_one_partition_of_it_at_most(group: Group) -> None:
    for sizes in sizes_by_topic(group).values():
        assert max(sizes) - min(sizes) <= 1


@given(group=groups(with_racks=True))
def test_the_order_in_which_members_and_topics_are_named_does_not_matter(group: Group) -> None:
    members, topics = group
    shares = RANGE.assign(members, topics)
    backwards = dict(reversed(topics.items()))
    assert RANGE.assign(list(reversed(members)), backwards) == shares


@given(group=groups())
def test_without_racks_a_share_is_a_run(group: Group) -> None:
    members, topics = group
    for share in RANGE.assign(members, topics).values():
        for topic in topics:
            mine = numbers(share, topic)
            assert mine == list(range(mine[0], mine[-1] + 1)) if mine else True


def test_the_first_members_get_the_longer_runs_of_each_topic() -> None:
    members = [reader(name, "x", "y") for name in ("c", "a", "b")]
    shares = RANGE.assign(members, shapes(x=4, y=5))
    assert [numbers(shares[name], "x") for name in "abc"] == [[0, 1], [2], [3]]
    assert [numbers(shares[name], "y") for name in "abc"] == [[0, 1], [2, 3], [4]]


def test_static_members_stand_before_others_by_their_instance_ids() -> None:
    members = [
        reader("a", "x"),
        reader("b", "x", group_instance_id="two"),
        reader("c", "x", group_instance_id="one"),
    ]
    shares = RANGE.assign(members, shapes(x=3))
    assert [numbers(shares[name], "x") for name in "cba"] == [[0], [1], [2]]


def test_a_topic_that_is_not_there_is_left_out() -> None:
    assert RANGE.assign([reader("a", "gone")], {}) == {"a": []}


def test_readers_get_partitions_of_their_rack_where_that_leaves_shares_even() -> None:
    members = [reader("m1", "x", rack="c"), reader("m2", "x", rack="b"), reader("m3", "x")]
    shares = RANGE.assign(members, {"x": racked("a", "b", "b", "c", "a", "c")})
    assert numbers(shares["m1"], "x") == [3, 5]
    assert numbers(shares["m2"], "x") == [1, 2]
    assert numbers(shares["m3"], "x") == [0, 4]


def test_topics_of_equally_many_partitions_stay_cut_alike_with_racks() -> None:
    members = [reader("m1", "x", "y", rack="b"), reader("m2", "x", "y", rack="a")]
    topics = {"x": racked("a", "b", "a", "b"), "y": racked("ab", "b", "a", "bc")}
    shares = RANGE.assign(members, topics)
    for topic in "xy":
        assert numbers(shares["m1"], topic) == [1, 3]
        assert numbers(shares["m2"], topic) == [0, 2]


def test_racks_that_all_partitions_have_change_nothing() -> None:
    members = [reader("m1", "x", rack="b"), reader("m2", "x", rack="a")]
    shares = RANGE.assign(members, {"x": racked("ab", "ab", "ab", "ab")})
    assert numbers(shares["m1"], "x") == [0, 1]


def test_members_say_nothing_and_give_everything_back_first() -> None:
    assert RANGE.user_data([], 3) is None
    assert RANGE.rebalancing is Rebalancing.EAGER


def test_a_thousand_members_and_ten_thousand_partitions_are_all_dealt() -> None:
    members = [GroupMember(member_id=f"m{n:04}", topics=frozenset("x")) for n in range(1000)]
    assert {len(share) for share in RANGE.assign(members, shapes(x=10_000)).values()} == {10}
