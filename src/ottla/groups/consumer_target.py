"""What a whole consumer group aims at: its subscriptions, its epoch, and the target assignment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.groups.assignors.range import assign_ranges
from ottla.groups.assignors.subscription import Assignor, Subscriber
from ottla.groups.assignors.uniform import assign_uniformly
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_member import ConsumerMember
from ottla.groups.consumer_state import preferred_assignor
from ottla.groups.topic_pattern import topic_pattern
from ottla.groups.topics_view import TopicsView, metadata_hash

ASSIGNORS: Final[Mapping[str, Assignor]] = {
    "uniform": assign_uniformly,
    "range": assign_ranges,
}
"""By the names that members ask for."""


def topics_of(draft: ConsumerDraft, member: ConsumerMember) -> frozenset[str]:
    """The names that a member reads: its own, and what its expression stands for."""
    resolved = None if member.topic_regex is None else draft.regexes.get(member.topic_regex)
    return member.topic_names if resolved is None else member.topic_names | resolved.topics


def resolve_regexes(draft: ConsumerDraft, view: TopicsView, *, now_ms: int) -> None:
    """See which topics the members' expressions stand for now, and forget unused ones.

    One that has become too costly stands for what it did: who sends it is told by `check_regex`.
    """
    used = {m.topic_regex for m in draft.members.values() if m.topic_regex is not None}
    for regex in sorted(draft.regexes.keys() - used):
        draft.drop_regex(regex)
    for regex in sorted(used):
        known = draft.regexes.get(regex)
        try:
            topics = _seen(topic_pattern(regex).resolve(view), regex, draft, view)
        except ProtocolError:
            topics = known.topics if known is not None else frozenset()
        if known is None or known.topics != topics:
            draft.resolve(regex, topics, version=view.version, now_ms=now_ms)


def _seen(
    topics: frozenset[str], regex: str, draft: ConsumerDraft, view: TopicsView
) -> frozenset[str]:
    """Of these topics, those that every member who sends the expression may know of."""
    if view.may_see is None:
        return topics
    hosts = {m.client_host for m in draft.members.values() if m.topic_regex == regex}
    may_see = view.may_see
    return frozenset(topic for topic in topics if all(may_see(host, topic) for host in hosts))


def check_regex(regex: str, view: TopicsView) -> None:
    """Raises ProtocolError(INVALID_REGULAR_EXPRESSION), also for one that takes too long."""
    topic_pattern(regex).resolve(view)


def hash_of_topics(draft: ConsumerDraft, view: TopicsView) -> int:
    """Of all topics that the group reads."""
    names: set[str] = set()
    for member in draft.members.values():
        names |= topics_of(draft, member)
    return metadata_hash(view, names)


def assign(draft: ConsumerDraft, view: TopicsView, *, default_assignor: str, now_ms: int) -> None:
    """Make the target assignment of the draft's epoch."""
    members = draft.members.values()
    chosen = ASSIGNORS[_known_assignor(members, default_assignor)]
    ids: dict[frozenset[str], frozenset[bytes]] = {}
    subscribers = [_subscriber(draft, member, view, ids) for member in members]
    topic_ids = {topic_id for each in subscribers for topic_id in each.topic_ids}
    counts = {topic_id: _count(view, topic_id) for topic_id in topic_ids}
    for member_id, share in sorted(chosen(subscribers, counts).items()):
        draft.aim(member_id, share)
    draft.aimed(now_ms=now_ms)


def _known_assignor(members: Iterable[ConsumerMember], default: str) -> str:
    """A group that another broker wrote may ask for an assignor that is not known here."""
    name = preferred_assignor(members, default)
    return name if name in ASSIGNORS else default


def _subscriber(
    draft: ConsumerDraft,
    member: ConsumerMember,
    view: TopicsView,
    ids: dict[frozenset[str], frozenset[bytes]],
) -> Subscriber:
    """Most members of a group read the same: `ids` remembers what others' topics came to."""
    names = topics_of(draft, member)
    topic_ids = ids.get(names)
    if topic_ids is None:
        found = (view.named(name) for name in names)
        topic_ids = ids[names] = frozenset(each.topic_id for each in found if each is not None)
    return Subscriber(
        member_id=member.member_id,
        topic_ids=topic_ids,
        kept=draft.share_of(member.member_id),
        instance_id=member.instance_id,
        rack_id=member.rack_id,
    )


def _count(view: TopicsView, topic_id: bytes) -> int:
    topic = view.identified(topic_id)
    assert topic is not None
    return topic.partition_count
