"""What `kafka-topics --describe` prints of topics and their partitions."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

from ottla.base.ids import NO_LEADER, ZERO_UUID, TopicPartition, format_uuid

if TYPE_CHECKING:
    from ottla.cli.scripts.command_line import Options
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.config_entries import ConfigEntry
    from ottla.client.admin.partitions import Reassignment
    from ottla.client.admin.topic_descriptions import PartitionDescription, TopicDescription

_NOT_TOLD: Final = "N/A"

Moves = Mapping[TopicPartition, "Reassignment"]
Settings = Mapping[str, "ConfigEntry"]


class Found(NamedTuple):
    """All that is known of the topics that are described."""

    topics: Iterable[TopicDescription]
    settings: Mapping[str, Settings]
    moves: Moves
    brokers: Collection[int]
    """Those that live."""


async def report(admin: Admin, options: Options, names: Collection[str]) -> None:
    """Print topics by name; of a report, only the partitions in it. Raises UserError."""
    found = await _find(admin, names)
    wanted = [test for name, test in _REPORTS.items() if options.has(name)]
    only_set = options.has("topics-with-overrides")
    for topic in found.topics:
        settings = found.settings[topic.name]
        if not wanted and (not only_set or any(not each.is_default for each in settings.values())):
            print(_topic_line(topic, settings, found.moves))
        if only_set:
            continue
        for partition in topic.partitions:
            about = _About(partition, topic.name, settings, found)
            if not wanted or any(test(about) for test in wanted):
                print(about.line())


async def _find(admin: Admin, names: Collection[str]) -> Found:
    from ottla.client.admin.config_entries import ConfigResource

    if not names:
        return Found((), {}, {}, ())
    described = (await admin.topics.describe(*names)).all()
    resources = [ConfigResource.topic(name) for name in names]
    settings = (await admin.configs.describe(*resources)).all()
    nodes = (await admin.cluster.describe()).nodes
    return Found(
        topics=[described[name] for name in names],
        settings={resource.name: entries for resource, entries in settings.items()},
        moves=await _moves(admin, described.values()),
        brokers={each.node.node_id for each in nodes if not each.is_fenced},
    )


async def _moves(admin: Admin, topics: Iterable[TopicDescription]) -> Moves:
    from ottla.base.errors import ErrorCode
    from ottla.client.admin.errors import UnsupportedByBrokerError
    from ottla.client.errors import RefusedError

    partitions = [
        TopicPartition(topic.name, partition.index)
        for topic in topics
        for partition in topic.partitions
    ]
    try:
        return await admin.partitions.list_reassignments(partitions)
    except UnsupportedByBrokerError:
        return {}
    except RefusedError as error:
        if error.code != ErrorCode.CLUSTER_AUTHORIZATION_FAILED:
            raise
        return {}


class _About(NamedTuple):
    """One partition, and what tells how it fares."""

    partition: PartitionDescription
    topic: str
    settings: Settings
    found: Found

    def is_under_replicated(self) -> bool:
        move = self.found.moves.get(TopicPartition(self.topic, self.partition.index))
        return _replication_factor(self.partition, move) > len(self.partition.isr)

    def is_unavailable(self) -> bool:
        return self.partition.leader not in self.found.brokers

    def is_under_min_isr(self) -> bool:
        return self.partition.leader == NO_LEADER or len(self.partition.isr) < self._isr_min()

    def is_at_min_isr(self) -> bool:
        return len(self.partition.isr) == self._isr_min()

    def _isr_min(self) -> int:
        return int(self.settings["min.insync.replicas"].value or 1)

    def line(self) -> str:
        partition = self.partition
        leader = "none" if partition.leader == NO_LEADER else partition.leader
        columns = [
            f"Topic: {self.topic}",
            f"Partition: {partition.index}",
            f"Leader: {leader}",
            f"Replicas: {_nodes(partition.replicas)}",
            f"Isr: {_nodes(partition.isr)}",
        ]
        move = self.found.moves.get(TopicPartition(self.topic, partition.index))
        if move is not None:
            columns.append(f"Adding Replicas: {_nodes(move.adding)}")
            columns.append(f"Removing Replicas: {_nodes(move.removing)}")
        columns.append(f"Elr: {_nodes(partition.eligible_leaders)}")
        columns.append(f"LastKnownElr: {_nodes(partition.last_known_eligible_leaders)}")
        return "\t" + "\t".join(columns)


_REPORTS: Final = {
    "under-replicated-partitions": _About.is_under_replicated,
    "unavailable-partitions": _About.is_unavailable,
    "under-min-isr-partitions": _About.is_under_min_isr,
    "at-min-isr-partitions": _About.is_at_min_isr,
}


def _topic_line(topic: TopicDescription, settings: Settings, moves: Moves) -> str:
    set_ones = [f"{each.name}={each.value}" for each in settings.values() if not each.is_default]
    move = moves.get(TopicPartition(topic.name, 0))
    columns = [f"Topic: {topic.name}"]
    if topic.topic_id != ZERO_UUID:
        columns.append(f"TopicId: {format_uuid(topic.topic_id)}")
    columns.append(f"PartitionCount: {len(topic.partitions)}")
    columns.append(f"ReplicationFactor: {_replication_factor(topic.partitions[0], move)}")
    columns.append(f"Configs: {','.join(set_ones)}")
    return "\t".join(columns)


def _replication_factor(partition: PartitionDescription, move: Reassignment | None) -> int:
    """How many there are when nothing moves; a move that has ended meanwhile tells nothing."""
    if move is None or not {*move.adding, *move.removing} & set(partition.replicas):
        return len(partition.replicas)
    return len(move.replicas) - len(move.adding)


def _nodes(nodes: Iterable[int] | None) -> str:
    return _NOT_TOLD if nodes is None else ",".join(map(str, nodes))
