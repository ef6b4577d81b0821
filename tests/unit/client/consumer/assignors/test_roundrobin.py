"""In turn, over all topics."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given

from ottla.client.consumer.assignors import BY_NAME, Rebalancing
from tests.support.assignor_groups import Group, check_complete, groups, reader, shapes

ROUND_ROBIN = BY_NAME["roundrobin"]


def plain(share: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{topic}{index}" for topic, index in share]


@given(group=groups())
def test_every_partition_has_one_owner_that_reads_it(group: Group) -> None:
    members, topics = group
    check_complete(members, topics, ROUND_ROBIN.assign(members, topics))


@given(group=groups(alike=True))
def test_members_that_read_the_same_differ_by_one_at_most(group: Group) -> None:
    sizes = [len(share) for share in ROUND_ROBIN.assign(*group).values()]
    assert max(sizes) - min(sizes) <= 1


@given(group=groups())
def test_the_order_in_which_members_and_topics_are_named_does_not_matter(group: Group) -> None:
    members, topics = group
    shares = ROUND_ROBIN.assign(members, topics)
    assert ROUND_ROBIN.assign(members[::-1], dict(reversed(topics.items()))) == shares


def test_the_turn_goes_on_from_topic_to_topic() -> None:
    members = [reader("b", "x", "y"), reader("a", "x", "y")]
    shares = ROUND_ROBIN.assign(members, shapes(y=3, x=3))
    assert plain(shares["a"]) == ["x0", "x2", "y1"]
    assert plain(shares["b"]) == ["x1", "y0", "y2"]


def test_who_does_not_read_a_topic_is_passed_over() -> None:
    members = [reader("a", "x"), reader("b", "y"), reader("c", "x", "y")]
    shares = ROUND_ROBIN.assign(members, shapes(x=3, y=3))
    assert plain(shares["a"]) == ["x0", "x2"]
    assert plain(shares["b"]) == ["y0", "y2"]
    assert plain(shares["c"]) == ["x1", "y1"]


def test_members_say_nothing_and_give_everything_back_first() -> None:
    assert ROUND_ROBIN.user_data([], 3) is None
    assert ROUND_ROBIN.rebalancing is Rebalancing.EAGER
