"""Brokers that join, stop, crash and come back, and what it means for partitions."""

from __future__ import annotations

from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.brokers import (
    Registration,
    decide_controlled_shutdown,
    decide_fence_broker,
    decide_register_broker,
    decide_unfence_broker,
    decide_unregister_broker,
)
from ottla.metadata.configs import (
    ConfigChange,
    ConfigOperation,
    ResourceChange,
    decide_alter_configs,
)
from ottla.metadata.decision import Decision
from ottla.metadata.image import ConfigResource, EndpointImage, LeaderRecovery, ResourceType
from ottla.wire.payloads.metadata import ConfigRecord
from tests.support.cluster import Cluster, directory_of, wanted


def fence(cluster: Cluster, node_id: int) -> None:
    cluster.do(decide_fence_broker(cluster.image, node_id, settings=cluster.settings))


def stop(cluster: Cluster, node_id: int) -> int:
    """An orderly stop; the epoch under which it happened."""
    epoch = cluster.image.brokers[node_id].epoch
    decision = decide_controlled_shutdown(cluster.image, node_id, epoch, settings=cluster.settings)
    assert cluster.do(decision) == ErrorCode.NONE
    fence(cluster, node_id)
    return epoch


def replicated(replicas: int = 3, **configs: str) -> Cluster:
    """A topic of one partition, the preferred leader is broker 1."""
    cluster = Cluster(replicas)
    texts = [(name.replace("_", "."), text) for name, text in configs.items()]
    by_hand = [(0, list(range(1, replicas + 1)))]
    cluster.create(wanted("orders", assignments=by_hand, configs=texts))
    return cluster


REGISTRATION = Registration(
    node_id=1,
    cluster_id="cluster",
    incarnation_id=b"i" * 16,
    endpoints={"PLAINTEXT": EndpointImage("localhost", 9092, 0)},
    log_directories=(directory_of(1),),
)


# ── registration ─────────────────────────────────────────────────────────────────────────────────
def test_the_epoch_of_a_broker_is_the_offset_of_its_registration() -> None:
    cluster = Cluster(0)
    offset = cluster.image.next_offset
    assert cluster.register(1, rack="a") == offset
    broker = cluster.image.brokers[1]
    assert (broker.epoch, broker.rack, broker.fenced) == (offset, "a", True)
    assert cluster.delta.brokers_changed == {1}
    cluster.unfence(1, offset)
    assert not cluster.image.brokers[1].fenced
    assert cluster.register(1) > offset
    assert cluster.image.brokers[1].fenced


def test_registering_the_same_incarnation_again_changes_nothing() -> None:
    cluster = Cluster(0)
    first = cluster.do(
        decide_register_broker(cluster.image, REGISTRATION, settings=cluster.settings)
    )
    again = decide_register_broker(cluster.image, REGISTRATION, settings=cluster.settings)
    assert again.records == ()
    assert again.reply == first


def test_a_living_incarnation_is_not_replaced() -> None:
    cluster = Cluster(1)
    decision = decide_register_broker(
        cluster.image, REGISTRATION, settings=cluster.settings, other_is_alive=True
    )
    assert decision.records == ()
    assert decision.reply.error_code == ErrorCode.DUPLICATE_BROKER_REGISTRATION


def test_registrations_that_cannot_be_are_refused() -> None:
    cluster = Cluster(2)

    def refusal(registration: Registration) -> ErrorCode:
        decision = decide_register_broker(cluster.image, registration, settings=cluster.settings)
        assert decision.records == ()
        return decision.reply.error_code

    assert refusal(replace(REGISTRATION, cluster_id="other")) == ErrorCode.INCONSISTENT_CLUSTER_ID
    assert refusal(replace(REGISTRATION, features={})) == ErrorCode.UNSUPPORTED_VERSION
    for directories in ((), (bytes(16),), (directory_of(1),) * 2, (directory_of(2),)):
        registration = replace(REGISTRATION, log_directories=directories)
        assert refusal(registration) == ErrorCode.INVALID_REGISTRATION


def test_an_earlier_incarnation_cannot_serve_or_stop_any_more() -> None:
    cluster = Cluster(0)
    old = cluster.join(1)
    cluster.join(1)
    image, settings = cluster.image, cluster.settings
    for decision in (
        decide_unfence_broker(image, 1, old, settings=settings),
        decide_controlled_shutdown(image, 1, old, settings=settings),
    ):
        assert (decision.records, decision.reply) == ((), ErrorCode.STALE_BROKER_EPOCH)


# ── one broker ───────────────────────────────────────────────────────────────────────────────────
def test_a_single_broker_that_stopped_cleanly_is_elected_without_loss() -> None:
    cluster = replicated(1)
    epoch = stop(cluster, 1)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (-1, (), (1,))
    assert (partition.last_known_elr, partition.leader_epoch) == ((1,), 1)
    cluster.join(1, previous_epoch=epoch)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (1, (1,), ())
    assert partition.leader_recovery == LeaderRecovery.RECOVERED
    assert (partition.leader_epoch, partition.partition_epoch) == (2, 2)


