"""Groups: who is in them, and how far they are behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.limits import (
    METRICS_GROUP_ID_LENGTH_MAX,
    METRICS_GROUP_PARTITIONS_MAX,
    METRICS_GROUPS_MAX,
    METRICS_LOOKS_PER_TURN,
    METRICS_SAMPLES_PER_TURN,
)
from ottla.base.world import Clock
from ottla.broker.group_coordinator import GroupCoordinator
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Part, Sample, family, parts
from ottla.broker.metrics.lag import UNKNOWN, RecordTimes
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.offsets import CommittedOffset, Place
from ottla.groups.shard import GroupShard


class Position(NamedTuple):
    """Where a group stands in one partition; `lag_seconds` is None where nobody can tell."""

    group_id: str
    place: Place
    offset: int
    lag: int
    stable_lag: int
    lag_seconds: float | None

    @property
    def labels(self) -> tuple[str, str, str]:
        return self.group_id, self.place.topic, str(self.place.partition)


class GroupMetrics:
    """Of the groups that this broker coordinates, whether anybody is in them or not."""

    def __init__(
        self,
        groups: GroupCoordinator,
        replicas: LocalReplicas,
        clock: Clock,
        left_out: dict[str, int],
    ) -> None:
        self._left_out = left_out
        self._groups = groups
        self._replicas = replicas
        self._clock = clock
        self._times = RecordTimes()

    @property
    def looks(self) -> int:
        """How often a batch's header was looked at for the time of a record."""
        return self._times.looked_up

    def __call__(self) -> Iterator[Part]:
        shards = self._groups.runtime.serving
        yield from _states(shards)
        yield from parts(metrics.GROUP_MEMBERS, islice(_members(shards), METRICS_GROUPS_MAX))
        self._times.begin_round()
        positions: list[Position] = []
        looks = self.looks
        for position in self._positions(shards):
            positions.append(position)
            looked_often = self.looks - looks >= METRICS_LOOKS_PER_TURN
            if looked_often or not len(positions) % METRICS_SAMPLES_PER_TURN:
                yield None
                looks = self.looks
        yield from _told(positions)
        self._note_left_out(shards)

    def _note_left_out(self, shards: list[GroupShard]) -> None:
        groups = [group_id for shard in shards for group_id in shard.group_ids()]
        places = {
            group_id: len(offsets.committed)
            for shard in shards
            for group_id, offsets in shard.offsets.items()
        }
        told = sum(map(_can_be_told, groups))
        told_places = sum(n for group_id, n in places.items() if _can_be_told(group_id))
        self._left_out["groups"] = len(groups) - min(told, METRICS_GROUPS_MAX)
        self._left_out["group partitions"] = sum(places.values()) - min(
            told_places, METRICS_GROUP_PARTITIONS_MAX
        )

    def _positions(self, shards: list[GroupShard]) -> Iterator[Position]:
        committed = (
            (group_id, place, offset)
            for shard in shards
            for group_id, offsets in list(shard.offsets.items())
            if _can_be_told(group_id)
            for place, offset in list(offsets.committed.items())
        )
        for group_id, place, offset in islice(committed, METRICS_GROUP_PARTITIONS_MAX):
            partition = self._replicas.hosted(place.topic, place.partition)
            if partition is None or partition.leader is None:
                continue  # it is gone, or led by another node, which alone knows its end
            yield self._position(group_id, place, offset, partition)

    def _position(
        self, group_id: str, place: Place, committed: CommittedOffset, partition: Partition
    ) -> Position:
        offset = committed.offset
        lag = max(partition.high_watermark - offset, 0)
        return Position(
            group_id,
            place,
            offset,
            lag,
            stable_lag=max(partition.last_stable_offset - offset, 0),
            lag_seconds=self._lag_seconds(partition, offset) if lag else 0.0,
        )

    def _lag_seconds(self, partition: Partition, offset: int) -> float | None:
        try:
            written_ms = self._times.at(partition, offset)
        except ProtocolError:
            return None  # whoever reads there is told, and the disk is watched by others
        if written_ms is None:
            return 0.0
        if written_ms == UNKNOWN:
            return None
        return max(self._clock.now_ms() - written_ms, 0) / 1000


def _can_be_told(group_id: str) -> bool:
    return len(group_id) <= METRICS_GROUP_ID_LENGTH_MAX


def _states(shards: list[GroupShard]) -> Iterator[Part]:
    counts: Counter[tuple[str, str]] = Counter()
    for shard in shards:
        for group in shard:
            counts[group.type_name, group.state_name] += 1
        yield None
    yield family(metrics.GROUPS, counts.items())


def _members(shards: list[GroupShard]) -> Iterator[Sample]:
    for shard in shards:
        for group in list(shard):
            assert isinstance(group, ClassicGroup | ConsumerGroup)
            if _can_be_told(group.group_id):
                yield (group.group_id,), len(group.members)


def _told(positions: list[Position]) -> Iterator[Part]:
    yield from parts(metrics.GROUP_OFFSET, ((each.labels, each.offset) for each in positions))
    yield from parts(metrics.GROUP_LAG, ((each.labels, each.lag) for each in positions))
    yield from parts(
        metrics.GROUP_STABLE_LAG, ((each.labels, each.stable_lag) for each in positions)
    )
    yield from parts(
        metrics.GROUP_LAG_SECONDS,
        ((each.labels, each.lag_seconds) for each in positions if each.lag_seconds is not None),
    )
