"""Elections that somebody asks for (ElectLeaders, KIP-460): the preferred leader, or any."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, cut
from ottla.base.limits import REFUSAL_LENGTH_MAX
from ottla.metadata.decision import Decision
from ottla.metadata.election_rules import election_rules
from ottla.metadata.image import MetadataImage, PartitionImage, TopicImage
from ottla.metadata.leadership import (
    ElectionRules,
    after_preferred_election,
    after_unclean_election,
)
from ottla.metadata.partition_change import difference
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    ReplicaElectionResult,
    TopicPartitions,
)
from ottla.wire.schema import Payload


class ElectionType(IntEnum):
    """Who may be elected, by the protocol's numbers."""

    PREFERRED = 0
    UNCLEAN = 1


class _Kind(NamedTuple):
    """What one type of election looks at, does, and answers where nobody can be elected."""

    is_needless: Callable[[PartitionImage], bool]
    elect: Callable[[PartitionImage, ElectionRules], PartitionImage]
    nobody: ErrorCode
    why_nobody: str


_KINDS: Final = {
    ElectionType.PREFERRED: _Kind(
        lambda partition: partition.leader == partition.replicas[0],
        after_preferred_election,
        ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE,
        "its first replica is not in sync or not running",
    ),
    ElectionType.UNCLEAN: _Kind(
        lambda partition: partition.has_leader,
        after_unclean_election,
        ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE,
        "none of its replicas is running",
    ),
}


def decide_elect_leaders(
    image: MetadataImage, request: ElectLeadersRequest, *, settings: BrokerSettings
) -> Decision[ElectLeadersResponse]:
    """Elect in each partition by itself; of all partitions, only those that need it are told."""
    if request.election_type not in _KINDS:
        reason = f"there is no election of type {request.election_type}: 0 is preferred, 1 unclean"
        return Decision((), refused_elections(request, ErrorCode.INVALID_REQUEST, reason))
    elections = _Elections(image, _KINDS[ElectionType(request.election_type)], settings)
    if request.topic_partitions is None:
        results = [elections.where_needed(topic) for topic in image.topics_by_name.values()]
    else:
        results = [elections.asked(wanted) for wanted in request.topic_partitions]
    response = ElectLeadersResponse(replica_election_results=results)
    return Decision(tuple(elections.records), response)


class _Elections:
    """The elections of one request, one partition after the other."""

    def __init__(self, image: MetadataImage, kind: _Kind, settings: BrokerSettings) -> None:
        self.records: list[Payload] = []
        self._image = image
        self._kind = kind
        self._rules_of = election_rules(image, settings)
        self._elected: set[tuple[str, int]] = set()

    def where_needed(self, topic: TopicImage) -> ReplicaElectionResult:
        """Elect wherever that changes something."""
        needing = [
            index
            for index, partition in enumerate(topic.partitions)
            if not self._kind.is_needless(partition)
        ]
        return ReplicaElectionResult(
            topic=topic.name, partition_result=self._in_topic(topic, needing)
        )

    def asked(self, wanted: TopicPartitions) -> ReplicaElectionResult:
        """Elect in these partitions, and answer for each of them."""
        topic = self._image.topics_by_name.get(wanted.topic)
        no_topic = cut(f"there is no topic {wanted.topic!r}", REFUSAL_LENGTH_MAX)
        results = (
            [_unknown(index, no_topic) for index in wanted.partitions]
            if topic is None
            else self._in_topic(topic, wanted.partitions)
        )
        return ReplicaElectionResult(topic=wanted.topic, partition_result=results)

    def _in_topic(self, topic: TopicImage, indexes: Iterable[int]) -> list[PartitionResult]:
        rules = self._rules_of(topic)
        return [self._one(topic, index, rules) for index in indexes]

    def _one(self, topic: TopicImage, index: int, rules: ElectionRules) -> PartitionResult:
        if not 0 <= index < len(topic.partitions):
            return _unknown(index, f"topic {topic.name} has no partition {index}")
        partition = topic.partitions[index]
        if self._kind.is_needless(partition) or (topic.name, index) in self._elected:
            reason = f"{topic.name}-{index} is led as it should be"
            return PartitionResult(
                partition_id=index, error_code=ErrorCode.ELECTION_NOT_NEEDED, error_message=reason
            )
        change = difference(topic.topic_id, index, partition, self._kind.elect(partition, rules))
        if change is None:
            reason = f"{topic.name}-{index} cannot be led: {self._kind.why_nobody}"
            return PartitionResult(
                partition_id=index, error_code=self._kind.nobody, error_message=reason
            )
        self._elected.add((topic.name, index))
        self.records.append(change)
        return PartitionResult(partition_id=index)


def refused_elections(
    request: ElectLeadersRequest, error: ErrorCode, reason: str
) -> ElectLeadersResponse:
    """The same refusal of the whole and of every partition that was asked about."""
    return ElectLeadersResponse(
        error_code=error,
        replica_election_results=[
            ReplicaElectionResult(
                topic=wanted.topic,
                partition_result=[
                    PartitionResult(partition_id=index, error_code=error, error_message=reason)
                    for index in wanted.partitions
                ],
            )
            for wanted in request.topic_partitions or ()
        ],
    )


def _unknown(index: int, reason: str) -> PartitionResult:
    return PartitionResult(
        partition_id=index,
        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        error_message=reason,
    )
