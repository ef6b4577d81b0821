"""Creating and deleting topics: decisions with Kafka's answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import RESERVED_UUIDS, ZERO_UUID, format_uuid
from ottla.base.world import Rng
from ottla.metadata.assignments import check_assignment, new_partition
from ottla.metadata.configs import check_topic_configs, cluster_topic_settings
from ottla.metadata.decision import Decision, TakePermits, without_quota
from ottla.metadata.image import MetadataImage, PartitionImage, ResourceType, TopicImage
from ottla.metadata.names import CLUSTER_METADATA, check_topic_name, collision_key
from ottla.metadata.partition_change import record_of
from ottla.metadata.placement import Ring
from ottla.settings import broker, topic
from ottla.settings.broker import BrokerSettings
from ottla.settings.topic import TopicSettings
from ottla.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfigs,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)
from ottla.wire.payloads.metadata import ConfigRecord, RemoveTopicRecord, TopicRecord
from ottla.wire.schema import Payload

PARTITIONS_PER_REQUEST_MAX: Final = 10_000
"""More would make one batch of the metadata log too large."""

USE_DEFAULT: Final = -1


class NewTopic(Struct, frozen=True):
    """A topic that passed every check, with what it sets itself."""

    name: str
    topic_id: bytes
    partitions: Sequence[PartitionImage]
    texts: Mapping[str, str]

    def records(self) -> list[Payload]:
        configs = [
            ConfigRecord(
                resource_type=ResourceType.TOPIC, resource_name=self.name, name=name, value=text
            )
            for name, text in self.texts.items()
        ]
        partitions = [
            record_of(self.topic_id, index, partition)
            for index, partition in enumerate(self.partitions)
        ]
        return [TopicRecord(name=self.name, topic_id=self.topic_id), *configs, *partitions]


class _Planner:
    """What the topics of one request have in common."""

    def __init__(
        self, image: MetadataImage, settings: BrokerSettings, rng: Rng, take: TakePermits
    ) -> None:
        self.image = image
        self.take_permits = take
        self.settings = settings
        self.topics = cluster_topic_settings(image, settings)
        self.ring = Ring(image.brokers.values(), rng)
        self.rng = rng
        self.taken = {collision_key(name): name for name in image.topics_by_name}

    def plan(self, request: CreatableTopic) -> NewTopic:
        """Raises ProtocolError for the first rule that is broken, in the order of Kafka's own."""
        self._check_name(request.name)
        given = {config.name: config.value for config in request.configs}
        texts = check_topic_configs(given, self.topics)
        partitions = self._assigned(request) if request.assignments else self._placed(request)
        self.take_permits(len(partitions))
        topic_id = new_topic_id(self.image, self.rng)
        return NewTopic(request.name, topic_id, partitions, texts)

    def _check_name(self, name: str) -> None:
        if name == CLUSTER_METADATA:
            raise ProtocolError(
                ErrorCode.INVALID_REQUEST, f"{name} is the cluster's own log and cannot be created"
            )
        check_topic_name(name)
        if name in self.image.topics_by_name:
            raise ProtocolError(ErrorCode.TOPIC_ALREADY_EXISTS, f"topic {name!r} already exists")
        other = self.taken.get(collision_key(name))
        if other is not None:
            raise ProtocolError(
                ErrorCode.INVALID_TOPIC_EXCEPTION,
                f"the name {name!r} is too close to the topic {other!r}: metrics write '.' as '_'",
            )

    def _placed(self, request: CreatableTopic) -> list[PartitionImage]:
        factor, count = request.replication_factor, request.num_partitions
        if factor < USE_DEFAULT or factor == 0:
            raise ProtocolError(
                ErrorCode.INVALID_REPLICATION_FACTOR,
                f"a partition cannot have {factor} replicas: give 1 or more, or -1 for the default",
            )
        if count < USE_DEFAULT or count == 0:
            raise ProtocolError(
                ErrorCode.INVALID_PARTITIONS,
                f"a topic cannot have {count} partitions: give 1 or more, or -1 for the default",
            )
        if factor == USE_DEFAULT:
            factor = self.settings[broker.DEFAULT_REPLICATION_FACTOR]
        return [
            new_partition(self.image, index, self.ring.place(factor))
            for index in range(partition_count(request, self.settings))
        ]

    def _assigned(self, request: CreatableTopic) -> list[PartitionImage]:
        if request.replication_factor != USE_DEFAULT:
            raise ProtocolError(
                ErrorCode.INVALID_REQUEST,
                "partitions are assigned to brokers by hand, so the replication factor is -1, not "
                f"{request.replication_factor}",
            )
        if request.num_partitions != USE_DEFAULT:
            raise ProtocolError(
                ErrorCode.INVALID_REQUEST,
                "partitions are assigned to brokers by hand, so their number is -1, not "
                f"{request.num_partitions}",
            )
        replicas = _by_index(request.assignments)
        factor = None
        for index in sorted(replicas):
            check_assignment(replicas[index], self.image.brokers, factor)
            factor = len(replicas[index])
        if sorted(replicas) != list(range(len(replicas))):
            raise ProtocolError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"partitions are numbered from 0 without a gap, not {sorted(replicas)}",
            )
        return [new_partition(self.image, index, replicas[index]) for index in range(len(replicas))]


