"""ConsumerGroupHeartbeat: all that members of the consumer protocol do (KIP-848).

A heartbeat that changes nothing costs no record. One that does may go all the way at once: the
member is known, the epoch grows, there is a new target, the member takes its first step towards it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from ottla.base.errors import ProtocolError
from ottla.groups import consumer_target as target
from ottla.groups.consumer_admission import admit, leaves, owned_by
from ottla.groups.consumer_config import ConsumerConfig
from ottla.groups.consumer_deadlines import extend
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_journal import TOPICS_CHANGED, cause_of, note_causes
from ottla.groups.consumer_leave import leave
from ottla.groups.consumer_member import JOINING, ConsumerMember
from ottla.groups.consumer_records import by_topic
from ottla.groups.consumer_state import ConsumerState
from ottla.groups.journal import Cause, Trigger
from ottla.groups.reconciliation import reconcile
from ottla.groups.topics_view import TopicPartition, TopicsView
from ottla.groups.turn import Turn
from ottla.wire.messages.consumer_group_heartbeat import (
    AssignedTopicPartitions,
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)

Request = ConsumerGroupHeartbeatRequest
Response = ConsumerGroupHeartbeatResponse


class Caller(NamedTuple):
    """Who sent a request, and in which version."""

    client_id: str
    client_host: str
    version: int


def refused_heartbeat(error: ProtocolError) -> Response:
    """Every refusal looks like this."""
    return Response(error_code=error.code, error_message=error.message)


def heartbeat(
    group: ConsumerState,
    request: Request,
    caller: Caller,
    turn: Turn,
    *,
    view: TopicsView,
    config: ConsumerConfig,
) -> Response:
    """Decide a heartbeat that was checked; its records go into `turn`. Raises ProtocolError."""
    draft = ConsumerDraft(group)
    if leaves(request):
        response = leave(draft, request, turn)
        turn.effects.records += draft.records
        return response
    if request.subscribed_topic_regex:
        target.check_regex(request.subscribed_topic_regex, view)
    owned = owned_by(request)
    before = admit(draft, request, owned, config)
    said = _as_said(before, request, caller)
    follow(draft, said, turn, view=view, config=config)
    after = step(draft, said, owned, begins_anew=request.member_epoch == JOINING)
    extend(group, after, turn, config.session_timeout_ms)
    turn.effects.records += draft.records
    return _response(request, before, after, config)


def _as_said(member: ConsumerMember, request: Request, caller: Caller) -> ConsumerMember:
    """The member with all that the request tells; what it leaves out has not changed."""
    told: dict[str, object] = {
        "instance_id": request.instance_id,
        "rack_id": request.rack_id,
        "server_assignor": request.server_assignor,
        "topic_regex": request.subscribed_topic_regex,
    }
    changes = {name: value for name, value in told.items() if value is not None}
    if request.rebalance_timeout_ms != -1:
        changes["rebalance_timeout_ms"] = request.rebalance_timeout_ms
    if request.subscribed_topic_names is not None:
        changes["topic_names"] = frozenset(request.subscribed_topic_names)
    if changes.get("topic_regex") == "":
        changes["topic_regex"] = None
    return member.but(
        client_id=caller.client_id, client_host=caller.client_host, classic=None, **changes
    )


def follow(
    draft: ConsumerDraft,
    said: ConsumerMember,
    turn: Turn,
    *,
    view: TopicsView,
    config: ConsumerConfig,
) -> None:
    """Let the group follow what a member says, and what has become of the topics.

    The epoch grows with a member, with what anybody reads, and with the topics that are read.
    """
    group = draft.group
    before = draft.members.get(said.member_id)
    draft.say(said)
    is_news = draft.epoch == 0 or before is None or _wants_other_shares(before, said)
    if is_news or group.seen_view is not view:
        target.resolve_regexes(draft, view, now_ms=turn.now_ms)
        topics_hash = target.hash_of_topics(draft, view)
        if is_news or topics_hash != draft.metadata_hash:
            draft.bump(topics_hash)
            note_causes(draft, _causes(before, said, is_news=is_news), turn)
        group.seen_view = view
    if draft.epoch > draft.target_epoch:
        target.assign(draft, view, default_assignor=config.assignors[0], now_ms=turn.now_ms)


def _causes(before: ConsumerMember | None, said: ConsumerMember, *, is_news: bool) -> list[Cause]:
    if not is_news:
        return [TOPICS_CHANGED]
    is_change = before is not None and _wants_other_shares(before, said)
    return [cause_of(said, Trigger.SUBSCRIPTION_CHANGED if is_change else Trigger.JOINED)]


def _wants_other_shares(before: ConsumerMember, said: ConsumerMember) -> bool:
    return any(
        getattr(before, name) != getattr(said, name)
        for name in ("topic_names", "topic_regex", "server_assignor", "rack_id")
    )


def step(
    draft: ConsumerDraft,
    member: ConsumerMember,
    owned: Collection[TopicPartition] | None,
    *,
    begins_anew: bool,
) -> ConsumerMember:
    """Bring one member nearer to what it shall have."""
    after = reconcile(
        member,
        target=draft.share_of(member.member_id),
        target_epoch=draft.target_epoch,
        is_free=lambda partition: draft.owner(partition) in (None, member.member_id),
        owned=owned,
        begins_anew=begins_anew,
    )
    draft.stand(after)
    return after


def _response(
    request: Request, before: ConsumerMember, after: ConsumerMember, config: ConsumerConfig
) -> Response:
    """The assignment is told to who tells everything of itself, and when it has changed."""
    is_whole = request.member_epoch == JOINING or (
        request.rebalance_timeout_ms != -1
        and request.topic_partitions is not None
        and (
            request.subscribed_topic_names is not None or request.subscribed_topic_regex is not None
        )
    )
    has_changed = after.assigned.keys() != before.assigned.keys()
    is_behind = request.member_epoch != before.epoch
    return Response(
        member_id=after.member_id,
        member_epoch=after.epoch,
        heartbeat_interval_ms=config.heartbeat_interval_ms,
        assignment=_assignment(after) if is_whole or has_changed or is_behind else None,
    )


def _assignment(member: ConsumerMember) -> Assignment:
    return Assignment(
        topic_partitions=[
            AssignedTopicPartitions(topic_id=topic_id, partitions=partitions)
            for topic_id, partitions in by_topic(member.assigned)
        ]
    )
