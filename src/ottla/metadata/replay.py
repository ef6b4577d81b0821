"""Records to the next image: what each record type of the metadata log means.

A `Replay` copies a mapping of the image when a record first changes it, and not before, so that a
small step costs little however large the cluster is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec.structs import replace

from ottla.metadata.image import (
    BrokerImage,
    ConfigResource,
    EndpointImage,
    FeatureRange,
    KeptKey,
    MetadataDelta,
    MetadataImage,
    PartitionImage,
    ResourceType,
    TopicImage,
)
from ottla.metadata.kept import KEPT, REMOVES_KEPT, quota_key
from ottla.metadata.partition_change import merged, partition_of, without_elr
from ottla.wire.payloads.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ClientQuotaRecord,
    ConfigRecord,
    EndTransactionRecord,
    FeatureLevelRecord,
    FenceBrokerRecord,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnfenceBrokerRecord,
    UnregisterBrokerRecord,
    ZkMigrationStateRecord,
)
from ottla.wire.schema import Payload

UNFENCED, FENCED = -1, 1
"""Values of the field `fenced` of a registration change; 0 leaves it as it is."""


class ReplayError(Exception):
    """The log contradicts itself: it is damaged, or a controller was wrong. Nobody may go on."""


def replayed(
    image: MetadataImage, records: Iterable[Payload], *, next_offset: int, epoch: int
) -> tuple[MetadataImage, MetadataDelta]:
    """The image after `records`, which end before `next_offset`, and what they changed."""
    replay = Replay(image)
    replay.all(records)
    return replay.finish(next_offset=next_offset, epoch=epoch)


class Replay:
    """The next image in the making."""

    def __init__(self, image: MetadataImage) -> None:
        self._image = image
        self._pending = image.transaction
        self._copies: dict[str, dict[Any, Any]] = {}
        self._partitions: dict[bytes, dict[int, PartitionImage]] = {}
        self._touched: dict[bytes, set[int]] = {}
        self._created: list[bytes] = []
        self._deleted: list[TopicImage] = []
        self._configs_changed: set[ConfigResource] = set()
        self._brokers_changed: set[int] = set()
        self._kept_changed: set[KeptKey] = set()
        self._next_producer_id = image.next_producer_id

    def all(self, records: Iterable[Payload]) -> None:
        """Replay in order. Raises ReplayError."""
        for record in records:
            self._transactional(record)

    def _transactional(self, record: Payload) -> None:
        """Records inside a transaction wait for its end, which may lie in a later batch."""
        match record:
            case BeginTransactionRecord():
                if self._pending is not None:
                    raise ReplayError("a transaction begins inside of another")
                self._pending = ()
            case EndTransactionRecord():
                pending, self._pending = self._end_transaction(), None
                for waiting in pending:
                    self._one(waiting)
            case AbortTransactionRecord():
                self._end_transaction()
                self._pending = None
            case _ if self._pending is not None:
                self._pending = (*self._pending, record)
            case _:
                self._one(record)

    def _end_transaction(self) -> tuple[Payload, ...]:
        if self._pending is None:
            raise ReplayError("a transaction ends that did not begin")
        return self._pending

    def _one(self, record: Payload) -> None:
        kind = type(record)
        handler = _HANDLERS.get(kind)
        if handler is not None:
            handler(self, record)
        elif kind in KEPT:
            key = KEPT[kind](record)
            self._copy("kept")[key] = record
            self._kept_changed.add(key)
        elif kind in REMOVES_KEPT:
            self._forget_kept(REMOVES_KEPT[kind](record))
        else:
            raise ReplayError(f"nobody knows what a {kind.__name__} means")

    def _copy(self, field: str) -> dict[Any, Any]:
        """The image's mapping of this name, ours to change."""
        copied = self._copies.get(field)
        if copied is None:
            copied = self._copies[field] = dict(getattr(self._image, field))
        return copied

    # ── topics ───────────────────────────────────────────────────────────────────────────────────
    def _topic(self, topic_id: bytes, record: Payload) -> TopicImage:
        topics: Mapping[bytes, TopicImage] = self._copy("topics_by_id")
        topic = topics.get(topic_id)
        if topic is None:
            raise ReplayError(f"no topic for {record!r}")
        return topic

    def _partitions_of(self, topic: TopicImage) -> dict[int, PartitionImage]:
        partitions = self._partitions.get(topic.topic_id)
        if partitions is None:
            partitions = dict(enumerate(topic.partitions))
            self._partitions[topic.topic_id] = partitions
        return partitions

    def topic(self, record: TopicRecord) -> None:
        names = self._copy("topics_by_name")
        if record.name in names:
            raise ReplayError(f"a second topic {record.name}")
        topic = TopicImage(record.name, record.topic_id)
        self._created.append(record.topic_id)
        names[record.name] = self._copy("topics_by_id")[record.topic_id] = topic

    def remove_topic(self, record: RemoveTopicRecord) -> None:
        topic = self._topic(record.topic_id, record)
        del self._copy("topics_by_id")[topic.topic_id]
        del self._copy("topics_by_name")[topic.name]
        self._partitions.pop(topic.topic_id, None)
        self._touched.pop(topic.topic_id, None)
        resource = ConfigResource(ResourceType.TOPIC, topic.name)
        if self._copy("configs").pop(resource, None) is not None:
            self._configs_changed.add(resource)
        before = self._image.topics_by_id.get(topic.topic_id)
        if before is not None:
            self._deleted.append(before)

    def partition(self, record: PartitionRecord) -> None:
        topic = self._topic(record.topic_id, record)
        self._partitions_of(topic)[record.partition_id] = partition_of(record)
        self._touched.setdefault(topic.topic_id, set()).add(record.partition_id)

    def partition_change(self, record: PartitionChangeRecord) -> None:
        topic = self._topic(record.topic_id, record)
        partitions = self._partitions_of(topic)
        before = partitions.get(record.partition_id)
        if before is None:
            raise ReplayError(f"no partition for {record!r}")
        partitions[record.partition_id] = merged(before, record)
        self._touched.setdefault(topic.topic_id, set()).add(record.partition_id)

    def clear_elr(self, record: ClearElrRecord) -> None:
        names: Mapping[str, TopicImage] = self._copy("topics_by_name")
        if record.topic_name and record.topic_name not in names:
            raise ReplayError(f"no topic for {record!r}")
        topics = [names[record.topic_name]] if record.topic_name else list(names.values())
        for topic in topics:
            partitions = self._partitions_of(topic)
            for index, partition in partitions.items():
                if partition.elr or partition.last_known_elr:
                    partitions[index] = without_elr(partition)
                    self._touched.setdefault(topic.topic_id, set()).add(index)

    # ── brokers ──────────────────────────────────────────────────────────────────────────────────
    def register_broker(self, record: RegisterBrokerRecord) -> None:
        self._put_broker(
            BrokerImage(
                node_id=record.broker_id,
                epoch=record.broker_epoch,
                incarnation_id=record.incarnation_id,
                endpoints={
                    point.name: EndpointImage(point.host, point.port, point.security_protocol)
                    for point in record.end_points
                },
                rack=record.rack,
                fenced=record.fenced,
                in_controlled_shutdown=record.in_controlled_shutdown,
                features={
                    feature.name: FeatureRange(
                        feature.min_supported_version, feature.max_supported_version
                    )
                    for feature in record.features
                },
                log_directories=tuple(record.log_dirs),
                cordoned_directories=(
                    None if record.cordoned_log_dirs is None else tuple(record.cordoned_log_dirs)
                ),
            )
        )

    def unregister_broker(self, record: UnregisterBrokerRecord) -> None:
        self._broker(record.broker_id, record.broker_epoch, record)
        del self._copy("brokers")[record.broker_id]
        self._brokers_changed.add(record.broker_id)

    def change_broker(self, record: BrokerRegistrationChangeRecord) -> None:
        broker = self._broker(record.broker_id, record.broker_epoch, record)
        if record.fenced:
            broker = replace(broker, fenced=record.fenced == FENCED)
        if record.in_controlled_shutdown:
            broker = replace(broker, in_controlled_shutdown=True)
        if record.log_dirs:
            broker = replace(broker, log_directories=tuple(record.log_dirs))
        if record.cordoned_log_dirs is not None:
            broker = replace(broker, cordoned_directories=tuple(record.cordoned_log_dirs))
        self._put_broker(broker)

    def fence_broker(self, record: FenceBrokerRecord) -> None:
        self._put_broker(replace(self._broker(record.id, record.epoch, record), fenced=True))

    def unfence_broker(self, record: UnfenceBrokerRecord) -> None:
        self._put_broker(replace(self._broker(record.id, record.epoch, record), fenced=False))

    def _broker(self, node_id: int, epoch: int, record: Payload) -> BrokerImage:
        brokers: Mapping[int, BrokerImage] = self._copy("brokers")
        broker = brokers.get(node_id)
        if broker is None or broker.epoch != epoch:
            raise ReplayError(f"no such incarnation of a broker for {record!r}")
        return broker

    def _put_broker(self, broker: BrokerImage) -> None:
        self._copy("brokers")[broker.node_id] = broker
        self._brokers_changed.add(broker.node_id)

    # ── the rest ─────────────────────────────────────────────────────────────────────────────────
    def config(self, record: ConfigRecord) -> None:
        resource = ConfigResource(record.resource_type, record.resource_name)
        configs: dict[ConfigResource, dict[str, str]] = self._copy("configs")
        texts = dict(configs.get(resource, {}))
        if record.value is None:
            texts.pop(record.name, None)
        else:
            texts[record.name] = record.value
        configs[resource] = texts
        if not texts:
            del configs[resource]
        self._configs_changed.add(resource)

    def feature_level(self, record: FeatureLevelRecord) -> None:
        features = self._copy("features")
        features[record.name] = record.feature_level
        if record.feature_level == 0:
            del features[record.name]

    def producer_ids(self, record: ProducerIdsRecord) -> None:
        if record.next_producer_id < self._next_producer_id:
            raise ReplayError(f"producer ids were given before: {record!r}")
        self._next_producer_id = record.next_producer_id

    def client_quota(self, record: ClientQuotaRecord) -> None:
        key = quota_key(record)
        if record.remove:
            self._forget_kept(key)
            return
        self._copy("kept")[key] = record
        self._kept_changed.add(key)

    def nothing(self, record: Payload) -> None:
        """Records that only move the end of the log, or that tell of a finished migration."""

    def _forget_kept(self, key: KeptKey) -> None:
        self._copy("kept").pop(key, None)
        self._kept_changed.add(key)

    # ── the result ───────────────────────────────────────────────────────────────────────────────
    def finish(self, *, next_offset: int, epoch: int) -> tuple[MetadataImage, MetadataDelta]:
        """The image, and what it changed. Raises ReplayError."""
        for topic_id in self._partitions:
            self._freeze(topic_id)
        image = replace(
            self._image,
            next_offset=next_offset,
            epoch=epoch,
            next_producer_id=self._next_producer_id,
            transaction=self._pending,
            **self._copies,
        )
        topics = image.topics_by_id
        delta = MetadataDelta(
            topics_created=tuple(topics[made] for made in self._created if made in topics),
            topics_deleted=tuple(self._deleted),
            partitions_changed={
                topic_id: tuple(sorted(indexes)) for topic_id, indexes in self._touched.items()
            },
            configs_changed=frozenset(self._configs_changed),
            brokers_changed=frozenset(self._brokers_changed),
            features_changed="features" in self._copies,
            kept_changed=frozenset(self._kept_changed),
        )
        return image, delta

    def _freeze(self, topic_id: bytes) -> None:
        """Put a topic's partitions in their order into both mappings."""
        partitions = self._partitions[topic_id]
        topics = self._copy("topics_by_id")
        topic: TopicImage = topics[topic_id]
        if sorted(partitions) != list(range(len(partitions))):
            raise ReplayError(f"partitions are missing between those of {topic.name}")
        topic = replace(topic, partitions=tuple(partitions[n] for n in range(len(partitions))))
        topics[topic_id] = self._copy("topics_by_name")[topic.name] = topic


_HANDLERS: dict[type[Payload], Callable[[Replay, Any], None]] = {
    RegisterBrokerRecord: Replay.register_broker,
    UnregisterBrokerRecord: Replay.unregister_broker,
    BrokerRegistrationChangeRecord: Replay.change_broker,
    FenceBrokerRecord: Replay.fence_broker,
    UnfenceBrokerRecord: Replay.unfence_broker,
    TopicRecord: Replay.topic,
    RemoveTopicRecord: Replay.remove_topic,
    PartitionRecord: Replay.partition,
    PartitionChangeRecord: Replay.partition_change,
    ClearElrRecord: Replay.clear_elr,
    ConfigRecord: Replay.config,
    FeatureLevelRecord: Replay.feature_level,
    ProducerIdsRecord: Replay.producer_ids,
    ClientQuotaRecord: Replay.client_quota,
    NoOpRecord: Replay.nothing,
    ZkMigrationStateRecord: Replay.nothing,
}