def _by_index(assignments: Iterable[CreatableReplicaAssignment]) -> dict[int, list[int]]:
    replicas: dict[int, list[int]] = {}
    for assignment in assignments:
        if assignment.partition_index in replicas:
            raise ProtocolError(
                ErrorCode.INVALID_REPLICA_ASSIGNMENT,
                f"partition {assignment.partition_index} is assigned to brokers twice",
            )
        replicas[assignment.partition_index] = assignment.broker_ids
    return replicas


def new_topic_id(image: MetadataImage, rng: Rng) -> bytes:
    """A random id that is free, not reserved, and does not begin with a hyphen when printed."""
    while True:
        topic_id = rng.uuid()
        taken = topic_id in RESERVED_UUIDS or topic_id in image.topics_by_id
        looks_like_an_option = topic_id[0] >> 2 == _HYPHEN
        if not taken and not looks_like_an_option:
            return topic_id


_HYPHEN = 62
"""The six bits that URL-safe base64 prints as a hyphen."""


def check_partition_count(total: int) -> None:
    """Raises ProtocolError(POLICY_VIOLATION) where one request wants too many."""
    if total > PARTITIONS_PER_REQUEST_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION,
            f"one request makes at most {PARTITIONS_PER_REQUEST_MAX} partitions, and this one asks "
            f"for {total}: split it",
        )


def check_named_once(times: int, *, by: str = "name") -> None:
    """Raises ProtocolError(INVALID_REQUEST): one request says one thing about one topic."""
    if times > 1:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, f"a topic {by} is given {times} times in one request"
        )


def partition_count(request: CreatableTopic, settings: BrokerSettings) -> int:
    """How many partitions a topic asks for."""
    if request.assignments:
        return len(request.assignments)
    if request.num_partitions == USE_DEFAULT:
        return settings[broker.NUM_PARTITIONS]
    return max(request.num_partitions, 0)


def decide_create_topics(
    image: MetadataImage,
    request: CreateTopicsRequest,
    *,
    settings: BrokerSettings,
    rng: Rng,
    take_permits: TakePermits = without_quota,
) -> Decision[CreateTopicsResponse]:
    """Create topics, each for itself; with `validate_only` only the answers are made."""
    named = Counter(wanted.name for wanted in request.topics)
    total = sum(partition_count(wanted, settings) for wanted in request.topics)
    planner = _Planner(image, settings, rng, take_permits)
    records: list[Payload] = []
    results = []
    for wanted in {wanted.name: wanted for wanted in request.topics}.values():
        try:
            check_partition_count(total)
            check_named_once(named[wanted.name])
            made = planner.plan(wanted)
        except ProtocolError as error:
            results.append(
                CreatableTopicResult(
                    name=wanted.name, error_code=error.code, error_message=error.message
                )
            )
            continue
        records += made.records()
        results.append(_created(made, planner.topics))
    return Decision(
        () if request.validate_only else tuple(records), CreateTopicsResponse(topics=results)
    )


def _created(made: NewTopic, settings: TopicSettings) -> CreatableTopicResult:
    return CreatableTopicResult(
        name=made.name,
        topic_id=made.topic_id,
        num_partitions=len(made.partitions),
        replication_factor=len(made.partitions[0].replicas),
        configs=_effective_configs(made.texts, settings),
    )


