"""Which brokers hold a new partition's replicas.

Brokers stand in a ring in which neighbours lie in different racks. Leaders go round the ring, so
each broker leads as many as any other; followers are the next ones in racks that the partition is
not in yet, then in any rack. The distance to the first follower grows with each round, so that
the followers of one broker's partitions are not all on one other broker.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Rng
from ottla.metadata.image import BrokerImage


class Ring:
    """Places partitions one after the other. Fenced brokers follow only where it takes them."""

    def __init__(self, brokers: Iterable[BrokerImage], rng: Rng) -> None:
        self._brokers = [broker for broker in brokers if not _is_cordoned(broker)]
        self._active = _alternate_racks([b for b in self._brokers if b.electable], rng)
        self._idle = _alternate_racks([b for b in self._brokers if not b.electable], rng)
        self._placed = 0

    def place(self, replication_factor: int) -> tuple[int, ...]:
        """Node ids of the next partition's replicas, the preferred leader first.

        Raises ProtocolError(INVALID_REPLICATION_FACTOR) where there are too few brokers.
        """
        if not self._active:
            raise _cannot(
                replication_factor,
                "no broker is up and takes new partitions",
            )
        if replication_factor > len(self._brokers):
            raise _cannot(
                replication_factor,
                f"{len(self._brokers)} brokers of this cluster take new partitions",
            )
        replicas = self._take(replication_factor)
        self._placed += 1
        return replicas

    def _take(self, replication_factor: int) -> tuple[int, ...]:
        rounds, start = divmod(self._placed, len(self._active))
        leader, *others = _rotated(self._active, start)
        candidates = [*_rotated(others, rounds), *_rotated(self._idle, self._placed)]
        chosen = [leader.node_id]
        for broker in _new_racks_first(leader, candidates):
            if len(chosen) == replication_factor:
                break
            chosen.append(broker.node_id)
        return tuple(chosen)


def _new_racks_first(
    leader: BrokerImage, candidates: Sequence[BrokerImage]
) -> Iterator[BrokerImage]:
    """Active ones of unused racks, then other active ones, and fenced ones in the same way."""
    for active in (True, False):
        group = [broker for broker in candidates if broker.electable is active]
        racks = {leader.rack}
        rest = []
        for broker in group:
            if broker.rack is None or broker.rack not in racks:
                racks.add(broker.rack)
                yield broker
            else:
                rest.append(broker)
        yield from rest


def _alternate_racks(brokers: Sequence[BrokerImage], rng: Rng) -> list[BrokerImage]:
    """All brokers in a random order, in which racks take turns as long as they can."""
    racks: dict[str | None, list[BrokerImage]] = {}
    for broker in _shuffled(brokers, rng):
        racks.setdefault(broker.rack, []).append(broker)
    ring = []
    while racks:
        for rack in list(racks):
            ring.append(racks[rack].pop())
            if not racks[rack]:
                del racks[rack]
    return ring


def _shuffled(brokers: Sequence[BrokerImage], rng: Rng) -> list[BrokerImage]:
    shuffled = sorted(brokers, key=lambda broker: broker.node_id)
    for last in range(len(shuffled) - 1, 0, -1):
        other = rng.below(last + 1)
        shuffled[last], shuffled[other] = shuffled[other], shuffled[last]
    return shuffled


def _rotated(brokers: Sequence[BrokerImage], by: int) -> list[BrokerImage]:
    start = by % len(brokers) if brokers else 0
    return [*brokers[start:], *brokers[:start]]


def _is_cordoned(broker: BrokerImage) -> bool:
    """Whether no directory of the broker takes new partitions (KIP-1066)."""
    cordoned = broker.cordoned_directories
    return bool(cordoned) and set(broker.log_directories) <= set(cordoned or ())


def _cannot(replication_factor: int, why: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.INVALID_REPLICATION_FACTOR,
        f"a partition cannot have {replication_factor} replicas: {why}",
    )
