"""Creating topics: the codes are those that Apache Kafka 4.3.1 gave to the same requests."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import METADATA_TOPIC_ID, ZERO_UUID
from ottla.metadata.image import MetadataImage
from ottla.metadata.topics import new_topic_id
from ottla.settings import topic
from ottla.wire.messages.create_topics import CreatableTopic
from tests.support.cluster import Cluster, SeededRng, directory_of, tells, wanted

Refusal = tuple[int, str | None]


def refusal(cluster: Cluster, *topics: CreatableTopic) -> Refusal:
    """The answer to the last of some topics."""
    before = cluster.image.topics_by_name
    result = cluster.create(*topics).topics[-1]
    assert result.error_code != ErrorCode.NONE
    assert (result.num_partitions, result.replication_factor, result.configs) == (-1, -1, [])
    assert cluster.image.topics_by_name == before
    return result.error_code, result.error_message


def test_a_new_topic_is_led_from_its_first_epoch_on() -> None:
    cluster = Cluster()
    (result,) = cluster.create(wanted("orders", 2, 1)).topics
    made = cluster.image.topics_by_name["orders"]
    assert made.topic_id == result.topic_id
    assert (result.error_code, result.error_message) == (0, None)
    assert (result.num_partitions, result.replication_factor) == (2, 1)
    for partition in made.partitions:
        assert (partition.leader, partition.isr, partition.replicas) == (1, (1,), (1,))
        assert (partition.leader_epoch, partition.partition_epoch) == (0, 0)
        assert partition.directories == (directory_of(1),)
    assert [created.name for created in cluster.delta.topics_created] == ["orders"]
    assert cluster.delta.partitions_changed == {made.topic_id: (0, 1)}


def test_what_is_not_said_is_taken_from_the_brokers_settings() -> None:
    cluster = Cluster(3, num_partitions="4", default_replication_factor="3")
    (result,) = cluster.create(wanted("orders")).topics
    assert (result.num_partitions, result.replication_factor) == (4, 3)


def test_the_answer_has_all_settings_with_their_sources() -> None:
    cluster = Cluster(log_retention_hours="100")
    texts = [("cleanup.policy", "delete,delete"), ("preallocate", "TRUE")]
    (result,) = cluster.create(wanted("orders", 1, 1, configs=texts)).topics
    assert result.configs is not None
    names = [config.name for config in result.configs]
    assert names == sorted(names)
    assert len(names) == len(topic.SETTINGS)
    assert {
        config.name: (config.value, config.config_source)
        for config in result.configs
        if config.config_source != 5
    } == {
        "cleanup.policy": ("delete,delete", 1),
        "min.insync.replicas": ("1", 3),
        "preallocate": ("TRUE", 1),
        "retention.ms": ("360000000", 4),
    }
    assert cluster.image.topic_configs("orders") == dict(texts)


def test_the_last_of_two_values_of_one_setting_counts() -> None:
    cluster = Cluster()
    cluster.create(wanted("orders", 1, 1, configs=[("retention.ms", "1"), ("retention.ms", "+7")]))
    assert cluster.image.topic_configs("orders") == {"retention.ms": "+7"}


def test_validate_only_answers_and_makes_nothing() -> None:
    cluster = Cluster()
    (result,) = cluster.create(wanted("orders", 2, 1), validate_only=True).topics
    assert (result.error_code, result.num_partitions) == (0, 2)
    assert cluster.image.topics_by_name == {}


ALLOWED = "a to z, A to Z, digits, '.', '_' and '-'"


@pytest.mark.parametrize(
    ("name", "code", "facts"),
    [
        ("", 17, ["at least one character"]),
        (".", 17, ["'.'"]),
        ("..", 17, ["'..'"]),
        ("a b", 17, ["'a b'", ALLOWED]),
        ("ä", 17, ["'ä'", ALLOWED]),
        ("a/b", 17, ["'a/b'", ALLOWED]),
        ("a\n", 17, ["'a\n'", ALLOWED]),
        ("x" * 250, 17, ["249", "250"]),
        ("__cluster_metadata", 42, ["__cluster_metadata"]),
        ("taken", 36, ["'taken'"]),
        ("a_b", 17, ["'a_b'", "'a.b'"]),
    ],
)
def test_names_are_refused(name: str, code: int, facts: list[str]) -> None:
    cluster = Cluster()
    cluster.create(wanted("taken", 1, 1), wanted("a.b", 1, 1), wanted("a-b", 1, 1))
    assert tells(refusal(cluster, wanted(name, 1, 1)), code, facts)


def test_the_longest_name_and_internal_names_are_fine() -> None:
    cluster = Cluster()
    cluster.create(wanted("x" * 249, 1, 1), wanted("__consumer_offsets", 1, 1))
    assert len(cluster.image.topics_by_name) == 2


@pytest.mark.parametrize(
    ("partitions", "replication", "code", "facts"),
    [
        (0, 1, 37, ["0 partitions", "-1 for the default"]),
        (-2, 1, 37, ["-2 partitions", "-1 for the default"]),
        (1, 0, 38, ["0 replicas", "-1 for the default"]),
        (0, 0, 38, ["0 replicas", "-1 for the default"]),
        (1, 2, 38, ["2 replicas", "1 brokers"]),
        (10001, 1, 44, ["10000", "10001"]),
    ],
)
def test_numbers_are_refused(
    partitions: int, replication: int, code: int, facts: list[str]
) -> None:
    assert tells(refusal(Cluster(), wanted("orders", partitions, replication)), code, facts)


def test_the_partitions_of_one_request_are_counted_together() -> None:
    cluster = Cluster()
    response = cluster.create(wanted("a", 6000, 1), wanted("b", 6000, 1))
    assert [result.error_code for result in response.topics] == [44, 44]


def test_a_cluster_without_active_brokers_makes_no_topics() -> None:
    cluster = Cluster(0)
    cluster.register(1)
    answer = refusal(cluster, wanted("orders", 1, 1))
    assert tells(answer, ErrorCode.INVALID_REPLICATION_FACTOR, ["no broker is up"])


@pytest.mark.parametrize(
    ("assignments", "code", "facts"),
    [
        ([(0, [1]), (2, [1])], 39, ["numbered from 0", "[0, 2]"]),
        ([(1, [1])], 39, ["numbered from 0", "[1]"]),
        ([(0, [1]), (0, [1])], 39, ["partition 0", "twice"]),
        ([(0, [1, 1])], 39, ["broker 1", "twice"]),
        ([(0, [])], 39, ["no broker"]),
        ([(0, [1]), (1, [1, 5])], 39, ["broker 5", "does not have"]),
        ([(0, [1]), (1, [1, 2])], 39, ["2 brokers", "1: all"]),
        ([(0, [3])], 39, ["partition 0", "down"]),
    ],
)
def test_assignments_are_refused(
    assignments: list[tuple[int, list[int]]], code: int, facts: list[str]
) -> None:
    cluster = Cluster(2)
    cluster.register(3)
    assert tells(refusal(cluster, wanted("orders", assignments=assignments)), code, facts)


def test_an_assignment_stands_alone() -> None:
    cluster = Cluster()
    by_hand = [(0, [1])]
    counted = refusal(cluster, wanted("orders", 7, -1, assignments=by_hand))
    assert tells(counted, 42, ["by hand", "number is -1, not 7"])
    replicated = refusal(cluster, wanted("orders", -1, 1, assignments=by_hand))
    assert tells(replicated, 42, ["by hand", "replication factor is -1, not 1"])


def test_an_assignment_is_followed_and_fenced_replicas_are_not_in_sync() -> None:
    cluster = Cluster(2)
    cluster.register(3)
    cluster.create(wanted("orders", assignments=[(1, [3, 1]), (0, [2, 1])]))
    first, second = cluster.image.topics_by_name["orders"].partitions
    assert (first.replicas, first.isr, first.leader) == ((2, 1), (2, 1), 2)
    assert (second.replicas, second.isr, second.leader) == ((3, 1), (1,), 1)


@pytest.mark.parametrize(
    ("configs", "facts"),
    [
        ([("bogus", "1")], ["'bogus'"]),
        ([("retention.m", "1")], ["'retention.m'", "retention.ms"]),
        ([("retention.ms", "x"), ("bogus", "1")], ["'bogus'"]),
        ([("retention.ms", "x")], ["retention.ms", "'x'", "whole number"]),
        ([("retention.ms", "-2")], ["retention.ms", "'-2'", "-1"]),
        ([("retention.ms", None)], ["no value", "retention.ms"]),
        ([("bogus", None)], ["no value", "bogus"]),
        ([("cleanup.policy", "bad")], ["cleanup.policy", "'bad'", "compact, delete"]),
        ([("segment.bytes", "99999999999")], ["segment.bytes", "'99999999999'", "2147483647"]),
        (
            [("compression.type", "lzma")],
            ["compression.type", "'lzma'", "uncompressed, zstd, lz4, snappy, gzip, producer"],
        ),
        ([("min.cleanable.dirty.ratio", "2")], ["min.cleanable.dirty.ratio", "'2.0'", "0 and 1"]),
        ([("preallocate", "yes")], ["preallocate", "'yes'", "true or false"]),
        ([("compression.gzip.level", "0")], ["compression.gzip.level", "'0'", "1 and 9", "-1"]),
        (
            [("leader.replication.throttled.replicas", "none")],
            ["leader.replication.throttled.replicas", "'none'", "partition:broker"],
        ),
        (
            [("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")],
            ["min.compaction.lag.ms=10", "max.compaction.lag.ms=5"],
        ),
        ([("remote.storage.enable", "true")], ["remote.storage.enable", "tiered storage"]),
    ],
)
def test_settings_are_refused(configs: list[tuple[str, str | None]], facts: list[str]) -> None:
    assert tells(refusal(Cluster(), wanted("orders", 1, 1, configs=configs)), 40, facts)


def test_the_first_broken_rule_is_told_in_kafkas_order() -> None:
    cluster = Cluster()
    cluster.create(wanted("taken", 1, 1))
    bad = [("bogus", "1")]
    assert refusal(cluster, wanted("orders", 0, 1, configs=bad))[0] == ErrorCode.INVALID_CONFIG
    assert refusal(cluster, wanted("taken", 0, 1, configs=bad))[0] == (
        ErrorCode.TOPIC_ALREADY_EXISTS
    )
    assert refusal(cluster, wanted("v o", 0, 1, configs=bad))[0] == (
        ErrorCode.INVALID_TOPIC_EXCEPTION
    )


def test_a_topic_named_twice_is_refused_once_and_the_others_are_made() -> None:
    cluster = Cluster()
    response = cluster.create(wanted("dup", 1, 1), wanted("other", 1, 1), wanted("dup", 2, 1))
    assert {result.name: result.error_code for result in response.topics} == {
        "dup": ErrorCode.INVALID_REQUEST,
        "other": ErrorCode.NONE,
    }
    assert list(cluster.image.topics_by_name) == ["other"]


class ScriptedRng(SeededRng):
    """Gives these ids, one after the other."""

    def __init__(self, *uuids: bytes) -> None:
        super().__init__()
        self._uuids = list(uuids)

    def uuid(self) -> bytes:
        return self._uuids.pop(0)


def test_topic_ids_are_free_not_reserved_and_no_option_of_a_command() -> None:
    good = bytes(range(16))
    hyphen = b"\xf8" + bytes(15)
    rng = ScriptedRng(ZERO_UUID, METADATA_TOPIC_ID, hyphen, good)
    assert new_topic_id(MetadataImage(cluster_id="c"), rng) == good
