"""DescribeLogDirs: replicas and copies by directory, and the room on each disk."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.log_directory import LogDirectory
from ottla.broker.partition import Partition
from ottla.wire.messages.describe_log_dirs import (
    DescribeLogDirsPartition,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
    DescribeLogDirsTopic,
)

Located = tuple[LogDirectory, str, DescribeLogDirsPartition]


@handles(DescribeLogDirsRequest, versions="1-5")
async def describe_log_dirs(
    request: DescribeLogDirsRequest, call: Call, broker: Broker
) -> DescribeLogDirsResponse:
    """Every directory, with those of its replicas that are asked for."""
    asked = None
    if request.topics is not None:
        asked = {(topic.topic, index) for topic in request.topics for index in topic.partitions}
    directories = broker.replicas.directories
    results = [await _describe(directory) for directory in directories.online]
    topics: dict[tuple[str, str], DescribeLogDirsTopic] = {}
    by_path = {result.log_dir: result for result in results if not result.error_code}
    for directory, topic, described in _located(broker):
        result = by_path.get(directory.path)
        if result is None or not (asked is None or (topic, described.partition_index) in asked):
            continue
        if (directory.path, topic) not in topics:
            topics[directory.path, topic] = DescribeLogDirsTopic(name=topic, partitions=[])
            result.topics.append(topics[directory.path, topic])
        topics[directory.path, topic].partitions.append(described)
    results += [_offline(path) for path in directories.failures]
    return DescribeLogDirsResponse(results=results)


def _located(broker: Broker) -> Iterator[Located]:
    for partition in broker.replicas:
        if partition.offline_reason is None:
            yield partition.directory, partition.topic, _replica(partition)
    for move in broker.moves:
        if move.partition.offline_reason is None:
            copy = DescribeLogDirsPartition(
                partition_index=move.key.partition,
                partition_size=move.size_bytes,
                offset_lag=move.lag,
                is_future_key=True,
            )
            yield move.target, move.key.topic, copy


def _replica(partition: Partition) -> DescribeLogDirsPartition:
    leader, log = partition.leader, partition.log
    high_watermark = log.log_end_offset if leader is None else leader.high_watermark
    return DescribeLogDirsPartition(
        partition_index=partition.index,
        partition_size=log.size_bytes,
        offset_lag=max(high_watermark - log.log_end_offset, 0),
        is_future_key=False,
    )


async def _describe(directory: LogDirectory) -> DescribeLogDirsResult:
    """The directory itself. No disk is cordoned: there is no setting that would do it."""
    disk, path = directory.disk, directory.path
    loop = asyncio.get_running_loop()
    try:
        total = await loop.run_in_executor(None, disk.total_bytes, path)
        usable = await loop.run_in_executor(None, disk.free_bytes, path)
    except OSError as error:
        directory.suspect(error)
        return _offline(path)
    return DescribeLogDirsResult(log_dir=path, topics=[], total_bytes=total, usable_bytes=usable)


def _offline(path: str) -> DescribeLogDirsResult:
    return DescribeLogDirsResult(error_code=ErrorCode.KAFKA_STORAGE_ERROR, log_dir=path, topics=[])
