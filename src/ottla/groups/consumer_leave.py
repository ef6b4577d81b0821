"""How members leave a consumer group: by their own word, or because they are not heard of."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ottla.groups.consumer_admission import static_member, unknown_member
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_journal import cause_of, note_causes
from ottla.groups.consumer_member import (
    LEAVING_FOR_NOW,
    NOTHING_HELD,
    ConsumerMember,
    MemberState,
)
from ottla.groups.journal import Cause, Trigger
from ottla.groups.turn import Turn
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)

Request = ConsumerGroupHeartbeatRequest
Response = ConsumerGroupHeartbeatResponse


def leave(draft: ConsumerDraft, request: Request, turn: Turn) -> Response:
    """Raises ProtocolError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""
    if request.instance_id is not None:
        member = static_member(draft, request.instance_id, request.member_id)
    elif request.member_id in draft.members:
        member = draft.members[request.member_id]
    else:
        raise unknown_member(request.group_id, request.member_id)
    if request.member_epoch == LEAVING_FOR_NOW:
        leave_for_now(draft, member)
    else:
        remove_members(draft, [member], turn, [cause_of(member, Trigger.LEFT)])
    return Response(member_id=request.member_id, member_epoch=request.member_epoch)


def leave_for_now(draft: ConsumerDraft, member: ConsumerMember) -> None:
    """Its partitions wait for the instance until the session ends; it has stopped reading them."""
    draft.group.revocation_ends_ms.pop(member.member_id, None)
    draft.stand(member.but(epoch=LEAVING_FOR_NOW, state=MemberState.STABLE, revoking=NOTHING_HELD))


def remove_members(
    draft: ConsumerDraft, members: Iterable[ConsumerMember], turn: Turn, causes: Iterable[Cause]
) -> None:
    """Let them go for good: what they held is free, and the rest need a new target.

    Where none is left but of the classic protocol, the group may go back to that. Then its epoch
    stays: it becomes the generation, which they know.
    """
    for member in members:
        draft.remove(member.member_id)
        draft.group.forget(member.member_id)
    used = {member.topic_regex for member in draft.members.values()}
    for regex in sorted(draft.regexes.keys() - used):
        draft.drop_regex(regex)
    if draft.group.may_downgrade and has_classic_alone(
        draft.members.values(), size_max=turn.config.size_max
    ):
        draft.group.wake_at(turn.monotonic_ms)
    else:
        draft.bump(draft.metadata_hash)
        note_causes(draft, causes, turn)


def has_classic_alone(members: Collection[ConsumerMember], *, size_max: int) -> bool:
    """Whether nobody speaks the consumer protocol, and all would fit into a classic group."""
    return 0 < len(members) <= size_max and all(each.uses_classic_protocol for each in members)
