"""AlterReplicaLogDirs: answered once a move is noted; `replica_moves` carries it out."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDirPartitionResult,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopicResult,
)


@handles(AlterReplicaLogDirsRequest, versions="1-2")
def alter_replica_log_dirs(
    request: AlterReplicaLogDirsRequest, call: Call, broker: Broker
) -> AlterReplicaLogDirsResponse:
    """Answer each partition by itself, those of one topic together."""
    results: dict[str, AlterReplicaLogDirTopicResult] = {}
    for directory in request.dirs:
        for topic in directory.topics:
            result = results.setdefault(
                topic.name, AlterReplicaLogDirTopicResult(topic_name=topic.name, partitions=[])
            )
            result.partitions += [
                AlterReplicaLogDirPartitionResult(
                    partition_index=index,
                    error_code=_ask(broker, TopicPartition(topic.name, index), directory.path),
                )
                for index in topic.partitions
            ]
    return AlterReplicaLogDirsResponse(results=list(results.values()))


def _ask(broker: Broker, key: TopicPartition, path: str) -> ErrorCode:
    try:
        broker.moves.ask(key, path)
    except ProtocolError as refused:
        return refused.code
    return ErrorCode.NONE
