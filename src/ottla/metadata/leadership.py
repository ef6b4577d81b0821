"""Who leads a partition and who is in sync, after a broker left or came back, or on request.

The rules are those of eligible leader replicas (KIP-966): a replica that leaves the in-sync set
while fewer than `min.insync.replicas` remain still holds everything that was acknowledged, since
nothing is acknowledged below that number; so it may lead later without loss.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from msgspec import Struct
from msgspec.structs import replace

from ottla.base.ids import NO_LEADER
from ottla.metadata.image import LeaderRecovery, PartitionImage


class ElectionRules(Struct, frozen=True, kw_only=True):
    """What an election may do with one topic's partitions."""

    electable: Callable[[int], bool]
    min_insync_replicas: int
    elr_enabled: bool
    unclean_allowed: bool


def after_leaving(
    partition: PartitionImage, node_id: int, rules: ElectionRules, *, unclean: bool
) -> PartitionImage:
    """The partition without `node_id` in sync; with `unclean` it may have lost records too."""
    isr = tuple(replica for replica in partition.isr if replica != node_id)
    return _settled(partition, isr, (node_id,) if unclean else (), rules)


def after_return(partition: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """The partition once a broker may lead again: elects only where nobody leads."""
    if partition.has_leader:
        return partition
    return _settled(partition, partition.isr, (), rules)


def after_preferred_election(partition: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """The partition led by its first replica where that is in sync; else as it can be led."""
    preferred = partition.replicas[0]
    if preferred in partition.isr and rules.electable(preferred):
        return replace(partition, leader=preferred)
    return after_return(partition, rules)


def after_unclean_election(partition: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """The partition led by anybody that can: elects only where nobody leads."""
    return after_return(partition, replace(rules, unclean_allowed=True))


def settled(partition: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """The partition after its replicas changed: led by one of them where that can be."""
    return _settled(partition, partition.isr, (), rules)


def _settled(
    partition: PartitionImage, isr: tuple[int, ...], lost: Collection[int], rules: ElectionRules
) -> PartitionImage:
    """Elect, then say who is eligible next. `lost` are replicas that may lack records."""
    if not rules.elr_enabled and not isr:
        isr = partition.isr  # the last one in sync is all there is to elect from later
    complete = _in_order(partition, {*partition.isr, *partition.elr} - set(lost))
    elected = _elect(partition, isr, complete, rules)
    return _with_eligible(elected, was_leader=partition.leader, complete=complete, rules=rules)


def _elect(
    partition: PartitionImage, isr: tuple[int, ...], complete: tuple[int, ...], rules: ElectionRules
) -> PartitionImage:
    """Prefer the present leader, then who is in sync, then who is complete, then who is left."""
    if partition.leader in isr and rules.electable(partition.leader):
        return replace(partition, isr=isr)
    leader = _first(rules, (replica for replica in partition.replicas if replica in isr))
    if leader != NO_LEADER:
        return replace(partition, isr=isr, leader=leader)
    leader = _first(rules, complete)
    if leader != NO_LEADER:
        return replace(partition, isr=(leader,), leader=leader)
    leader = _first(rules, _last_resort(partition, isr, complete, rules))
    if leader == NO_LEADER:
        return replace(partition, isr=isr, leader=NO_LEADER)
    return replace(
        partition, isr=(leader,), leader=leader, leader_recovery=LeaderRecovery.RECOVERING
    )


def _last_resort(
    partition: PartitionImage, isr: tuple[int, ...], complete: tuple[int, ...], rules: ElectionRules
) -> tuple[int, ...]:
    """Who may lead although records may be missing.

    Where nobody is known to be complete, the last known leader is the best there is, and nobody
    else will ever be elected: it leads without asking (KIP-966, balanced recovery).
    """
    if rules.unclean_allowed:
        return partition.replicas
    nobody_complete = rules.elr_enabled and not isr and not complete
    return partition.last_known_elr if nobody_complete else ()


def _with_eligible(
    partition: PartitionImage, *, was_leader: int, complete: tuple[int, ...], rules: ElectionRules
) -> PartitionImage:
    enough = min(rules.min_insync_replicas, len(partition.replicas))
    if not rules.elr_enabled or len(partition.isr) >= enough:
        return replace(partition, elr=(), last_known_elr=())
    elr = tuple(replica for replica in complete if replica not in partition.isr)
    lost_leader = not partition.isr and was_leader != NO_LEADER
    last_known = (was_leader,) if lost_leader else partition.last_known_elr
    return replace(partition, elr=elr, last_known_elr=last_known)


def _first(rules: ElectionRules, candidates: Iterable[int]) -> int:
    return next((replica for replica in candidates if rules.electable(replica)), NO_LEADER)


def _in_order(partition: PartitionImage, members: Collection[int]) -> tuple[int, ...]:
    return tuple(replica for replica in partition.replicas if replica in members)
