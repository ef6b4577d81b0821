"""One member's steps from what it holds to what it shall have (KIP-848).

A partition is first given back by its owner, who says so, and only then given to another. So at no
time two members hold it. Pure functions over one member and the question who owns a partition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ottla.groups.consumer_member import NOTHING_HELD, ConsumerMember, MemberState
from ottla.groups.topics_view import TopicPartition

IsFree = Callable[[TopicPartition], bool]
"""Whether no other member holds a partition."""


def reconcile(
    member: ConsumerMember,
    *,
    target: Collection[TopicPartition],
    target_epoch: int,
    is_free: IsFree,
    owned: Collection[TopicPartition] | None = None,
    begins_anew: bool = False,
) -> ConsumerMember:
    """The member after its heartbeat; itself where it stays as it is.

    `owned` is what it says that it holds, None where it does not say. While it has something to
    give back, nothing changes but by its word; otherwise it goes on towards the target. One that
    begins anew has given all up already. It gets an epoch at once, for 0 is none.
    """
    if member.is_settled(target_epoch):
        return member
    if member.state is MemberState.UNREVOKED_PARTITIONS and not _has_let_go(member, owned):
        return member
    if begins_anew:
        kept = {held: epoch for held, epoch in member.assigned.items() if held in target}
        member = member.but(assigned=kept, revoking=NOTHING_HELD)
    return _next_step(member, frozenset(target), target_epoch, is_free)


def _has_let_go(member: ConsumerMember, owned: Collection[TopicPartition] | None) -> bool:
    return owned is not None and not any(partition in member.revoking for partition in owned)


def _next_step(
    member: ConsumerMember,
    target: frozenset[TopicPartition],
    target_epoch: int,
    is_free: IsFree,
) -> ConsumerMember:
    """Give back first, in the old epoch; with nothing to give back, take what is free."""
    kept = {held: epoch for held, epoch in member.assigned.items() if held in target}
    surplus = {held: epoch for held, epoch in member.assigned.items() if held not in target}
    if surplus:
        return member.but(state=MemberState.UNREVOKED_PARTITIONS, assigned=kept, revoking=surplus)
    missing = target - kept.keys()
    free = {partition: target_epoch for partition in missing if is_free(partition)}
    is_complete = len(free) == len(missing)
    return _moved_to(
        member.but(
            state=MemberState.STABLE if is_complete else MemberState.UNRELEASED_PARTITIONS,
            assigned=kept | free,
            revoking=NOTHING_HELD,
        ),
        target_epoch,
    )


def _moved_to(member: ConsumerMember, epoch: int) -> ConsumerMember:
    if member.epoch == epoch:
        return member
    return member.but(epoch=epoch, previous_epoch=member.epoch)
