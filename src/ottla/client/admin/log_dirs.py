"""Data directories of brokers: what lies in them, and moving replicas between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.outcomes import Answers, Outcomes, check, refusal, verdict
from ottla.client.admin.routes import ToBrokers
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)

_ERRORS_SINCE: Final = 3
"""Before that DescribeLogDirs tells nothing to whom it refuses."""


class ReplicaInfo(Struct, frozen=True, kw_only=True):
    """One replica in a directory."""

    size_bytes: int
    lag: int
    """How many records it is behind: the high watermark, or for a copy the replica itself."""
    is_future: bool
    """Whether it is a copy that will take the place of the replica elsewhere."""


class LogDir(Struct, frozen=True, kw_only=True):
    """One directory; bytes are None where the broker does not tell them."""

    path: str
    error: RefusedError | None
    """KAFKA_STORAGE_ERROR where it cannot be used."""
    total_bytes: int | None
    usable_bytes: int | None
    is_cordoned: bool
    replicas: Mapping[TopicPartition, ReplicaInfo]


class Replica(NamedTuple):
    """A replica of a partition on a broker."""

    broker_id: int
    partition: TopicPartition

    def __str__(self) -> str:
        return f"{self.partition} on broker {self.broker_id}"


class ReplicaPlace(Struct, frozen=True, kw_only=True):
    """Where a replica lies, and where it moves to; None where it does not."""

    path: str | None
    lag: int | None
    future_path: str | None = None
    future_lag: int | None = None


class LogDirs:
    """`admin.log_dirs`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self,
        brokers: Collection[int] | None = None,
        *,
        partitions: Collection[TopicPartition] | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[int, Mapping[str, LogDir]]:
        """The directories of these brokers, or of all, by broker and path.

        With `partitions`, only those are told.
        """
        topics = None
        if partitions is not None:
            topics = [
                DescribableLogDirTopic(topic=topic, partitions=indexes)
                for topic, indexes in by_topic(partitions).items()
            ]

        async def ask(node: Connection) -> Mapping[str, LogDir]:
            request = DescribeLogDirsRequest(topics=topics)
            response = await node.call(request, DescribeLogDirsResponse)
            code = response.error_code
            if not response.results and node.version_of(DescribeLogDirsRequest) < _ERRORS_SINCE:
                code = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
            check(code, None, f"the directories of {node.address}")
            return {told.log_dir: _log_dir(told) for told in response.results}

        return await self._asking.at_brokers(brokers, ask, timeout_s=timeout_s)

    async def find(
        self, *replicas: Replica, timeout_s: float | None = None
    ) -> Outcomes[Replica, ReplicaPlace]:
        """Where replicas lie, and where they move to."""
        told = await self.describe(
            {replica.broker_id for replica in replicas},
            partitions={replica.partition for replica in replicas},
            timeout_s=timeout_s,
        )
        return Outcomes(
            {
                replica: _place(replica.partition, told.done[replica.broker_id])
                for replica in replicas
                if replica.broker_id in told.done
            },
            {
                replica: told.errors[replica.broker_id]
                for replica in replicas
                if replica.broker_id in told.errors
            },
        )

    async def move(
        self, paths: Mapping[Replica, str], *, timeout_s: float | None = None
    ) -> Outcomes[Replica, None]:
        """Let replicas move to other directories of their brokers. The copying goes on behind it:
        `find` tells how far it is.

        For a replica that is not there yet REPLICA_NOT_AVAILABLE is answered, and the wish kept.
        """

        async def ask(node: Connection, items: Sequence[Replica]) -> Answers[Replica, None]:
            broker_id = items[0].broker_id
            wanted: dict[str, list[TopicPartition]] = {}
            for item in items:
                wanted.setdefault(paths[item], []).append(item.partition)
            request = AlterReplicaLogDirsRequest(
                dirs=[
                    AlterReplicaLogDir(
                        path=path,
                        topics=[
                            AlterReplicaLogDirTopic(name=topic, partitions=indexes)
                            for topic, indexes in by_topic(partitions).items()
                        ],
                    )
                    for path, partitions in wanted.items()
                ]
            )
            response = await node.call(request, AlterReplicaLogDirsResponse)
            return {
                (
                    item := Replica(
                        broker_id, TopicPartition(topic.topic_name, told.partition_index)
                    )
                ): verdict(told.error_code, None, item, None)
                for topic in response.results
                for told in topic.partitions
            }

        route = ToBrokers[Replica](self._asking.cluster, lambda replica: replica.broker_id)
        return await self._asking.each(paths, route, ask, timeout_s=timeout_s)


def _log_dir(told: DescribeLogDirsResult) -> LogDir:
    return LogDir(
        path=told.log_dir,
        error=refusal(told.error_code, None, told.log_dir) if told.error_code else None,
        total_bytes=None if told.total_bytes < 0 else told.total_bytes,
        usable_bytes=None if told.usable_bytes < 0 else told.usable_bytes,
        is_cordoned=told.is_cordoned,
        replicas={
            TopicPartition(topic.name, each.partition_index): ReplicaInfo(
                size_bytes=each.partition_size, lag=each.offset_lag, is_future=each.is_future_key
            )
            for topic in told.topics
            for each in topic.partitions
        },
    )


def _place(partition: TopicPartition, directories: Mapping[str, LogDir]) -> ReplicaPlace:
    found = {
        replica.is_future: (path, replica.lag)
        for path, directory in directories.items()
        if (replica := directory.replicas.get(partition)) is not None
    }
    path, lag = found.get(False, (None, None))
    future_path, future_lag = found.get(True, (None, None))
    return ReplicaPlace(path=path, lag=lag, future_path=future_path, future_lag=future_lag)
