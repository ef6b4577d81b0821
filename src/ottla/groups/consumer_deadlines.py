"""Until when a member must be heard of, and until when it must have given partitions back."""

from __future__ import annotations

from ottla.base.effects import NEVER
from ottla.groups.consumer_member import ConsumerMember, MemberState
from ottla.groups.consumer_state import ConsumerState
from ottla.groups.turn import Turn


def extend(
    group: ConsumerState, member: ConsumerMember, turn: Turn, session_timeout_ms: int
) -> None:
    """The member has shown that it lives. Each revocation has the member's rebalance timeout."""
    member_id = member.member_id
    group.session_ends_ms[member_id] = turn.monotonic_ms + session_timeout_ms
    known = group.members.get(member_id)
    if member.state is not MemberState.UNREVOKED_PARTITIONS:
        group.revocation_ends_ms.pop(member_id, None)
    elif (
        member_id not in group.revocation_ends_ms
        or known is None
        or known.revoking.keys() != member.revoking.keys()
    ):
        group.revocation_ends_ms[member_id] = turn.monotonic_ms + member.rebalance_timeout_ms
    group.wake_at(
        min(group.session_ends_ms[member_id], group.revocation_ends_ms.get(member_id, NEVER))
    )
