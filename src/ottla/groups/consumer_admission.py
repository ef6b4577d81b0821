"""Who may send a ConsumerGroupHeartbeat: the request's own rules, then those of its member.

Every refusal is raised as a ProtocolError with the words that the client shows.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups.consumer_config import ConsumerConfig
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_member import JOINING, LEAVING, LEAVING_FOR_NOW, ConsumerMember
from ottla.groups.topics_view import TopicPartition
from ottla.wire.messages.consumer_group_heartbeat import ConsumerGroupHeartbeatRequest

CLIENTS_MAKE_MEMBER_IDS: Final = 1
"""From this version on (KIP-1082)."""

Request = ConsumerGroupHeartbeatRequest


def owned_by(request: Request) -> frozenset[TopicPartition] | None:
    """What the member says that it holds; None where it does not say."""
    if request.topic_partitions is None:
        return None
    return frozenset(
        (topic.topic_id, index) for topic in request.topic_partitions for index in topic.partitions
    )


# -- the request -----------------------------------------------------------------------------------


def check_request(request: Request, version: int, config: ConsumerConfig) -> None:
    """Raises ProtocolError: INVALID_REQUEST, UNSUPPORTED_ASSIGNOR."""
    must_have_id = version >= CLIENTS_MAKE_MEMBER_IDS or request.member_epoch != JOINING
    _refuse_if(must_have_id and not request.member_id.strip(), "the member id is empty")
    _refuse_if(not request.group_id.strip(), "the group id is empty")
    _refuse_if(_is_blank(request.instance_id), "the instance id is empty; leave it out instead")
    _refuse_if(_is_blank(request.rack_id), "the rack id is empty; leave it out instead")
    if request.member_epoch == JOINING:
        _check_joining(request)
    elif request.member_epoch == LEAVING_FOR_NOW:
        _refuse_if(
            request.instance_id is None, "epoch -2 is for static members, which name an instance id"
        )
    else:
        _refuse_if(request.member_epoch < LEAVING_FOR_NOW, "the member epoch is below -2")
    assignor = request.server_assignor
    if assignor is not None and assignor not in config.assignors:
        raise ProtocolError(
            ErrorCode.UNSUPPORTED_ASSIGNOR,
            f"there is no assignor {assignor!r} here; choose from {', '.join(config.assignors)}",
        )


def _check_joining(request: Request) -> None:
    _refuse_if(request.rebalance_timeout_ms == -1, "who joins names its rebalance timeout")
    _refuse_if(
        request.topic_partitions is None or bool(request.topic_partitions),
        "who joins holds no partitions, and says so",
    )
    _refuse_if(
        request.subscribed_topic_names is None and request.subscribed_topic_regex is None,
        "who joins names its topics, or gives a regular expression",
    )


def _is_blank(text: str | None) -> bool:
    return text is not None and not text.strip()


def _refuse_if(is_wrong: bool, why: str) -> None:
    if is_wrong:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, why)


# -- its member ------------------------------------------------------------------------------------


def admit(
    draft: ConsumerDraft,
    request: Request,
    owned: Collection[TopicPartition] | None,
    config: ConsumerConfig,
) -> ConsumerMember:
    """The member that speaks, a new one if it joins; a static one has taken its place over.

    Raises ProtocolError: GROUP_MAX_SIZE_REACHED, UNKNOWN_MEMBER_ID, FENCED_MEMBER_EPOCH,
    FENCED_INSTANCE_ID, UNRELEASED_INSTANCE_ID.
    """
    if request.instance_id is None:
        member = draft.members.get(request.member_id)
    else:
        member = _static_member(draft, request)
    if member is not None:
        check_epoch(member, request.member_epoch, owned)
        return member
    if request.member_epoch != JOINING:
        raise unknown_member(request.group_id, request.member_id)
    if len(draft.members) >= config.size_max:
        raise ProtocolError(
            ErrorCode.GROUP_MAX_SIZE_REACHED,
            f"the group has {config.size_max} members, which is as many as it may have",
        )
    return ConsumerMember(member_id=request.member_id)


def _static_member(draft: ConsumerDraft, request: Request) -> ConsumerMember | None:
    assert request.instance_id is not None
    if request.member_epoch != JOINING:
        return static_member(draft, request.instance_id, request.member_id)
    known = draft.instance(request.instance_id)
    if known is None or known.member_id == request.member_id:
        return known if known is not None else draft.members.get(request.member_id)
    if not known.has_left_for_now:
        raise ProtocolError(
            ErrorCode.UNRELEASED_INSTANCE_ID,
            f"the instance id {request.instance_id!r} belongs to the member {known.member_id!r}, "
            "which has not left",
        )
    return draft.take_over(known, request.member_id)


def static_member(draft: ConsumerDraft, instance_id: str, member_id: str) -> ConsumerMember:
    """Raises ProtocolError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""
    known = draft.instance(instance_id)
    if known is None:
        raise ProtocolError(
            ErrorCode.UNKNOWN_MEMBER_ID, f"no member has the instance id {instance_id!r}"
        )
    if known.member_id != member_id:
        raise ProtocolError(
            ErrorCode.FENCED_INSTANCE_ID,
            f"the instance id {instance_id!r} now belongs to the member {known.member_id!r}",
        )
    return known


def check_epoch(
    member: ConsumerMember, epoch: int, owned: Collection[TopicPartition] | None
) -> None:
    """Raises ProtocolError(FENCED_MEMBER_EPOCH).

    The epoch before is as good while the member holds nothing that it may not: then the answer
    that told the new one was lost. Epoch 0 always is: the member has given all up.
    """
    if epoch in (JOINING, member.epoch):
        return
    is_lost_answer = (
        epoch == member.previous_epoch
        and epoch < member.epoch
        and owned is not None
        and all(partition in member.assigned for partition in owned)
    )
    if not is_lost_answer:
        raise ProtocolError(
            ErrorCode.FENCED_MEMBER_EPOCH,
            f"the member {member.member_id!r} is at epoch {member.epoch}, not {epoch}: it has to "
            "give up its partitions and join again",
        )


def unknown_member(group_id: str, member_id: str) -> ProtocolError:
    """What somebody is told who is no member."""
    return ProtocolError(
        ErrorCode.UNKNOWN_MEMBER_ID, f"the group {group_id!r} has no member {member_id!r}"
    )


def leaves(request: Request) -> bool:
    """Whether the member goes, for good or for now."""
    return request.member_epoch in (LEAVING, LEAVING_FOR_NOW)
