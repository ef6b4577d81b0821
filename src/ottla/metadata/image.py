"""What the metadata log says, as immutable values.

`replay.replayed` turns records into the next image and tells what changed; everything that holds
an image may keep it and compare by identity.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from ottla.base.ids import NO_LEADER
from ottla.wire.schema import Payload

EMPTY: Mapping[Any, Any] = MappingProxyType({})


class ResourceType(IntEnum):
    """What a configuration belongs to, by the protocol's numbers."""

    UNKNOWN = 0
    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


class ConfigResource(NamedTuple):
    """The owner of a configuration; the broker named "" is every broker."""

    type: int
    name: str


ALL_BROKERS = ConfigResource(ResourceType.BROKER, "")


class LeaderRecovery(IntEnum):
    """Whether a leader may lack acknowledged records (KIP-704)."""

    RECOVERED = 0
    RECOVERING = 1


class PartitionImage(Struct, frozen=True, kw_only=True, gc=False):
    """One partition.

    `partition_epoch` grows with every change, `leader_epoch` with every change of leader.
    `elr` are replicas outside of `isr` that hold all that was acknowledged (KIP-966).
    """

    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader: int
    leader_epoch: int
    partition_epoch: int
    leader_recovery: int = LeaderRecovery.RECOVERED
    adding: tuple[int, ...] = ()
    removing: tuple[int, ...] = ()
    elr: tuple[int, ...] = ()
    last_known_elr: tuple[int, ...] = ()
    directories: tuple[bytes, ...] = ()

    @property
    def has_leader(self) -> bool:
        return self.leader != NO_LEADER

    def directory_of(self, node_id: int) -> bytes | None:
        """The id of the data directory that a replica lies in; None for no replica."""
        if node_id not in self.replicas or not self.directories:
            return None
        return self.directories[self.replicas.index(node_id)]


class TopicImage(Struct, frozen=True):
    """One topic; `partitions` by their index."""

    name: str
    topic_id: bytes
    partitions: tuple[PartitionImage, ...] = ()


class EndpointImage(NamedTuple):
    """Where a broker's listener is reached."""

    host: str
    port: int
    security_protocol: int


class FeatureRange(NamedTuple):
    """The levels of a feature that a node supports, both inclusive."""

    min: int
    max: int


class BrokerImage(Struct, frozen=True, kw_only=True):
    """One registered broker; it serves clients unless it is fenced."""

    node_id: int
    epoch: int
    incarnation_id: bytes
    endpoints: Mapping[str, EndpointImage]
    rack: str | None = None
    fenced: bool = True
    in_controlled_shutdown: bool = False
    features: Mapping[str, FeatureRange] = EMPTY
    log_directories: tuple[bytes, ...] = ()
    cordoned_directories: tuple[bytes, ...] | None = None

    @property
    def electable(self) -> bool:
        """Whether it may lead and be in sync."""
        return not self.fenced and not self.in_controlled_shutdown


KeptKey = tuple[str | int | bytes | None, ...]


class MetadataImage(Struct, frozen=True, kw_only=True):
    """All metadata after every record before `next_offset`.

    `epoch` is that of the last batch. `kept` holds the records whose owners read them themselves
    (credentials, ACLs, quotas, tokens, controllers), by what they are about. `transaction` holds
    the records of a metadata transaction that has not ended (KIP-868).
    """

    cluster_id: str
    next_offset: int = 0
    epoch: int = 0
    topics_by_name: Mapping[str, TopicImage] = EMPTY
    topics_by_id: Mapping[bytes, TopicImage] = EMPTY
    brokers: Mapping[int, BrokerImage] = EMPTY
    configs: Mapping[ConfigResource, Mapping[str, str]] = EMPTY
    features: Mapping[str, int] = EMPTY
    next_producer_id: int = 0
    kept: Mapping[KeptKey, Payload] = EMPTY
    transaction: tuple[Payload, ...] | None = None

    def has_partition(self, topic: str, index: int) -> bool:
        """Whether the cluster has this partition."""
        known = self.topics_by_name.get(topic)
        return known is not None and 0 <= index < len(known.partitions)

    def topic_configs(self, name: str) -> Mapping[str, str]:
        """What a topic sets itself."""
        return self.configs.get(ConfigResource(ResourceType.TOPIC, name), EMPTY)

    def broker_configs(self, node_id: int | None) -> Mapping[str, str]:
        """What is set dynamically for one broker; with None, for all."""
        name = "" if node_id is None else str(node_id)
        return self.configs.get(ConfigResource(ResourceType.BROKER, name), EMPTY)


class MetadataDelta(Struct, frozen=True, kw_only=True):
    """What one step changed.

    A topic that was deleted and created again in one step is in both sets, under different ids.
    `partitions_changed` has the new and the changed partitions of topics that exist, by topic id.
    """

    topics_created: tuple[TopicImage, ...] = ()
    topics_deleted: tuple[TopicImage, ...] = ()
    partitions_changed: Mapping[bytes, tuple[int, ...]] = EMPTY
    configs_changed: frozenset[ConfigResource] = frozenset()
    brokers_changed: frozenset[int] = frozenset()
    features_changed: bool = False
    kept_changed: frozenset[KeptKey] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nobody needs to look."""
        return self == _NOTHING


_NOTHING = MetadataDelta()
