"""Plans of kafka-reassign-partitions: where replicas shall be, read, checked, made and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.scripts.json_files import read_json

if TYPE_CHECKING:
    from ottla.client.metadata import Node

ANY: Final = "any"
"""As a directory: the broker chooses."""
_VERSION: Final = 1


class _Replicas(Struct):
    topic: str
    partition: int
    replicas: list[int]
    log_dirs: list[str] | None = None


class _Plan(Struct):
    partitions: list[_Replicas]
    version: int = _VERSION


class _Topic(Struct):
    topic: str


class _Topics(Struct):
    topics: list[_Topic]
    version: int = _VERSION


class Target(Struct, frozen=True):
    """Where a partition's replicas shall be: brokers, and a directory on each."""

    replicas: tuple[int, ...]
    log_dirs: tuple[str, ...]

    @property
    def named_dirs(self) -> dict[int, str]:
        """By broker, where a directory was named."""
        both = zip(self.replicas, self.log_dirs, strict=True)
        return {broker: path for broker, path in both if path != ANY}


def read_plan(path: str) -> dict[TopicPartition, Target]:
    """A file of targets. Raises UserError for what is none, or contradicts itself."""
    read = read_json(path, _Plan)
    _check_version(read.version)
    if not read.partitions:
        raise UserError("Partition reassignment list cannot be empty")
    found: dict[TopicPartition, Target] = {}
    for each in read.partitions:
        partition = TopicPartition(each.topic, each.partition)
        if partition in found:
            raise UserError(f"{partition} stands in the plan more than once")
        found[partition] = _target(partition, each)
    return dict(sorted(found.items()))


def _target(partition: TopicPartition, read: _Replicas) -> Target:
    dirs = [ANY] * len(read.replicas) if read.log_dirs is None else read.log_dirs
    if len(dirs) != len(read.replicas):
        raise UserError(f"{partition} has {len(read.replicas)} replicas and {len(dirs)} log_dirs")
    if not read.replicas:
        raise UserError(f"{partition} is left without replicas")
    if len(set(read.replicas)) < len(read.replicas):
        raise UserError(f"{partition} has a broker more than once: {read.replicas}")
    return Target(tuple(read.replicas), tuple(dirs))


def read_topics(path: str) -> list[str]:
    """The names in a file of topics. Raises UserError."""
    read = read_json(path, _Topics)
    _check_version(read.version)
    names = [each.topic for each in read.topics]
    if len(set(names)) < len(names):
        raise UserError("a topic stands in the list more than once")
    return names


def _check_version(version: int) -> None:
    if version != _VERSION:
        raise UserError(f"the file is of version {version}; {_VERSION} is the one that is known")


def read_brokers(text: str) -> list[int]:
    """`0,1,2`. Raises UserError."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UserError(f"{text!r} is no list of brokers as 0,1,2") from error
    if len(set(found)) < len(found):
        raise UserError(f"a broker stands in the list more than once: {text}")
    return found


def written(targets: Mapping[TopicPartition, Target]) -> str:
    """As one line that `read_plan` takes."""
    plan = {
        "version": _VERSION,
        "partitions": [
            {
                "topic": partition.topic,
                "partition": partition.partition,
                "replicas": list(target.replicas),
                "log_dirs": list(target.log_dirs),
            }
            for partition, target in sorted(targets.items())
        ],
    }
    return json.dumps(plan, separators=(",", ":"))


# -- making one ------------------------------------------------------------------------------------


def proposed(
    counts: Mapping[TopicPartition, int], nodes: Sequence[Node], *, rack_aware: bool
) -> dict[TopicPartition, Target]:
    """So many replicas of each partition, spread over nodes; leaders go round them.

    Followers lie in other racks as long as there are any. Raises UserError for too few nodes.
    """
    if any((node.rack is None) != (nodes[0].rack is None) for node in nodes) and rack_aware:
        raise UserError("some brokers have a rack and some have none: --disable-rack-aware")
    ring = _alternating(nodes) if rack_aware else list(nodes)
    found = {}
    for turn, (partition, count) in enumerate(sorted(counts.items())):
        if count > len(ring):
            raise UserError(f"{partition} has {count} replicas, for {len(ring)} brokers")
        start = turn % len(ring)
        rotated = ring[start:] + ring[:start]
        replicas = _chosen(rotated, count, rack_aware=rack_aware)
        found[partition] = Target(replicas, (ANY,) * count)
    return found


def _alternating(nodes: Iterable[Node]) -> list[Node]:
    """Neighbours in different racks, as far as that can be."""
    by_rack: dict[str, list[Node]] = {}
    for node in nodes:
        by_rack.setdefault(node.rack or "", []).append(node)
    place = {node.node_id: at for rack in by_rack.values() for at, node in enumerate(rack)}
    return sorted(nodes, key=lambda node: (place[node.node_id], node.rack or ""))


def _chosen(ring: Sequence[Node], count: int, *, rack_aware: bool) -> tuple[int, ...]:
    chosen = [ring[0]]
    left = list(ring[1:])
    while len(chosen) < count:
        racks = {node.rack for node in chosen}
        fresh = [node for node in left if node.rack not in racks] if rack_aware else []
        chosen.append((fresh or left)[0])
        left.remove(chosen[-1])
    return tuple(node.node_id for node in chosen)
