"""How a classic group comes from one generation to the next, and what time does to it.

Preparing: members join again, until all have or the most patient one's rebalance timeout is over.
Completing: they know the generation and wait for the assignment that its leader makes. A group
that nobody was in waits a little for more to come before its first generation.
"""

from __future__ import annotations

from ottla.base.effects import NEVER
from ottla.base.errors import ErrorCode
from ottla.base.limits import ABSENT_MEMBERS_WAIT_MS_MIN, REBALANCE_REASON_LENGTH_MAX
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_member import ClassicMember
from ottla.groups.classic_state import State, refused_join
from ottla.groups.journal import Cause, Trigger
from ottla.groups.turn import Turn
from ottla.wire.messages.sync_group import SyncGroupResponse


def note_cause(
    group: ClassicGroup, turn: Turn, trigger: Trigger, member: ClassicMember, detail: str | None
) -> None:
    """Write into the group's journal what one member did."""
    cause = Cause(
        trigger=trigger,
        member_id=member.member_id,
        client_id=member.client_id,
        group_instance_id=member.group_instance_id,
        detail=(detail or "")[:REBALANCE_REASON_LENGTH_MAX],
    )
    group.journal.note(cause, generation=group.generation, now_ms=turn.now_ms)


def rebalance(group: ClassicGroup, turn: Turn) -> None:
    """Something changed: begin a rebalance, or see whether the one under way is complete."""
    if group.state is State.PREPARING:
        complete_if_all_joined(group, turn)
    else:
        _prepare(group, turn)


def _prepare(group: ClassicGroup, turn: Turn) -> None:
    """Everybody has to join again."""
    if group.state is State.COMPLETING:
        _refuse_assignments(group, turn)
    group.must_rebalance = False
    group.pending_sync.clear()
    group.sync_deadline_ms = NEVER
    is_initial = group.state is State.EMPTY
    group.state = State.PREPARING
    group.state_since_ms = turn.now_ms
    if is_initial:
        _wait_for_more(group, turn)
        return
    group.initial_wait_ms = None
    _set_rebalance_deadline(group, turn, group.rebalance_timeout_ms)
    complete_if_all_joined(group, turn)


def _wait_for_more(group: ClassicGroup, turn: Turn) -> None:
    """Members of one application start one after the other; one rebalance is enough for all."""
    delay_ms = turn.config.initial_rebalance_delay_ms
    group.initial_wait_ms = max(group.rebalance_timeout_ms - delay_ms, 0)
    group.has_newcomer = False
    _set_rebalance_deadline(group, turn, delay_ms)


def _set_rebalance_deadline(group: ClassicGroup, turn: Turn, wait_ms: int) -> None:
    group.rebalance_deadline_ms = turn.monotonic_ms + wait_ms
    group.wake_at(group.rebalance_deadline_ms)


def _refuse_assignments(group: ClassicGroup, turn: Turn) -> None:
    """Who waits for the assignment of a generation that is over has to join again."""
    for member in group.members.values():
        if member.sync_ticket is not None:
            answer_sync(member, SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS), turn)
            group.extend_session(member, turn)


def answer_sync(member: ClassicMember, response: SyncGroupResponse, turn: Turn) -> None:
    """Answer the SyncGroup that waits, if one does."""
    if member.sync_ticket is not None:
        turn.reply(member.sync_ticket, response)
        member.sync_ticket = None


def answer_join(member: ClassicMember, error: ErrorCode, turn: Turn) -> None:
    """Refuse the JoinGroup that waits, if one does."""
    if member.join_ticket is not None:
        turn.reply(member.join_ticket, refused_join(error, member.member_id))
        member.join_ticket = None


def drop_member(group: ClassicGroup, turn: Turn, member_id: str) -> ClassicMember:
    """Take a member out, and tell it wherever it waits."""
    member = group.remove(member_id)
    answer_join(member, ErrorCode.UNKNOWN_MEMBER_ID, turn)
    answer_sync(member, SyncGroupResponse(error_code=ErrorCode.UNKNOWN_MEMBER_ID), turn)
    return member


# -- the next generation ---------------------------------------------------------------------------


def complete_if_all_joined(group: ClassicGroup, turn: Turn) -> None:
    """Begin the next generation where nobody has to be waited for.

    An initial rebalance always takes its time: there may be more to come.
    """
    is_preparing = group.state is State.PREPARING and group.initial_wait_ms is None
    if is_preparing and group.has_all_joined:
        _complete(group, turn)


