"""Which partition of an internal topic keeps a group or a transactional id; made on demand."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import COORDINATED_KEYS_PLACED_MAX
from ottla.broker.log_directories import LogDirectories
from ottla.broker.metadata_service import MetadataService
from ottla.settings import coordinators as keys
from ottla.settings.broker import BrokerSettings
from ottla.settings.engine import Setting
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
)
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS, TRANSACTION_STATE

log = logging.getLogger(__name__)

_HASH_MASK: Final = 0xFFFF_FFFF
_POSITIVE_MASK: Final = 0x7FFF_FFFF


class _Kind(NamedTuple):
    """The settings of an internal topic, and what it differs in from others."""

    partitions: Setting[int]
    replication_factor: Setting[int]
    segment_bytes: Setting[int]
    min_insync_replicas: Setting[int] | None


_KINDS: Final = {
    CONSUMER_OFFSETS: _Kind(
        keys.OFFSETS_TOPIC_NUM_PARTITIONS,
        keys.OFFSETS_TOPIC_REPLICATION_FACTOR,
        keys.OFFSETS_TOPIC_SEGMENT_BYTES,
        None,
    ),
    TRANSACTION_STATE: _Kind(
        keys.TRANSACTION_STATE_LOG_NUM_PARTITIONS,
        keys.TRANSACTION_STATE_LOG_REPLICATION_FACTOR,
        keys.TRANSACTION_STATE_LOG_SEGMENT_BYTES,
        keys.TRANSACTION_STATE_LOG_MIN_ISR,
    ),
}


class InternalTopics:
    """The topics of coordinators in this cluster."""

    def __init__(
        self, metadata: MetadataService, directories: LogDirectories, settings: BrokerSettings
    ) -> None:
        self._metadata = metadata
        self._directories = directories
        self._settings = settings
        self._creating = asyncio.Lock()

    def partition_of(self, topic: str, key: str) -> int:
        """Which partition keeps a key. Raises ProtocolError where the topic is not there."""
        found = self._metadata.image.topics_by_name.get(topic)
        if found is None:
            raise ProtocolError(ErrorCode.NOT_COORDINATOR, f"there is no {topic} yet")
        return partition_for(key, len(found.partitions))

    async def coordinator_of(self, topic: str, key: str) -> int:
        """The node that coordinates a key; the topic is made where it is missing.

        Raises ProtocolError(COORDINATOR_NOT_AVAILABLE).
        """
        await self.ensure(topic)
        index = self.partition_of(topic, key)
        partition = self._metadata.image.topics_by_name[topic].partitions[index]
        if not partition.has_leader:
            raise ProtocolError(
                ErrorCode.COORDINATOR_NOT_AVAILABLE, f"{topic}-{index} has no leader"
            )
        return partition.leader

    async def ensure(self, topic: str) -> None:
        """Make the topic where it is missing. Raises ProtocolError(COORDINATOR_NOT_AVAILABLE)."""
        if topic in self._metadata.image.topics_by_name:
            return
        async with self._creating:
            if topic not in self._metadata.image.topics_by_name:
                await self._create(topic)

    async def _create(self, topic: str) -> None:
        if not self._directories.has_room:
            raise ProtocolError(
                ErrorCode.COORDINATOR_NOT_AVAILABLE, f"the disk has no room for {topic}"
            )
        response = await self._metadata.create_topics(
            CreateTopicsRequest(topics=[self._wanted(topic)])
        )
        (result,) = response.topics
        if result.error_code not in (ErrorCode.NONE, ErrorCode.TOPIC_ALREADY_EXISTS):
            code = ErrorCode(result.error_code)
            log.error(
                "%s could not be created: %s", topic, result.error_message, extra={"error": code}
            )
            raise ProtocolError(ErrorCode.COORDINATOR_NOT_AVAILABLE, f"{topic}: {code.name}")

    def _wanted(self, topic: str) -> CreatableTopic:
        kind = _KINDS[topic]
        live = sum(not broker.fenced for broker in self._metadata.image.brokers.values())
        replicas = min(self._settings[kind.replication_factor], max(live, 1))
        configs = {
            "cleanup.policy": "compact",
            "compression.type": "producer",
            "segment.bytes": str(self._settings[kind.segment_bytes]),
        }
        if kind.min_insync_replicas is not None:
            # A cluster of fewer brokers than that could never commit a transaction.
            wanted = self._settings[kind.min_insync_replicas]
            configs["min.insync.replicas"] = str(min(wanted, replicas))
        return CreatableTopic(
            name=topic,
            num_partitions=self._settings[kind.partitions],
            replication_factor=replicas,
            assignments=[],
            configs=[
                CreatableTopicConfig(name=name, value=value) for name, value in configs.items()
            ],
        )


@lru_cache(COORDINATED_KEYS_PLACED_MAX)
def partition_for(key: str, partitions: int) -> int:
    """As Kafka chooses: the hash of a Java string, made positive by dropping its sign."""
    hashed = 0
    units = key.encode("utf-16-be", "surrogatepass")
    for high, low in zip(units[::2], units[1::2], strict=True):
        hashed = (31 * hashed + (high << 8 | low)) & _HASH_MASK
    return (hashed & _POSITIVE_MASK) % partitions
