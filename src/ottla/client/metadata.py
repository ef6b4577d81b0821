"""What a client knows of a cluster: nodes, topics by name and by id, leaders with their epochs.

Pure state: answers go in by `take`, and nothing in it asks anybody. What one node tells late never
undoes what another told of a later leader epoch (KIP-320).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from msgspec import Struct, structs

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_EPOCH, NO_LEADER, ZERO_UUID
from ottla.client.address import Address
from ottla.client.remedies import known_error
from ottla.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

_GONE: Final = {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.UNKNOWN_TOPIC_ID}


class Node(NamedTuple):
    """One broker, at its address on the listener that was asked."""

    node_id: int
    host: str
    port: int
    rack: str | None = None

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address(self.host, self.port)


class Leader(NamedTuple):
    """Who leads a partition, and since when; epoch -1 where the cluster does not tell."""

    node: Node
    epoch: int


class PartitionMetadata(Struct, frozen=True, kw_only=True, gc=False):
    """One partition; `leader_id` -1 for none."""

    index: int
    leader_id: int = NO_LEADER
    leader_epoch: int = NO_EPOCH
    replicas: tuple[int, ...] = ()
    isr: tuple[int, ...] = ()
    offline: tuple[int, ...] = ()
    error: ErrorCode = ErrorCode.NONE


class TopicMetadata(Struct, frozen=True, kw_only=True):
    """One topic; without partitions where `error` says why."""

    name: str
    topic_id: bytes = ZERO_UUID
    """Sixteen zeros where the cluster has no ids (before Kafka 2.8)."""
    is_internal: bool = False
    partitions: Mapping[int, PartitionMetadata] = {}
    """By index, in order."""
    error: ErrorCode = ErrorCode.NONE


class ClusterMetadata:
    """The last word on each thing. Read it freely; only the line below changes it.

    `generation` counts changes of topics, leaders and nodes: who derives something from the
    metadata derives it anew when it differs.
    """

    def __init__(self) -> None:
        self.cluster_id: str | None = None
        self.controller_id: int = NO_LEADER
        self.nodes: Mapping[int, Node] = {}
        self.generation = 0
        self._topics: dict[str, TopicMetadata] = {}
        # The last description with partitions of each topic, which outlives an error: a node that
        # is behind may tell an older epoch after one that did not know the topic at all.
        self._described: dict[str, TopicMetadata] = {}
        self._names: dict[bytes, str] = {}
        self._read: set[str] = set()

    # -- reading ---------------------------------------------------------------------------------

    @property
    def topics(self) -> Mapping[str, TopicMetadata]:
        """By name, as far as they were asked for; of one that is not there, its error."""
        return self._topics

    def topic(self, name: str) -> TopicMetadata | None:
        """The topic, if it was asked for and is there."""
        self._read.add(name)
        found = self._topics.get(name)
        return None if found is None or found.error else found

    def topic_by_id(self, topic_id: bytes) -> TopicMetadata | None:
        """The topic of this id, if it was asked for and is there."""
        name = self._names.get(topic_id)
        return None if name is None else self.topic(name)

    def partition(self, topic: str, partition: int) -> PartitionMetadata | None:
        """The partition, where its topic is known and has it."""
        self._read.add(topic)
        found = self._topics.get(topic)
        return None if found is None else found.partitions.get(partition)

    def leader(self, topic: str, partition: int) -> Leader | None:
        """The node that leads the partition; None for none, or where it is not known."""
        found = self.partition(topic, partition)
        node = None if found is None else self.nodes.get(found.leader_id)
        return None if found is None or node is None else Leader(node, found.leader_epoch)

    def take_read(self) -> set[str]:
        """The topics that were read since the last call, there or not: somebody needs them."""
        read, self._read = self._read, set()
        return read

    # -- what nodes tell -------------------------------------------------------------------------

    def take(self, response: MetadataResponse, *, everything: bool = False) -> None:
        """Learn an answer; with `everything`, topics that are not in it are gone."""
        self._be_of(response.cluster_id)
        changed = self._learn_nodes(_nodes_of(response))
        self.controller_id = response.controller_id
        for answer in response.topics:
            changed |= self._learn_topic(answer)
        if everything:
            named = {answer.name for answer in response.topics}
            changed |= self.forget_topics(self._topics.keys() - named)
        self.generation += changed

    def learn_leader(
        self,
        topic: str,
        partition: int,
        leader_id: int,
        leader_epoch: int,
        nodes: Iterable[Node] = (),
    ) -> bool:
        """Learn a leader from another answer (KIP-951: `current_leader` and `node_endpoints`).

        False, with nothing changed, where it is not newer than what is known, or of no use.
        """
        described = self._topics.get(topic)
        known = self.partition(topic, partition)
        if described is None or known is None or leader_epoch <= known.leader_epoch:
            return False
        told = {node.node_id: node for node in nodes}
        if leader_id not in told and leader_id not in self.nodes:
            return False
        moved = structs.replace(known, leader_id=leader_id, leader_epoch=leader_epoch)
        self._keep(
            structs.replace(described, partitions={**described.partitions, partition: moved})
        )
        self._learn_nodes({**self.nodes, **told})
        self.generation += 1
        return True

    def forget_topics(self, names: Iterable[str]) -> bool:
        """Know nothing of these topics any more, not even their epochs; whether any was known."""
        gone = [name for name in names if name in self._topics]
        for name in gone:
            del self._topics[name]
            described = self._described.pop(name, None)
            if described is not None and self._names.get(described.topic_id) == name:
                del self._names[described.topic_id]
        self.generation += bool(gone)
        return bool(gone)

    def _be_of(self, cluster_id: str | None) -> None:
        """Another cluster behind the same addresses counts its epochs anew."""
        if cluster_id is not None and self.cluster_id not in (None, cluster_id):
            self.forget_topics(list(self._topics))
        self.cluster_id = cluster_id or self.cluster_id

    def _learn_nodes(self, nodes: dict[int, Node]) -> bool:
        changed = nodes != self.nodes
        self.nodes = nodes
        return changed

    def _learn_topic(self, answer: MetadataResponseTopic) -> bool:
        name = self._names.get(answer.topic_id) if answer.name is None else answer.name
        if name is None:
            return False  # an id that neither side knows
        before = self._topics.get(name)
        topic = self._described_topic(name, answer)
        self._keep(topic)
        return topic != before

    def _described_topic(self, name: str, answer: MetadataResponseTopic) -> TopicMetadata:
        if answer.error_code:
            return TopicMetadata(
                name=name, topic_id=answer.topic_id, error=known_error(answer.error_code)
            )
        before = self._described.get(name)
        if before is not None and ZERO_UUID not in (ids := {before.topic_id, answer.topic_id}):
            # Deleted and created again: its epochs begin anew.
            before = before if len(ids) == 1 else None
        told = sorted(map(_partition_of, answer.partitions), key=lambda partition: partition.index)
        return TopicMetadata(
            name=name,
            topic_id=answer.topic_id,
            is_internal=answer.is_internal,
            partitions={partition.index: _later(before, partition) for partition in told},
        )

    def _keep(self, topic: TopicMetadata) -> None:
        self._topics[topic.name] = topic
        before = self._described.get(topic.name)
        if topic.error:
            if before is not None and before.topic_id == ZERO_UUID and topic.error in _GONE:
                # No id will tell whether what comes under this name is the same topic.
                del self._described[topic.name]
            return
        if before is not None and before.topic_id != topic.topic_id:
            self._names.pop(before.topic_id, None)
        self._described[topic.name] = topic
        if topic.topic_id != ZERO_UUID:
            self._names[topic.topic_id] = topic.name


def _later(topic: TopicMetadata | None, told: PartitionMetadata) -> PartitionMetadata:
    """What was told, unless an earlier answer knew a later epoch."""
    known = None if topic is None else topic.partitions.get(told.index)
    if known is None or told.leader_epoch == NO_EPOCH:
        return told
    return known if told.leader_epoch < known.leader_epoch else told


def _partition_of(answer: MetadataResponsePartition) -> PartitionMetadata:
    return PartitionMetadata(
        index=answer.partition_index,
        leader_id=answer.leader_id,
        leader_epoch=answer.leader_epoch,
        replicas=tuple(answer.replica_nodes),
        isr=tuple(answer.isr_nodes),
        offline=tuple(answer.offline_replicas),
        error=known_error(answer.error_code),
    )


def _nodes_of(response: MetadataResponse) -> dict[int, Node]:
    return {
        broker.node_id: Node(broker.node_id, broker.host, broker.port, broker.rack)
        for broker in response.brokers
    }
