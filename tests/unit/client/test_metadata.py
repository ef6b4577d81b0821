"""What a client knows: epochs that never go back, ids, topics that go and come again."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.client.metadata import ClusterMetadata, Node
from ottla.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

ONE = b"1" * 16
TWO = b"2" * 16


def told(
    *topics: MetadataResponseTopic, nodes: int = 3, cluster_id: str | None = "c"
) -> MetadataResponse:
    brokers = [
        MetadataResponseBroker(node_id=id_, host=f"n{id_}", port=9092)
        for id_ in range(1, nodes + 1)
    ]
    return MetadataResponse(
        brokers=brokers, cluster_id=cluster_id, controller_id=1, topics=list(topics)
    )


def orders(*leaders: tuple[int, int], topic_id: bytes = ONE) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name="orders",
        topic_id=topic_id,
        partitions=[
            MetadataResponsePartition(partition_index=index, leader_id=leader, leader_epoch=epoch)
            for index, (leader, epoch) in enumerate(leaders)
        ],
    )


def refused(
    error: ErrorCode, *, name: str | None = "orders", topic_id: bytes = ZERO_UUID
) -> object:
    return MetadataResponseTopic(name=name, topic_id=topic_id, error_code=error)


def knowing(*answers: object) -> ClusterMetadata:
    metadata = ClusterMetadata()
    for answer in answers:
        assert isinstance(answer, MetadataResponseTopic)
        metadata.take(told(answer))
    return metadata


def leader(metadata: ClusterMetadata, partition: int = 0) -> tuple[int, int] | None:
    found = metadata.leader("orders", partition)
    return None if found is None else (found.node.node_id, found.epoch)


def test_each_partition_keeps_its_latest_epoch() -> None:
    metadata = knowing(orders((1, 5), (2, 7)), orders((2, 6), (1, 6)))
    assert (leader(metadata, 0), leader(metadata, 1)) == ((2, 6), (2, 7))


def test_the_same_epoch_told_again_is_learned_for_the_replicas_may_differ() -> None:
    metadata = knowing(orders((1, 5)), orders((-1, 5)))
    assert leader(metadata) is None


def test_a_later_epoch_without_a_leader_takes_the_leader_away() -> None:
    assert leader(knowing(orders((1, 5)), orders((-1, 6)))) is None


def test_a_topic_of_another_id_begins_anew() -> None:
    metadata = knowing(orders((1, 50)), orders((2, 0), topic_id=TWO))
    assert leader(metadata) == (2, 0)
    assert metadata.topic_by_id(ONE) is None
    found = metadata.topic_by_id(TWO)
    assert found is not None
    assert found.name == "orders"


def test_a_node_that_knows_no_ids_still_cannot_bring_an_old_epoch() -> None:
    assert leader(knowing(orders((1, 5)), orders((2, 4), topic_id=ZERO_UUID))) == (1, 5)


def test_nodes_that_tell_no_epochs_are_believed() -> None:
    assert leader(knowing(orders((1, 5)), orders((2, -1)))) == (2, -1)


def test_an_unknown_topic_does_not_bring_an_older_epoch_back() -> None:
    gone = refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    metadata = knowing(orders((1, 5)), gone)
    assert metadata.topic("orders") is None
    assert metadata.topics["orders"].error is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert leader(metadata) is None
    metadata.take(told(orders((2, 4))))
    assert leader(metadata) == (1, 5)


def test_without_ids_a_topic_that_was_gone_begins_anew() -> None:
    gone = refused(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    old, new = orders((1, 5), topic_id=ZERO_UUID), orders((2, 0), topic_id=ZERO_UUID)
    assert leader(knowing(old, gone, new)) == (2, 0)


def test_an_id_that_is_not_known_any_more_takes_its_topic_away() -> None:
    gone = refused(ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=ONE)
    metadata = knowing(orders((1, 5)), gone)
    assert metadata.topic_by_id(ONE) is None
    metadata.take(told(MetadataResponseTopic(topic_id=TWO, error_code=100)))
    assert metadata.topics.keys() == {"orders"}


def test_an_answer_about_everything_forgets_what_it_leaves_out() -> None:
    metadata = knowing(orders((1, 5)))
    metadata.take(told())
    assert leader(metadata) == (1, 5)
    metadata.take(told(), everything=True)
    assert not metadata.topics
    assert metadata.topic_by_id(ONE) is None


def test_another_cluster_behind_the_same_addresses_begins_anew() -> None:
    metadata = knowing(orders((1, 5), topic_id=ZERO_UUID))
    metadata.take(told(orders((2, 0), topic_id=ZERO_UUID), cluster_id="other"))
    assert leader(metadata) == (2, 0)


def test_a_leader_learned_from_another_answer_is_kept_only_if_it_is_later() -> None:
    metadata = knowing(orders((1, 5), (1, 5)))
    assert not metadata.learn_leader("orders", 0, 2, 5)
    assert not metadata.learn_leader("orders", 0, 2, 4)
    assert not metadata.learn_leader("orders", 7, 2, 6)
    assert not metadata.learn_leader("other", 0, 2, 6)
    assert not metadata.learn_leader("orders", 0, 9, 6), "a node without an address is of no use"
    assert leader(metadata) == (1, 5)
    assert metadata.learn_leader("orders", 0, 9, 6, [Node(9, "n9", 1)])
    assert (leader(metadata, 0), leader(metadata, 1)) == ((9, 6), (1, 5))
    metadata.take(told(orders((1, 5), (1, 5))))
    assert metadata.partition("orders", 0) is not None
    assert metadata.partition("orders", 0).leader_epoch == 6  # type: ignore[union-attr]  # the line above


def test_the_generation_counts_changes_and_nothing_else() -> None:
    metadata = knowing(orders((1, 5)))
    before = metadata.generation
    metadata.take(told(orders((1, 5))))
    metadata.take(told(orders((2, 4))))
    assert metadata.generation == before
    metadata.take(told(orders((2, 6))))
    metadata.take(told(nodes=2))
    metadata.learn_leader("orders", 0, 1, 7)
    metadata.forget_topics(["orders", "other"])
    metadata.forget_topics(["orders"])
    assert metadata.generation == before + 4


def test_partitions_stand_in_order_and_a_leader_that_is_down_is_none() -> None:
    answer = orders((1, 5), (7, 5))
    answer.partitions.reverse()
    metadata = knowing(answer)
    found = metadata.topic("orders")
    assert found is not None
    assert list(found.partitions) == [0, 1]
    assert leader(metadata, 1) is None


def test_what_was_read_is_told_once() -> None:
    metadata = knowing(orders((1, 5)))
    metadata.leader("orders", 0)
    metadata.topic("other")
    assert metadata.take_read() == {"orders", "other"}
    assert metadata.take_read() == set()
