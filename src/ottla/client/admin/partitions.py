"""Who leads partitions and which brokers hold them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.outcomes import Answers, Outcomes, check, verdict
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    PartitionResult,
    TopicPartitions,
)
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)


class Election(IntEnum):
    """Who may be elected."""

    PREFERRED = 0
    """The first replica, where it is in sync."""
    UNCLEAN = 1
    """Any live replica where none in sync is left: records may be lost."""


class Reassignment(Struct, frozen=True, kw_only=True):
    """A partition that moves."""

    replicas: tuple[int, ...]
    """Old and new ones together."""
    adding: tuple[int, ...]
    removing: tuple[int, ...]


class Partitions:
    """`admin.partitions`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def elect_leaders(
        self,
        partitions: Collection[TopicPartition] | None = None,
        *,
        election: Election = Election.PREFERRED,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, bool]:
        """Let partitions elect their leaders, or all that need it where None (Kafka 2.2).

        The result is whether another one leads now: false where the right one does already.
        UNCLEAN needs Kafka 2.4.
        """
        if partitions is None:
            return await self._elect_all(election, timeout_s)

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, bool]:
            return await self._elect(node, items, election)

        return await self._asking.at_controller(partitions, ask, timeout_s=timeout_s)

    async def _elect_all(
        self, election: Election, timeout_s: float | None
    ) -> Outcomes[TopicPartition, bool]:
        async def ask(node: Connection) -> Answers[TopicPartition, bool]:
            return await self._elect(node, None, election)

        told = await self._asking.controller_one(
            ask, about="the election of leaders", timeout_s=timeout_s
        )
        return Outcomes.of(told)

    async def _elect(
        self, node: Connection, items: Collection[TopicPartition] | None, election: Election
    ) -> Answers[TopicPartition, bool]:
        request = ElectLeadersRequest(
            election_type=election,
            topic_partitions=None
            if items is None
            else [
                TopicPartitions(topic=topic, partitions=indexes)
                for topic, indexes in by_topic(items).items()
            ],
            timeout_ms=self._asking.patience_ms,
        )
        response = await node.call(request, ElectLeadersResponse)
        check(response.error_code, None, "the election of leaders")
        return {
            (item := TopicPartition(topic.topic, told.partition_id)): _elected(told, item)
            for topic in response.replica_election_results
            for told in topic.partition_result
        }

    async def reassign(
        self,
        replicas: Mapping[TopicPartition, Sequence[int] | None],
        *,
        allow_replication_factor_change: bool = True,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, None]:
        """Let brokers take over partitions, the preferred leader first (Kafka 2.4).

        None cancels what goes on. The moving itself goes on behind it: `list_reassignments`.
        """

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, None]:
            request = AlterPartitionReassignmentsRequest(
                timeout_ms=self._asking.patience_ms,
                allow_replication_factor_change=allow_replication_factor_change,
                topics=[
                    ReassignableTopic(
                        name=topic,
                        partitions=[
                            _reassignable(index, replicas[TopicPartition(topic, index)])
                            for index in indexes
                        ],
                    )
                    for topic, indexes in by_topic(items).items()
                ],
            )
            response = await node.call(request, AlterPartitionReassignmentsResponse)
            check(response.error_code, response.error_message, "the reassignments")
            return {
                (item := TopicPartition(topic.name, told.partition_index)): verdict(
                    told.error_code, told.error_message, item, None
                )
                for topic in response.responses
                for told in topic.partitions
            }

        return await self._asking.at_controller(replicas, ask, timeout_s=timeout_s)

    async def list_reassignments(
        self,
        partitions: Collection[TopicPartition] | None = None,
        *,
        timeout_s: float | None = None,
    ) -> dict[TopicPartition, Reassignment]:
        """Which of these partitions, or of all, move now (Kafka 2.4)."""

        async def ask(node: Connection) -> dict[TopicPartition, Reassignment]:
            request = ListPartitionReassignmentsRequest(
                timeout_ms=self._asking.patience_ms,
                topics=None
                if partitions is None
                else [
                    ListPartitionReassignmentsTopics(name=topic, partition_indexes=indexes)
                    for topic, indexes in by_topic(partitions).items()
                ],
            )
            response = await node.call(request, ListPartitionReassignmentsResponse)
            check(response.error_code, response.error_message, "the reassignments")
            return {
                TopicPartition(topic.name, told.partition_index): Reassignment(
                    replicas=tuple(told.replicas),
                    adding=tuple(told.adding_replicas),
                    removing=tuple(told.removing_replicas),
                )
                for topic in response.topics
                for told in topic.partitions
            }

        return await self._asking.controller_one(
            ask, about="the reassignments", timeout_s=timeout_s
        )


def _elected(told: PartitionResult, item: TopicPartition) -> bool | RefusedError:
    if told.error_code == ErrorCode.ELECTION_NOT_NEEDED:
        return False
    return verdict(told.error_code, told.error_message, item, True)  # a result


def _reassignable(index: int, replicas: Sequence[int] | None) -> ReassignablePartition:
    return ReassignablePartition(
        partition_index=index, replicas=None if replicas is None else [*replicas]
    )