def test_a_single_broker_that_crashed_leads_again_as_the_last_known_leader() -> None:
    cluster = replicated(1)
    cluster.register(1)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (-1, (), ())
    assert partition.last_known_elr == (1,)
    cluster.unfence(1, cluster.image.brokers[1].epoch)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.last_known_elr) == (1, (1,), ())
    assert partition.leader_recovery == LeaderRecovery.RECOVERING
    assert partition.leader_epoch == 2


def test_a_stop_that_was_not_finished_counts_as_a_crash() -> None:
    cluster = replicated(1)
    stop(cluster, 1)
    cluster.register(1)
    assert cluster.partition("orders").elr == ()


# ── several brokers ──────────────────────────────────────────────────────────────────────────────
def test_the_next_in_sync_replica_leads_when_the_leader_is_fenced() -> None:
    cluster = replicated(3)
    fence(cluster, 1)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr) == (2, (2, 3))
    assert (partition.leader_epoch, partition.partition_epoch) == (1, 1)


def test_a_follower_that_is_fenced_leaves_without_a_new_leader_epoch() -> None:
    cluster = replicated(3)
    fence(cluster, 3)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr) == (1, (1, 2))
    assert (partition.leader_epoch, partition.partition_epoch) == (0, 1)


def test_replicas_below_the_minimum_stay_eligible_until_enough_are_in_sync() -> None:
    cluster = replicated(3, min_insync_replicas="2")
    fence(cluster, 3)
    assert cluster.partition("orders").elr == ()
    fence(cluster, 2)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (1, (1,), (2,))
    fence(cluster, 1)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (-1, (), (1, 2))
    assert partition.last_known_elr == (1,)


def test_an_eligible_replica_leads_when_it_comes_back_first() -> None:
    cluster = replicated(2, min_insync_replicas="2")
    epoch = stop(cluster, 2)
    stop(cluster, 1)
    cluster.join(2, previous_epoch=epoch)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (2, (2,), (1,))
    assert partition.leader_recovery == LeaderRecovery.RECOVERED


def test_a_replica_that_was_not_eligible_waits_for_one_that_is() -> None:
    cluster = replicated(2)
    fence(cluster, 2)
    epoch = stop(cluster, 1)
    cluster.join(2)
    assert cluster.partition("orders").leader == -1
    cluster.join(1, previous_epoch=epoch)
    assert cluster.partition("orders").leader == 1


def test_an_unclean_election_happens_only_where_it_is_allowed() -> None:
    cluster = replicated(2, unclean_leader_election_enable="true")
    fence(cluster, 2)
    fence(cluster, 1)
    cluster.join(2)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr) == (2, (2,))
    assert partition.leader_recovery == LeaderRecovery.RECOVERING


def test_a_crashed_follower_leaves_both_sets() -> None:
    cluster = replicated(2, min_insync_replicas="2")
    cluster.register(2)
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr, partition.elr) == (1, (1,), ())


def test_fencing_twice_changes_nothing() -> None:
    cluster = replicated(2)
    fence(cluster, 1)
    assert decide_fence_broker(cluster.image, 1, settings=cluster.settings).records == ()
    assert decide_fence_broker(cluster.image, 9, settings=cluster.settings).records == ()


def test_a_broker_that_is_forgotten_leads_nothing() -> None:
    cluster = replicated(2)
    decision = decide_unregister_broker(cluster.image, 1, settings=cluster.settings)
    assert cluster.do(decision) == ErrorCode.NONE
    assert list(cluster.image.brokers) == [2]
    assert cluster.partition("orders").leader == 2
    decision = decide_unregister_broker(cluster.image, 1, settings=cluster.settings)
    assert decision.reply == ErrorCode.BROKER_ID_NOT_REGISTERED


def test_a_new_minimum_of_replicas_forgets_who_was_eligible() -> None:
    cluster = replicated(2, min_insync_replicas="2")
    fence(cluster, 2)
    assert cluster.partition("orders").elr == (2,)
    change = ResourceChange(
        ConfigResource(ResourceType.TOPIC, "orders"),
        [ConfigChange("min.insync.replicas", ConfigOperation.SET, "1")],
    )
    cluster.do(decide_alter_configs(cluster.image, [change], settings=cluster.settings))
    assert cluster.partition("orders").elr == ()


def test_leaders_are_found_for_a_topic_whose_settings_are_refused_here() -> None:
    cluster = replicated()
    record = ConfigRecord(
        resource_type=ResourceType.TOPIC,
        resource_name="orders",
        name="min.insync.replicas",
        value="0",
    )
    cluster.do(Decision((record,), None))
    fence(cluster, 1)
    assert cluster.partition("orders").leader == 2