def _effective_configs(
    texts: Mapping[str, str], settings: TopicSettings
) -> list[CreatableTopicConfigs]:
    """All settings of a new topic, by name, with where each comes from (KIP-525)."""
    configs = []
    for setting in sorted(topic.SETTINGS, key=lambda setting: setting.name):
        resolved = settings.resolve(setting, texts)
        configs.append(
            CreatableTopicConfigs(
                name=setting.name,
                value=resolved.text,
                config_source=resolved.source,
                is_sensitive=setting.sensitive,
            )
        )
    return configs


def decide_delete_topics(
    image: MetadataImage,
    request: DeleteTopicsRequest,
    *,
    settings: BrokerSettings,
    version: int,
    take_permits: TakePermits = without_quota,
) -> Decision[DeleteTopicsResponse]:
    """Delete topics by name or, from version 6 on, by id."""
    wanted: list[tuple[str | None, bytes]]
    if version in NAMES_ONLY:
        wanted = [(name, bytes(ZERO_UUID)) for name in request.topic_names]
    else:
        wanted = [(state.name, state.topic_id) for state in request.topics]
    if not settings[broker.DELETE_TOPIC_ENABLE]:
        return Decision((), _deletion_disabled(wanted, version))
    given = Counter(wanted)
    meant = Counter(_id_of(image, *which) for which in given)
    records: list[Payload] = []
    results = []
    for name, topic_id in given:
        known = _id_of(image, name, topic_id)
        if known is not None and meant[known] > 1:
            results += _meant_twice(name, known)
            continue
        try:
            check_named_once(given[name, topic_id], by="id" if name is None else "name")
            doomed = _find(image, name, topic_id)
            take_permits(len(doomed.partitions))
        except ProtocolError as error:
            results.append(_not_deleted(name, topic_id, error.code, error.message))
            continue
        records.append(RemoveTopicRecord(topic_id=doomed.topic_id))
        results.append(DeletableTopicResult(name=doomed.name, topic_id=doomed.topic_id))
    return Decision(tuple(records), DeleteTopicsResponse(responses=results))


NAMES_ONLY: Final = range(6)
"""Versions of DeleteTopics that know no ids."""

_DISABLED_IS_INVALID: Final = range(3)
"""Versions of DeleteTopics that have no code of their own for it."""


def _deletion_disabled(
    wanted: Sequence[tuple[str | None, bytes]], version: int
) -> DeleteTopicsResponse:
    code = ErrorCode.TOPIC_DELETION_DISABLED
    if version in _DISABLED_IS_INVALID:
        code = ErrorCode.INVALID_REQUEST
    return DeleteTopicsResponse(
        responses=[
            _not_deleted(name, topic_id, code, "delete.topic.enable=false: topics stay")
            for name, topic_id in wanted
        ]
    )


def _not_deleted(
    name: str | None, topic_id: bytes, code: ErrorCode, message: str
) -> DeletableTopicResult:
    return DeletableTopicResult(
        name=name, topic_id=topic_id, error_code=code, error_message=message
    )


def _id_of(image: MetadataImage, name: str | None, topic_id: bytes) -> bytes | None:
    """The id that is meant, by itself or by name; None for an unknown name."""
    if name is None:
        return topic_id
    found = image.topics_by_name.get(name)
    return None if found is None else found.topic_id


def _meant_twice(name: str | None, topic_id: bytes) -> list[DeletableTopicResult]:
    """A topic that is meant by its name and by its id gets one answer, under its name."""
    if name is None:
        return []
    reason = f"topic {name!r} is given by its name and by its id in one request"
    return [_not_deleted(name, topic_id, ErrorCode.INVALID_REQUEST, reason)]


def _find(image: MetadataImage, name: str | None, topic_id: bytes) -> TopicImage:
    """Raises ProtocolError where a topic is meant in no way, in two ways, or does not exist."""
    if name is None:
        return _find_by_id(image, topic_id)
    if topic_id != ZERO_UUID:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, f"give topic {name!r} by its name or by its id, not by both"
        )
    by_name = image.topics_by_name.get(name)
    if by_name is None:
        raise ProtocolError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name!r}")
    return by_name


def _find_by_id(image: MetadataImage, topic_id: bytes) -> TopicImage:
    if topic_id == ZERO_UUID:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, "a topic is given by neither name nor id")
    by_id = image.topics_by_id.get(topic_id)
    if by_id is None:
        raise ProtocolError(
            ErrorCode.UNKNOWN_TOPIC_ID, f"there is no topic with the id {format_uuid(topic_id)}"
        )
    return by_id
