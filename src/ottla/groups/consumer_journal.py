"""Why a consumer group's epoch has grown. A new target is made at once: no entry stays open."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.limits import REBALANCE_REASON_LENGTH_MAX
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_member import ConsumerMember
from ottla.groups.journal import Cause, Trigger
from ottla.groups.turn import Turn


def note_causes(draft: ConsumerDraft, causes: Iterable[Cause], turn: Turn) -> None:
    """Called when the draft has its new epoch."""
    group = draft.group
    for cause in causes:
        group.journal.note(cause, generation=group.epoch, now_ms=turn.now_ms)
    group.journal.ended(generation=draft.epoch, members=len(draft.members), now_ms=turn.now_ms)


def cause_of(member: ConsumerMember, trigger: Trigger, detail: str | None = None) -> Cause:
    """One member's part."""
    return Cause(
        trigger=trigger,
        member_id=member.member_id,
        client_id=member.client_id,
        group_instance_id=member.instance_id,
        detail=(detail or "")[:REBALANCE_REASON_LENGTH_MAX],
    )


TOPICS_CHANGED = Cause(trigger=Trigger.TOPICS_CHANGED, member_id="")
"""Nobody's doing in the group."""