def _complete(group: ClassicGroup, turn: Turn) -> None:
    """Go on with those who are here."""
    _drop_absent(group, turn)
    if group.members and not _elect_leader(group):
        # Only static members are left, and none is here: their sessions decide who stays.
        wait_ms = max(group.rebalance_timeout_ms, ABSENT_MEMBERS_WAIT_MS_MIN)
        _set_rebalance_deadline(group, turn, wait_ms)
        return
    group.rebalance_deadline_ms = NEVER
    group.initial_wait_ms = None
    generation = group.generation + 1
    group.journal.ended(generation=generation, members=len(group.members), now_ms=turn.now_ms)
    if group.members:
        _begin(group, turn, generation)
    else:
        turn.keep(group.record({}, generation=generation, now_ms=turn.now_ms))


def _drop_absent(group: ClassicGroup, turn: Turn) -> None:
    """Static members stay until their sessions end: they may be restarting."""
    for member in list(group.members.values()):
        if member.join_ticket is None and member.group_instance_id is None:
            drop_member(group, turn, member.member_id)
            note_cause(group, turn, Trigger.DID_NOT_REJOIN, member, None)


def _elect_leader(group: ClassicGroup) -> bool:
    """The leader remains if it is here; else the first one who is. False where nobody is."""
    here = [each for each in group.members.values() if each.join_ticket is not None]
    if not here:
        return False
    if all(member.member_id != group.leader for member in here):
        group.leader = here[0].member_id
    return True


def _begin(group: ClassicGroup, turn: Turn, generation: int) -> None:
    """Tell everybody the generation, and wait for its assignment."""
    group.generation = generation
    group.protocol = group.chosen_protocol()
    group.learn_topics()
    group.state = State.COMPLETING
    group.state_since_ms = turn.now_ms
    group.pending_sync = set(group.members)
    group.sync_deadline_ms = turn.monotonic_ms + group.rebalance_timeout_ms
    group.wake_at(group.sync_deadline_ms)
    for member in group.members.values():
        if member.join_ticket is not None:
            turn.reply(member.join_ticket, group.joined(member))
            member.join_ticket = None
        member.is_new = False
        group.extend_session(member, turn)


# -- time ------------------------------------------------------------------------------------------


def expire(group: ClassicGroup, turn: Turn) -> None:
    """Do one of the things that are due; the next turn does the next.

    Each may write the group's record, and what a record says is only true once it is replayed.
    """
    now_ms = turn.monotonic_ms
    if _drop_silent(group, turn):
        rebalance(group, turn)
    elif _drop_pending(group, now_ms):
        complete_if_all_joined(group, turn)
    elif group.rebalance_deadline_ms <= now_ms:
        _rebalance_is_due(group, turn)
    elif group.sync_deadline_ms <= now_ms:
        _drop_unsynced(group, turn)
    elif group.must_rebalance:
        rebalance(group, turn)
    group.find_soonest()


def _drop_silent(group: ClassicGroup, turn: Turn) -> bool:
    """Members whose sessions are over go; whether there were any."""
    silent = [
        member for member in group.members.values() if member.deadline_ms <= turn.monotonic_ms
    ]
    for member in silent:
        drop_member(group, turn, member.member_id)
        note_cause(group, turn, Trigger.SESSION_ENDED, member, None)
    return bool(silent)


def _drop_pending(group: ClassicGroup, now_ms: int) -> bool:
    """Ids that nobody came back with; whether there were any."""
    unused = [member_id for member_id, until in group.pending_members.items() if until <= now_ms]
    for member_id in unused:
        del group.pending_members[member_id]
    return bool(unused)


def _rebalance_is_due(group: ClassicGroup, turn: Turn) -> None:
    if group.initial_wait_ms and group.has_newcomer:
        group.has_newcomer = False
        delay_ms = min(turn.config.initial_rebalance_delay_ms, group.initial_wait_ms)
        group.initial_wait_ms -= delay_ms
        _set_rebalance_deadline(group, turn, delay_ms)
    else:
        _complete(group, turn)


def _drop_unsynced(group: ClassicGroup, turn: Turn) -> None:
    """Who took the generation and never asked for its part holds up nobody any longer."""
    group.sync_deadline_ms = NEVER
    unsynced = [member_id for member_id in group.members if member_id in group.pending_sync]
    for member_id in unsynced:
        member = drop_member(group, turn, member_id)
        note_cause(group, turn, Trigger.DID_NOT_SYNC, member, None)
    if unsynced:
        rebalance(group, turn)
