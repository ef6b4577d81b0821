"""Images and their changes, where the golden log has no example."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.metadata.features import decide_bootstrap, unsupported_features
from ottla.metadata.image import MetadataImage
from ottla.metadata.producer_ids import BLOCK_LENGTH, decide_allocate_producer_ids
from ottla.metadata.replay import ReplayError, replayed
from ottla.metadata.snapshot import snapshot_records
from ottla.wire.payloads.metadata import (
    AbortTransactionRecord,
    BeginTransactionRecord,
    ClientQuotaRecord,
    EndTransactionRecord,
    EntityData,
    FeatureLevelRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnfenceBrokerRecord,
)
from ottla.wire.schema import Payload
from tests.support.cluster import Cluster, wanted

EMPTY = MetadataImage(cluster_id="cluster")
TOPIC_ID = bytes(range(16))
TOPIC = TopicRecord(name="orders", topic_id=TOPIC_ID)


def partition(index: int) -> PartitionRecord:
    return PartitionRecord(
        partition_id=index,
        topic_id=TOPIC_ID,
        replicas=[1],
        isr=[1],
        removing_replicas=[],
        adding_replicas=[],
        leader=1,
        leader_epoch=0,
        partition_epoch=0,
    )


def apply(image: MetadataImage, *records: Payload) -> MetadataImage:
    return replayed(image, records, next_offset=image.next_offset + len(records), epoch=1)[0]


def test_an_image_never_changes() -> None:
    before = apply(EMPTY, TOPIC, partition(0))
    apply(before, partition(1), FeatureLevelRecord(name="f", feature_level=1))
    assert len(before.topics_by_name["orders"].partitions) == 1
    assert before.features == {}


def test_a_topic_made_and_removed_in_one_step_leaves_nothing() -> None:
    _, delta = replayed(
        EMPTY, [TOPIC, partition(0), RemoveTopicRecord(topic_id=TOPIC_ID)], next_offset=3, epoch=1
    )
    assert delta.is_empty


def test_a_topic_made_again_in_one_step_is_both_deleted_and_created() -> None:
    image = apply(EMPTY, TOPIC, partition(0))
    again = TopicRecord(name="orders", topic_id=bytes(16))
    after, delta = replayed(
        image, [RemoveTopicRecord(topic_id=TOPIC_ID), again], next_offset=4, epoch=1
    )
    assert [topic.topic_id for topic in delta.topics_deleted] == [TOPIC_ID]
    assert [topic.topic_id for topic in delta.topics_created] == [bytes(16)]
    assert after.topics_by_name["orders"].topic_id == bytes(16)


def test_partitions_may_come_in_any_order_but_not_with_gaps() -> None:
    image = apply(EMPTY, TOPIC, partition(1), partition(0))
    assert len(image.topics_by_name["orders"].partitions) == 2
    with pytest.raises(ReplayError, match="partitions are missing"):
        apply(image, partition(3))


@pytest.mark.parametrize(
    "record",
    [
        TOPIC,
        RemoveTopicRecord(topic_id=bytes(16)),
        PartitionChangeRecord(partition_id=7, topic_id=TOPIC_ID),
        UnfenceBrokerRecord(id=1, epoch=5),
        EndTransactionRecord(),
        AbortTransactionRecord(),
        ProducerIdsRecord(broker_id=1, next_producer_id=-5),
    ],
)
def test_a_log_that_contradicts_itself_is_not_followed(record: Payload) -> None:
    with pytest.raises(ReplayError):
        apply(apply(EMPTY, TOPIC, partition(0)), record)


def test_a_transaction_counts_at_its_end_or_not_at_all() -> None:
    begun = apply(EMPTY, BeginTransactionRecord(), TOPIC)
    assert begun.topics_by_name == {}
    assert "orders" in apply(begun, partition(0), EndTransactionRecord()).topics_by_name
    aborted = apply(begun, AbortTransactionRecord(reason="why not"))
    assert aborted.topics_by_name == {}
    assert aborted.transaction is None
    with pytest.raises(ReplayError):
        apply(begun, BeginTransactionRecord())


def test_quotas_are_kept_by_entity_whatever_the_order_of_its_parts() -> None:
    user = EntityData(entity_type="user", entity_name="alice")
    client = EntityData(entity_type="client-id", entity_name=None)
    first = ClientQuotaRecord(entity=[user, client], key="rate", value=1.0, remove=False)
    second = ClientQuotaRecord(entity=[client, user], key="rate", value=2.0, remove=False)
    image = apply(EMPTY, first, second)
    assert list(image.kept.values()) == [second]
    gone = ClientQuotaRecord(entity=[user, client], key="rate", value=0.0, remove=True)
    assert apply(image, gone).kept == {}


def test_a_snapshot_of_a_busy_cluster_replays_into_the_same_image() -> None:
    cluster = Cluster(3)
    cluster.create(wanted("orders", 7, 3, configs=[("retention.ms", "5")]), wanted("a", 1, 2))
    cluster.do(decide_allocate_producer_ids(cluster.image, 1, cluster.image.brokers[1].epoch))
    image = cluster.image
    again, _ = replayed(
        EMPTY, list(snapshot_records(image)), next_offset=image.next_offset, epoch=image.epoch
    )
    assert again == image


def test_a_cluster_is_bootstrapped_once() -> None:
    decision = decide_bootstrap(EMPTY)
    assert type(decision.records[1]) is FeatureLevelRecord
    image = apply(EMPTY, *decision.records)
    assert image.features["metadata.version"] == 30
    assert image.broker_configs(None) == {"min.insync.replicas": "1"}
    assert decide_bootstrap(image).records == ()
    assert unsupported_features(image) == {}
    newer = apply(image, FeatureLevelRecord(name="metadata.version", feature_level=99))
    assert unsupported_features(newer) == {"metadata.version": 99}


def test_producer_ids_are_given_once() -> None:
    cluster = Cluster(2)
    blocks = [
        cluster.do(decide_allocate_producer_ids(cluster.image, node, broker.epoch))
        for node, broker in list(cluster.image.brokers.items()) * 2
    ]
    assert [block.first for block in blocks] == [0, 1000, 2000, 3000]
    assert {block.length for block in blocks} == {BLOCK_LENGTH}


def test_only_a_registered_incarnation_gets_producer_ids() -> None:
    cluster = Cluster(1)
    for node_id, epoch in ((1, -1), (2, 0)):
        decision = decide_allocate_producer_ids(cluster.image, node_id, epoch)
        assert decision.records == ()
        assert decision.reply.error_code == ErrorCode.STALE_BROKER_EPOCH
