"""DescribeLogDirs (key 35): what lies in the data directories of a broker (KIP-113).

Versions: 1 answers before it throttles · 2 flexible · 3 has an error of the whole request · 4 tells
the size and the room of each directory (KIP-827) · 5 whether new replicas go there (KIP-1066).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    NullableArray,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=35, versions="1-5", flexible="2+")
class DescribeLogDirsRequest(Message, kw_only=True):
    """The partitions that are asked about; null for all."""

    topics: NullableArray[DescribableLogDirTopic] = None


class DescribableLogDirTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    topic: String
    partitions: Array[Int32] = []


@message(key=35, versions="1-5", flexible="2+")
class DescribeLogDirsResponse(Message, kw_only=True):
    """All directories; none where the client may not see them."""

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(3), ignorable] = 0
    results: Array[DescribeLogDirsResult] = []


class DescribeLogDirsResult(Structure, kw_only=True):
    """One directory: KAFKA_STORAGE_ERROR where it cannot be used. -1 for bytes nobody knows."""

    error_code: Int16 = 0
    log_dir: String
    topics: Array[DescribeLogDirsTopic] = []
    total_bytes: Annotated[Int64, since(4), ignorable] = -1
    usable_bytes: Annotated[Int64, since(4), ignorable] = -1
    is_cordoned: Annotated[Bool, since(5), ignorable] = False


class DescribeLogDirsTopic(Structure, kw_only=True):
    """The replicas of one topic in a directory."""

    name: String
    partitions: Array[DescribeLogDirsPartition] = []


class DescribeLogDirsPartition(Structure, kw_only=True):
    """One replica, or a copy that is to take its place."""

    partition_index: Int32
    partition_size: Int64
    """Bytes of its log files."""
    offset_lag: Int64
    """How far it is behind: the high watermark, or for a copy the replica itself."""
    is_future_key: Bool
    """Whether it is a copy that is not complete."""
