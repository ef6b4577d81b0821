"""Partitions move to other brokers (KIP-455): begin, cancel, complete, list.

While one moves, its replicas are the wanted ones and behind them those that will go. It has moved
once every wanted replica is in sync. A new wish takes the place of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.assignments import check_assignment, default_directory
from ottla.metadata.decision import Decision
from ottla.metadata.election_rules import election_rules
from ottla.metadata.image import MetadataImage, PartitionImage, TopicImage
from ottla.metadata.leadership import ElectionRules, settled
from ottla.metadata.partition_change import LEADER_UNCHANGED, difference
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignablePartitionResponse,
    ReassignableTopic,
    ReassignableTopicResponse,
)
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    OngoingPartitionReassignment,
    OngoingTopicReassignment,
)
from ottla.wire.schema import Payload


def decide_alter_reassignments(
    image: MetadataImage, request: AlterPartitionReassignmentsRequest, *, settings: BrokerSettings
) -> Decision[AlterPartitionReassignmentsResponse]:
    """Begin or cancel the move of each partition by itself, in the order of the request."""
    moves = _Moves(image, settings, may_change_factor=request.allow_replication_factor_change)
    response = AlterPartitionReassignmentsResponse(
        allow_replication_factor_change=request.allow_replication_factor_change,
        responses=[
            ReassignableTopicResponse(
                name=topic.name,
                partitions=[moves.answer(topic, wanted) for wanted in topic.partitions],
            )
            for topic in request.topics
        ],
    )
    return Decision(tuple(moves.records), response)


class _Moves:
    """The moves of one request: each sees what those before it did."""

    def __init__(
        self, image: MetadataImage, settings: BrokerSettings, *, may_change_factor: bool
    ) -> None:
        self.records: list[Payload] = []
        self._image = image
        self._rules_of = election_rules(image, settings)
        self._may_change_factor = may_change_factor
        self._changed: dict[tuple[str, int], PartitionImage] = {}

    def answer(
        self, topic: ReassignableTopic, wanted: ReassignablePartition
    ) -> ReassignablePartitionResponse:
        result = ReassignablePartitionResponse(partition_index=wanted.partition_index)
        try:
            self._move(topic.name, wanted)
        except ProtocolError as refused:
            result.error_code = refused.code
            result.error_message = refused.message
        return result

    def _move(self, name: str, wanted: ReassignablePartition) -> None:
        """Raises ProtocolError."""
        index = wanted.partition_index
        topic = self._image.topics_by_name.get(name)
        if topic is None:
            raise _unknown(f"there is no topic {name!r}")
        if not 0 <= index < len(topic.partitions):
            raise _unknown(f"topic {name} has no partition {index}")
        before = self._changed.get((name, index), topic.partitions[index])
        rules = self._rules_of(topic)
        if wanted.replicas is None:
            after = _cancelled(before, rules)
        else:
            after = self._begun(before, tuple(wanted.replicas), rules)
        self._note(topic, index, before, after)

    def _begun(
        self, before: PartitionImage, wanted: tuple[int, ...], rules: ElectionRules
    ) -> PartitionImage:
        check_assignment(wanted, self._image.brokers, None)
        factor = len(before.replicas) - len(before.removing)
        if not self._may_change_factor and len(wanted) != factor:
            raise ProtocolError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"the partition has {factor} replicas and would have {len(wanted)}, which this "
                "request does not allow",
            )
        moving = _moving(before, wanted)
        return completed(self._with_directories(before, moving), rules)

    def _with_directories(self, before: PartitionImage, moving: PartitionImage) -> PartitionImage:
        """Known directories stay; a broker with one directory can only use that."""
        if not before.directories:
            return moving
        known = dict(zip(before.replicas, before.directories, strict=True))
        return replace(
            moving,
            directories=tuple(
                known.get(node_id) or default_directory(self._image.brokers[node_id])
                for node_id in moving.replicas
            ),
        )

    def _note(
        self, topic: TopicImage, index: int, before: PartitionImage, after: PartitionImage
    ) -> None:
        change = difference(topic.topic_id, index, before, after)
        if change is None:
            return
        if change.leader == LEADER_UNCHANGED and set(before.replicas) - set(after.replicas):
            # A new epoch of the same leader: a replica that has left may not pass for one of it.
            change.leader = after.leader
        self._changed[topic.name, index] = after
        self.records.append(change)


def _moving(before: PartitionImage, wanted: tuple[int, ...]) -> PartitionImage:
    """On its way. What an earlier wish was adding goes on where this one wants it too.

    Where it does not, such a replica is dropped, unless it is in sync by now: then it leaves in
    order, as those do that the partition came from.
    """
    came_from = set(before.replicas) - set(before.adding)
    leaving = sorted((came_from | set(before.isr)) - set(wanted))
    dropped = set(before.replicas) - set(wanted) - set(leaving)
    return replace(
        before,
        replicas=wanted + tuple(leaving),
        adding=tuple(sorted(set(wanted) - came_from)),
        removing=tuple(leaving),
        elr=tuple(node_id for node_id in before.elr if node_id not in dropped),
    )


def completed(partition: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """The partition without those that go, once all others are in sync; until then, as it is."""
    at_rest = _without(partition, partition.removing)
    is_moving = partition.adding or partition.removing
    if not is_moving or not set(at_rest.replicas) <= set(at_rest.isr):
        return partition
    return settled(at_rest, rules)


def _cancelled(before: PartitionImage, rules: ElectionRules) -> PartitionImage:
    """Back to where it came from. Raises ProtocolError."""
    if not before.adding and not before.removing:
        raise ProtocolError(ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, "the partition does not move")
    back = _without(before, before.adding)
    if back.isr:
        return settled(back, rules)
    if not rules.unclean_allowed:
        raise ProtocolError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            "none of the replicas that it came from is in sync, and an unclean election is not "
            "allowed: let the move go on",
        )
    elected = settled(back, rules)
    # Somebody must be in sync, or nobody could ever lead again.
    return elected if elected.isr else replace(elected, isr=back.replicas[:1], last_known_elr=())


def _without(partition: PartitionImage, gone: tuple[int, ...]) -> PartitionImage:
    """The partition on its other replicas, at rest."""
    stay = tuple(node_id for node_id in partition.replicas if node_id not in gone)
    directories: tuple[bytes, ...] = ()
    if partition.directories:
        known = dict(zip(partition.replicas, partition.directories, strict=True))
        directories = tuple(known[node_id] for node_id in stay)
    return replace(
        partition,
        replicas=stay,
        isr=tuple(node_id for node_id in partition.isr if node_id not in gone),
        elr=tuple(node_id for node_id in partition.elr if node_id not in gone),
        last_known_elr=tuple(
            node_id for node_id in partition.last_known_elr if node_id not in gone
        ),
        adding=(),
        removing=(),
        directories=directories,
    )


def _unknown(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, reason)


def ongoing_reassignments(
    image: MetadataImage, request: ListPartitionReassignmentsRequest
) -> ListPartitionReassignmentsResponse:
    """The partitions that move, of those asked about; what does not exist does not move."""
    if request.topics is None:
        asked = [(topic, range(len(topic.partitions))) for topic in image.topics_by_name.values()]
        return ListPartitionReassignmentsResponse(topics=_ongoing(asked))
    found = [
        (image.topics_by_name[wanted.name], wanted.partition_indexes)
        for wanted in request.topics
        if wanted.name in image.topics_by_name
    ]
    return ListPartitionReassignmentsResponse(topics=_ongoing(found))


def _ongoing(
    asked: Sequence[tuple[TopicImage, Sequence[int]]],
) -> list[OngoingTopicReassignment]:
    topics = []
    for topic, indexes in asked:
        partitions = [
            OngoingPartitionReassignment(
                partition_index=index,
                replicas=list(partition.replicas),
                adding_replicas=list(partition.adding),
                removing_replicas=list(partition.removing),
            )
            for index in indexes
            if 0 <= index < len(topic.partitions)
            and ((partition := topic.partitions[index]).adding or partition.removing)
        ]
        if partitions:
            topics.append(OngoingTopicReassignment(name=topic.name, partitions=partitions))
    return topics
