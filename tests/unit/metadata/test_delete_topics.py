"""Deleting topics: the codes are those that Apache Kafka 4.3.1 gave to the same requests."""

from __future__ import annotations

import pytest

from ottla.base.ids import METADATA_TOPIC_ID, ZERO_UUID, format_uuid
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.metadata.topics import decide_delete_topics
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from tests.support.cluster import Cluster, tells, wanted

Answer = tuple[str | None, bytes, int, str | None]
UNKNOWN_ID = bytes([5]) * 16


def delete(cluster: Cluster, *topics: tuple[str | None, bytes], version: int = 6) -> list[Answer]:
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=name, topic_id=topic_id) for name, topic_id in topics],
        topic_names=[name for name, _ in topics if name is not None],
        timeout_ms=1000,
    )
    response = cluster.do(
        decide_delete_topics(cluster.image, request, settings=cluster.settings, version=version)
    )
    return [
        (result.name, result.topic_id, result.error_code, result.error_message)
        for result in response.responses
    ]


def with_topics(**settings: str) -> tuple[Cluster, bytes]:
    cluster = Cluster(1, **settings)
    cluster.create(wanted("first", 2, 1, configs=[("retention.ms", "5")]), wanted("second", 1, 1))
    return cluster, cluster.image.topics_by_name["first"].topic_id


def test_a_topic_goes_with_all_that_is_its() -> None:
    cluster, topic_id = with_topics()
    assert delete(cluster, ("first", ZERO_UUID)) == [("first", topic_id, 0, None)]
    assert list(cluster.image.topics_by_name) == ["second"]
    assert topic_id not in cluster.image.topics_by_id
    assert cluster.image.topic_configs("first") == {}
    (deleted,) = cluster.delta.topics_deleted
    assert (deleted.name, len(deleted.partitions)) == ("first", 2)
    assert cluster.delta.configs_changed == {ConfigResource(ResourceType.TOPIC, "first")}


def test_a_topic_is_found_by_its_id() -> None:
    cluster, topic_id = with_topics()
    assert delete(cluster, (None, topic_id)) == [("first", topic_id, 0, None)]


@pytest.mark.parametrize("version", range(1, 6))
def test_early_versions_delete_by_name(version: int) -> None:
    cluster, topic_id = with_topics()
    answers = delete(cluster, ("first", ZERO_UUID), ("nosuch", ZERO_UUID), version=version)
    assert [(answer[0], answer[2]) for answer in answers] == [("first", 0), ("nosuch", 3)]
    assert topic_id not in cluster.image.topics_by_id


@pytest.mark.parametrize(
    ("name", "topic_id", "code", "fact"),
    [
        ("nosuch", ZERO_UUID, 3, "'nosuch'"),
        ("bad name", ZERO_UUID, 3, "'bad name'"),
        ("", ZERO_UUID, 3, "''"),
        ("__cluster_metadata", ZERO_UUID, 3, "__cluster_metadata"),
        (None, UNKNOWN_ID, 100, format_uuid(UNKNOWN_ID)),
        (None, METADATA_TOPIC_ID, 100, format_uuid(METADATA_TOPIC_ID)),
        (None, ZERO_UUID, 42, "neither name nor id"),
        ("first", UNKNOWN_ID, 42, "'first'"),
    ],
)
def test_what_does_not_exist_is_refused(
    name: str | None, topic_id: bytes, code: int, fact: str
) -> None:
    cluster, _ = with_topics()
    (answer,) = delete(cluster, (name, topic_id))
    assert answer[:2] == (name, topic_id)
    assert tells(answer[2:], code, [fact])
    assert len(cluster.image.topics_by_name) == 2


def test_a_topic_named_twice_stays() -> None:
    cluster, topic_id = with_topics()
    (by_name,) = delete(cluster, ("first", ZERO_UUID), ("first", ZERO_UUID))
    assert by_name[:2] == ("first", ZERO_UUID)
    assert tells(by_name[2:], 42, ["name", "2 times"])
    (by_id,) = delete(cluster, (None, topic_id), (None, topic_id))
    assert by_id[:2] == (None, topic_id)
    assert tells(by_id[2:], 42, ["id", "2 times"])
    assert len(cluster.image.topics_by_name) == 2


@pytest.mark.parametrize("by_name_first", [True, False])
def test_a_topic_meant_by_name_and_by_id_stays(by_name_first: bool) -> None:
    cluster, topic_id = with_topics()
    both: list[tuple[str | None, bytes]] = [("first", ZERO_UUID), (None, topic_id)]
    (answer,) = delete(cluster, *(both if by_name_first else both[::-1]))
    assert answer[:2] == ("first", topic_id)
    assert tells(answer[2:], 42, ["'first'", "by its name and by its id"])
    assert len(cluster.image.topics_by_name) == 2


@pytest.mark.parametrize(("version", "code"), [(1, 42), (2, 42), (3, 73), (6, 73)])
def test_deletion_can_be_disabled(version: int, code: int) -> None:
    cluster, _ = with_topics(delete_topic_enable="false")
    (answer,) = delete(cluster, ("first", ZERO_UUID), version=version)
    assert tells(answer[2:], code, ["delete.topic.enable=false"])
    assert len(cluster.image.topics_by_name) == 2


def test_a_name_can_be_used_again_under_a_new_id() -> None:
    cluster, topic_id = with_topics()
    delete(cluster, ("first", ZERO_UUID))
    cluster.create(wanted("first", 1, 1))
    assert cluster.image.topics_by_name["first"].topic_id != topic_id
