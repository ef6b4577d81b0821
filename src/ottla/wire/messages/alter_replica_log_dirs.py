"""AlterReplicaLogDirs (key 34): bring replicas to other data directories of a broker (KIP-113).

Versions: 1 answers before it throttles · 2 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Message, String, Structure, message


@message(key=34, versions="1-2", flexible="2+")
class AlterReplicaLogDirsRequest(Message, kw_only=True):
    """Directories, and what is to lie in each."""

    dirs: Array[AlterReplicaLogDir] = []


class AlterReplicaLogDir(Structure, kw_only=True):
    """What is to lie in one directory."""

    path: String
    topics: Array[AlterReplicaLogDirTopic] = []


class AlterReplicaLogDirTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[Int32] = []


@message(key=34, versions="1-2", flexible="2+")
class AlterReplicaLogDirsResponse(Message, kw_only=True):
    """What became of each wish; the copying goes on behind it."""

    throttle_time_ms: Int32 = 0
    results: Array[AlterReplicaLogDirTopicResult] = []


class AlterReplicaLogDirTopicResult(Structure, kw_only=True):
    """The partitions of one topic."""

    topic_name: String
    partitions: Array[AlterReplicaLogDirPartitionResult] = []


class AlterReplicaLogDirPartitionResult(Structure, kw_only=True):
    """LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR for a directory or replica that is offline,
    REPLICA_NOT_AVAILABLE for a replica that is not here yet (the wish is kept),
    UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION for a name too long to move.
    """

    partition_index: Int32
    error_code: Int16 = 0
