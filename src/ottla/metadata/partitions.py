"""Adding partitions to topics: decisions with Kafka's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Rng
from ottla.metadata.assignments import check_assignment, new_partition
from ottla.metadata.decision import Decision, TakePermits, without_quota
from ottla.metadata.image import MetadataImage, TopicImage
from ottla.metadata.partition_change import record_of
from ottla.metadata.placement import Ring
from ottla.metadata.topics import check_named_once, check_partition_count
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
    CreatePartitionsTopicResult,
)
from ottla.wire.schema import Payload


def decide_create_partitions(
    image: MetadataImage,
    request: CreatePartitionsRequest,
    *,
    rng: Rng,
    take_permits: TakePermits = without_quota,
) -> Decision[CreatePartitionsResponse]:
    """Grow topics, each for itself; with `validate_only` only the answers are made."""
    named = Counter(wanted.name for wanted in request.topics)
    ring = Ring(image.brokers.values(), rng)
    records: list[Payload] = []
    results = []
    for wanted in {wanted.name: wanted for wanted in request.topics}.values():
        result = CreatePartitionsTopicResult(name=wanted.name)
        try:
            check_named_once(named[wanted.name])
            grown = _grow(image, wanted, ring, so_far=len(records))
            take_permits(len(grown))
            records += grown
        except ProtocolError as error:
            result.error_code = error.code
            result.error_message = error.message
        results.append(result)
    return Decision(
        () if request.validate_only else tuple(records), CreatePartitionsResponse(results=results)
    )


def _grow(
    image: MetadataImage, wanted: CreatePartitionsTopic, ring: Ring, *, so_far: int
) -> list[Payload]:
    """Raises ProtocolError. `so_far` counts the partitions that the request made before."""
    topic = image.topics_by_name.get(wanted.name)
    if topic is None:
        raise ProtocolError(
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {wanted.name!r}"
        )
    present = len(topic.partitions)
    _check_count(topic, wanted.count)
    check_partition_count(so_far + wanted.count - present)
    replicas = _replicas(image, topic, wanted, ring)
    return [
        record_of(topic.topic_id, index, new_partition(image, index, assigned))
        for index, assigned in enumerate(replicas, start=present)
    ]


def _check_count(topic: TopicImage, count: int) -> None:
    present = len(topic.partitions)
    if count <= present:
        raise ProtocolError(
            ErrorCode.INVALID_PARTITIONS,
            f"topic {topic.name} has {present} partitions and cannot be brought to {count}: the "
            "number only grows",
        )


def _replicas(
    image: MetadataImage, topic: TopicImage, wanted: CreatePartitionsTopic, ring: Ring
) -> list[Sequence[int]]:
    """The replicas of each new partition, as assigned or as placed."""
    more = wanted.count - len(topic.partitions)
    factor = len(topic.partitions[0].replicas)
    if wanted.assignments is None:
        return [ring.place(factor) for _ in range(more)]
    if len(wanted.assignments) != more:
        raise ProtocolError(
            ErrorCode.INVALID_REPLICA_ASSIGNMENT,
            f"{more} partitions are to be added and {len(wanted.assignments)} assigned to brokers",
        )
    for assignment in wanted.assignments:
        check_assignment(assignment.broker_ids, image.brokers, factor)
    return [assignment.broker_ids for assignment in wanted.assignments]
