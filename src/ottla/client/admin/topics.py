"""Topics: create, delete, list, describe, add partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import Struct

from ottla.base.ids import ZERO_UUID
from ottla.client.admin.asking import Asking
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.outcomes import Answers, Outcomes, verdict
from ottla.client.admin.topic_descriptions import (
    TopicDescription,
    TopicListing,
    TopicPages,
    described,
    listed,
    topics_request,
)
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.create_partitions import (
    CreatePartitionsAssignment,
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.messages.create_topics import (
    CreatableReplicaAssignment,
    CreatableTopic,
    CreatableTopicConfig,
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.describe_topic_partitions import DescribeTopicPartitionsRequest
from ottla.wire.messages.metadata import MetadataResponse

USE_DEFAULT: Final = -1
"""As a number of partitions or replicas: what the broker is set to."""

_DEFAULTS_SINCE: Final = 4
"""The version of CreateTopics from which the broker knows `USE_DEFAULT` (KIP-464)."""
_IDS_SINCE: Final = 6
"""The first version of DeleteTopics that takes ids."""


class NewTopic(Struct, frozen=True, kw_only=True):
    """A topic to create; with `assignments` (replicas by partition) the numbers stay -1."""

    name: str
    partitions: int = USE_DEFAULT
    replication_factor: int = USE_DEFAULT
    configs: Mapping[str, str] = {}
    assignments: Mapping[int, Sequence[int]] = {}


class CreatedTopic(Struct, frozen=True, kw_only=True):
    """A topic as it was made, or would be; what older brokers do not tell is -1, empty, zeros."""

    name: str
    topic_id: bytes = ZERO_UUID
    partitions: int = -1
    replication_factor: int = -1
    configs: Mapping[str, str | None] = {}
    """The settings in force; None for the value of a sensitive one."""


class Topics:
    """`admin.topics`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    # -- changes ---------------------------------------------------------------------------------

    async def create(
        self,
        *topics: NewTopic | str,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, CreatedTopic]:
        """Create, or with `validate_only` only ask whether it would be done; by name.

        A topic given by its name alone has the broker's defaults. One that is there already is
        refused with TOPIC_ALREADY_EXISTS, also where a first try has made it and its answer was
        lost.
        """
        wanted = {topic.name: topic for topic in map(_new_topic, topics)}

        async def ask(node: Connection, names: Sequence[str]) -> Answers[str, CreatedTopic]:
            answers: dict[str, CreatedTopic | RefusedError | UnsupportedByBrokerError] = {}
            if node.version_of(CreateTopicsRequest) < _DEFAULTS_SINCE:
                answers.update(
                    (name, error) for name in names if (error := _lacking(wanted[name])) is not None
                )
            asked = [_creatable(wanted[name]) for name in names if name not in answers]
            if not asked:
                return answers
            request = CreateTopicsRequest(
                topics=asked, timeout_ms=self._asking.patience_ms, validate_only=validate_only
            )
            response = await node.call(request, CreateTopicsResponse)
            for told in response.topics:
                about = f"topic {told.name!r}"
                answers[told.name] = verdict(
                    told.error_code, told.error_message, about, _created(told)
                )
            return answers

        return await self._asking.at_controller(wanted, ask, timeout_s=timeout_s)

    async def delete(self, *names: str, timeout_s: float | None = None) -> Outcomes[str, None]:
        """Delete topics and everything in them, by name."""

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, None]:
            if node.version_of(DeleteTopicsRequest) < _IDS_SINCE:
                request = DeleteTopicsRequest(
                    topic_names=list(items), timeout_ms=self._asking.patience_ms
                )
            else:
                states = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in items]
                request = DeleteTopicsRequest(topics=states, timeout_ms=self._asking.patience_ms)
            response = await node.call(request, DeleteTopicsResponse)
            return {
                told.name or "": verdict(
                    told.error_code, told.error_message, f"topic {told.name!r}", None
                )
                for told in response.responses
            }

        return await self._asking.at_controller(names, ask, timeout_s=timeout_s)

    async def delete_ids(
        self, *topic_ids: bytes, timeout_s: float | None = None
    ) -> Outcomes[bytes, None]:
        """Delete topics by id: never one that was made anew under the same name."""

        async def ask(node: Connection, items: Sequence[bytes]) -> Answers[bytes, None]:
            states = [DeleteTopicState(name=None, topic_id=topic_id) for topic_id in items]
            request = DeleteTopicsRequest(topics=states, timeout_ms=self._asking.patience_ms)
            response = await node.call(request, DeleteTopicsResponse)
            return {
                told.topic_id: verdict(
                    told.error_code, told.error_message, f"topic {told.topic_id.hex()}", None
                )
                for told in response.responses
            }

        return await self._asking.at_controller(topic_ids, ask, timeout_s=timeout_s)

    async def add_partitions(
        self,
        counts: Mapping[str, int],
        *,
        assignments: Mapping[str, Sequence[Sequence[int]]] = {},
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, None]:
        """Let topics have so many partitions in all; by name.

        `assignments` are the replicas of the added partitions, in order; the cluster places those
        of topics that are not in it.
        """

        def wish(name: str) -> CreatePartitionsTopic:
            placed = assignments.get(name)
            return CreatePartitionsTopic(
                name=name,
                count=counts[name],
                assignments=None
                if placed is None
                else [CreatePartitionsAssignment(broker_ids=list(nodes)) for nodes in placed],
            )

        async def ask(node: Connection, names: Sequence[str]) -> Answers[str, None]:
            request = CreatePartitionsRequest(
                topics=[wish(name) for name in names],
                timeout_ms=self._asking.patience_ms,
                validate_only=validate_only,
            )
            response = await node.call(request, CreatePartitionsResponse)
            return {
                told.name: verdict(
                    told.error_code, told.error_message, f"topic {told.name!r}", None
                )
                for told in response.results
            }

        return await self._asking.at_controller(counts, ask, timeout_s=timeout_s)

    # -- questions -------------------------------------------------------------------------------

    async def list(
        self, *, internal: bool = False, timeout_s: float | None = None
    ) -> tuple[TopicListing, ...]:
        """All topics by name; with `internal`, those that brokers keep for themselves, too."""

        async def ask(node: Connection) -> tuple[TopicListing, ...]:
            response = await node.call(topics_request(None), MetadataResponse)
            found = [listed(told) for told in response.topics if internal or not told.is_internal]
            return tuple(sorted(found, key=lambda topic: topic.name))

        return await self._asking.any_one(ask, about="the list of topics", timeout_s=timeout_s)

    async def describe(
        self,
        *names: str,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[str, TopicDescription]:
        """Topics with their partitions, by name. Creates none.

        With `authorized_operations`, what this client may do with them, from Kafka 2.3 on. Where a
        broker serves DescribeTopicPartitions (KIP-966), who else may lead is told, too.
        """

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, TopicDescription]:
            if node.speaks(DescribeTopicPartitionsRequest):
                return await TopicPages(node).describe(
                    items, authorized_operations=authorized_operations
                )
            request = topics_request(items, authorized_operations=authorized_operations)
            response = await node.call(request, MetadataResponse)
            return {told.name or "": described(told) for told in response.topics}

        return await self._asking.at_any(names, ask, timeout_s=timeout_s)

    async def describe_ids(
        self,
        *topic_ids: bytes,
        authorized_operations: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[bytes, TopicDescription]:
        """The same by id, from Kafka 3.1 on."""

        async def ask(node: Connection, items: Sequence[bytes]) -> Answers[bytes, TopicDescription]:
            request = topics_request((), items, authorized_operations=authorized_operations)
            response = await node.call(request, MetadataResponse)
            return {told.topic_id: described(told) for told in response.topics}

        return await self._asking.at_any(topic_ids, ask, timeout_s=timeout_s)


def _new_topic(topic: NewTopic | str) -> NewTopic:
    return NewTopic(name=topic) if isinstance(topic, str) else topic


def _lacking(topic: NewTopic) -> UnsupportedByBrokerError | None:
    """What an old broker has to be told and is not."""
    numbers = (topic.partitions, topic.replication_factor)
    if topic.assignments or USE_DEFAULT not in numbers:
        return None
    return UnsupportedByBrokerError(
        f"this broker needs the numbers of partitions and replicas of topic {topic.name!r}"
    )


def _creatable(topic: NewTopic) -> CreatableTopic:
    return CreatableTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=topic.replication_factor,
        assignments=[
            CreatableReplicaAssignment(partition_index=index, broker_ids=list(replicas))
            for index, replicas in topic.assignments.items()
        ],
        configs=[
            CreatableTopicConfig(name=name, value=value) for name, value in topic.configs.items()
        ],
    )


def _created(told: CreatableTopicResult) -> CreatedTopic:
    return CreatedTopic(
        name=told.name,
        topic_id=told.topic_id,
        partitions=told.num_partitions,
        replication_factor=told.replication_factor,
        configs={
            config.name: None if config.is_sensitive else config.value
            for config in told.configs or ()
        },
    )
