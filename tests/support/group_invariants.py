"""What holds of a shard of groups at every moment, whoever sent what."""

from __future__ import annotations

from ottla.base.effects import NEVER, Ticket
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_state import State
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.shard import GroupShard
from ottla.groups.topics_view import TopicPartition


def check_shard(shard: GroupShard, waiting: set[Ticket]) -> None:
    """Of each group, and that whoever waits is known to a group that looks at the clock."""
    known: set[Ticket] = set()
    for group_id, group in shard.groups.items():
        assert group.group_id == group_id
        if isinstance(group, ClassicGroup):
            check_classic_group(group)
            known |= _tickets(group)
        else:
            check_consumer_group(group)
        if group.soonest_ms < NEVER:
            assert shard.next_deadline_ms <= group.soonest_ms
    assert waiting == known, "a request is lost, or answered and kept"


def _tickets(group: ClassicGroup) -> set[Ticket]:
    found = set()
    for member in group.members.values():
        found |= {member.join_ticket, member.sync_ticket}
    tickets = {ticket for ticket in found if ticket is not None}
    if tickets:
        assert group.soonest_ms < NEVER, "somebody waits for ever"
    return tickets


def check_classic_group(group: ClassicGroup) -> None:
    """What holds of a classic group."""
    members = group.members
    assert {
        each.group_instance_id: each.member_id
        for each in members.values()
        if each.group_instance_id is not None
    } == group.static_members
    assert all(each.member_id == member_id for member_id, each in members.items())
    assert group.pending_sync <= members.keys()
    assert not group.pending_members.keys() & members.keys()
    if group.state in (State.STABLE, State.COMPLETING):
        assert group.leader in members
        assert all(each.join_ticket is None for each in members.values())
    if group.state is not State.COMPLETING:
        assert all(each.sync_ticket is None for each in members.values())
    if group.state is State.EMPTY:
        assert not members
    if group.state is State.PREPARING:
        assert group.rebalance_deadline_ms < NEVER
    for member in members.values():
        waits = member.join_ticket is not None or member.sync_ticket is not None
        assert waits or member.deadline_ms < NEVER, "a member that never expires"
    soonest = min(
        group.rebalance_deadline_ms,
        group.sync_deadline_ms,
        *group.pending_members.values(),
        *(each.deadline_ms for each in members.values()),
    )
    assert group.soonest_ms <= soonest


def check_consumer_group(group: ConsumerGroup) -> None:
    """What holds of a consumer group."""
    members = group.members
    assert {
        each.instance_id: each.member_id
        for each in members.values()
        if each.instance_id is not None
    } == group.instances
    assert group.session_ends_ms.keys() == members.keys(), "a member that never expires"
    assert group.revocation_ends_ms.keys() <= members.keys()
    assert group.target.keys() <= members.keys()
    assert group.target_epoch <= group.epoch
    owners: dict[TopicPartition, str] = {}
    for member_id, member in members.items():
        assert member.member_id == member_id
        assert member.epoch <= group.epoch
        assert not member.assigned.keys() & member.revoking.keys()
        for partition in member.held:
            assert partition not in owners, "the coordinator gave a partition to two members"
            owners[partition] = member_id
    assert owners == group.owners
    assert group.soonest_ms <= group.next_deadline_ms
