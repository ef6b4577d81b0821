"""An image as records: the shortest log that replays into it."""

from __future__ import annotations

from collections.abc import Iterator

from ottla.metadata.image import BrokerImage, MetadataImage
from ottla.metadata.partition_change import record_of
from ottla.wire.payloads.metadata import (
    BrokerEndpoint,
    BrokerFeature,
    ConfigRecord,
    FeatureLevelRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    TopicRecord,
)
from ottla.wire.schema import Payload

METADATA_VERSION = "metadata.version"
NO_BROKER = -1


def snapshot_records(image: MetadataImage) -> Iterator[Payload]:
    """All records of a snapshot of `image`, which must not lie inside of a transaction.

    The metadata version comes first: it says how to read the rest.
    """
    assert image.transaction is None
    yield from _features(image)
    for broker in image.brokers.values():
        yield registration_record(broker)
    for topic in image.topics_by_name.values():
        yield TopicRecord(name=topic.name, topic_id=topic.topic_id)
        for index, partition in enumerate(topic.partitions):
            yield record_of(topic.topic_id, index, partition)
    for resource, texts in image.configs.items():
        for name, text in texts.items():
            yield ConfigRecord(
                resource_type=resource.type, resource_name=resource.name, name=name, value=text
            )
    if image.next_producer_id:
        yield ProducerIdsRecord(broker_id=NO_BROKER, next_producer_id=image.next_producer_id)
    yield from image.kept.values()


def _features(image: MetadataImage) -> Iterator[Payload]:
    for name in sorted(image.features, key=lambda name: (name != METADATA_VERSION, name)):
        yield FeatureLevelRecord(name=name, feature_level=image.features[name])


def registration_record(broker: BrokerImage) -> RegisterBrokerRecord:
    """The record that tells a broker's registration whole."""
    cordoned = broker.cordoned_directories
    return RegisterBrokerRecord(
        broker_id=broker.node_id,
        incarnation_id=broker.incarnation_id,
        broker_epoch=broker.epoch,
        end_points=[
            BrokerEndpoint(
                name=name,
                host=point.host,
                port=point.port,
                security_protocol=point.security_protocol,
            )
            for name, point in broker.endpoints.items()
        ],
        features=[
            BrokerFeature(
                name=name, min_supported_version=levels.min, max_supported_version=levels.max
            )
            for name, levels in broker.features.items()
        ],
        rack=broker.rack,
        fenced=broker.fenced,
        in_controlled_shutdown=broker.in_controlled_shutdown,
        log_dirs=list(broker.log_directories),
        cordoned_log_dirs=None if cordoned is None else list(cordoned),
    )
