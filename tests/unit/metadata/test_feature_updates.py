"""Levels of features go up and down, all of a request's or none."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.configs import (
    ConfigChange,
    ConfigOperation,
    ResourceChange,
    decide_alter_configs,
)
from ottla.metadata.decision import Decision
from ottla.metadata.feature_updates import FeaturesUpdated, decide_update_features
from ottla.metadata.features import FINALIZED, SUPPORTED
from ottla.metadata.image import ALL_BROKERS, ConfigResource, FeatureRange, ResourceType
from ottla.metadata.partition_change import difference
from ottla.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from ottla.wire.payloads.metadata import FeatureLevelRecord
from tests.support.cluster import Cluster, tells, wanted

TXN, GROUP, ELR = "transaction.version", "group.version", "eligible.leader.replicas.version"
METADATA, KRAFT = "metadata.version", "kraft.version"
UP, SAFE, UNSAFE = 1, 2, 3
MIN_ISR = "min.insync.replicas"
Wish = tuple[str, int, int]


def decide(
    cluster: Cluster,
    *wishes: Wish,
    version: int = 2,
    kraft_version: int = 0,
    validate_only: bool = False,
) -> Decision[FeaturesUpdated]:
    request = UpdateFeaturesRequest(
        feature_updates=[
            FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=how)
            for name, level, how in wishes
        ],
        validate_only=validate_only,
    )
    return decide_update_features(
        cluster.image,
        request,
        version=version,
        kraft_version=kraft_version,
        settings=cluster.settings,
    )


def refusal(cluster: Cluster, *wishes: Wish, kraft_version: int = 0) -> tuple[int, str | None]:
    decision = decide(cluster, *wishes, kraft_version=kraft_version)
    assert decision.records == ()
    assert not decision.reply.moves_voters
    return decision.reply.response.error_code, decision.reply.response.error_message


def done(cluster: Cluster, *wishes: Wish) -> bool:
    return cluster.do(decide(cluster, *wishes)).response.error_code == ErrorCode.NONE


def at(**levels: int) -> Cluster:
    """A cluster that runs these levels."""
    cluster = Cluster(1)
    features = {name.replace("_", "."): level for name, level in levels.items()}
    cluster.image = replace(cluster.image, features=features)
    return cluster


def test_levels_go_down_and_up_again() -> None:
    cluster = Cluster(1)
    assert done(cluster, (TXN, 1, SAFE), (GROUP, 0, UNSAFE))
    assert cluster.image.features[TXN] == 1
    assert GROUP not in cluster.image.features
    assert cluster.delta.features_changed
    assert done(cluster, (TXN, 2, UP), (GROUP, 1, UP))
    assert cluster.image.features == FINALIZED


def test_the_level_that_a_feature_has_is_no_change() -> None:
    cluster = Cluster(1)
    decision = decide(cluster, (TXN, 2, UP), (METADATA, 30, UNSAFE), (KRAFT, 0, UP))
    assert (decision.records, decision.reply.response.error_code) == ((), ErrorCode.NONE)


def test_what_is_only_validated_does_not_change() -> None:
    decision = decide(Cluster(1), (TXN, 1, SAFE), validate_only=True)
    assert (decision.records, decision.reply.response.error_code) == ((), ErrorCode.NONE)


@pytest.mark.parametrize(
    ("wish", "facts"),
    [
        ((TXN, 3, UP), ["this release", "0 to 2"]),
        ((TXN, -1, UNSAFE), ["begin at 0"]),
        ((TXN, 1, UP), ["2 now", "downgrade"]),
        ((TXN, 1, 0), ["kind of upgrade 0"]),
        ((TXN, 1, 7), ["kind of upgrade 7"]),
        (("nosuch", 0, UP), ["nosuch", TXN]),
        ((METADATA, 31, UP), ["7 to 30"]),
        ((METADATA, 6, SAFE), ["7 to 30"]),
        ((METADATA, 29, SAFE), ["30"]),
        ((METADATA, 29, UNSAFE), ["30"]),
        ((KRAFT, 2, UP), ["0 to 1"]),
        ((KRAFT, 1, SAFE), ["does not go up"]),
    ],
    ids=str,
)
def test_levels_that_cannot_be_are_refused(wish: Wish, facts: list[str]) -> None:
    answer = refusal(Cluster(1), wish)
    assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, [wish[0], *facts])


def test_a_downgrade_does_not_go_up() -> None:
    cluster = Cluster(1)
    assert done(cluster, (TXN, 0, SAFE))
    for how in (SAFE, UNSAFE):
        answer = refusal(cluster, (TXN, 1, how))
        assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, ["0 now"])


def test_one_that_cannot_be_keeps_all_others_from_changing() -> None:
    answer = refusal(Cluster(1), (TXN, 1, SAFE), ("nosuch", 1, UP))
    assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, ["nosuch", "no feature has changed"])


def test_the_last_of_several_levels_of_one_feature_counts() -> None:
    cluster = Cluster(1)
    assert done(cluster, (TXN, 1, SAFE), (TXN, 0, SAFE))
    assert TXN not in cluster.image.features


def test_a_registered_broker_must_know_the_level() -> None:
    cluster = Cluster(2)
    older = replace(cluster.image.brokers[2], features={**SUPPORTED, TXN: FeatureRange(0, 1)})
    cluster.image = replace(
        cluster.image,
        brokers={**cluster.image.brokers, 2: older},
        features={**FINALIZED, TXN: 1},
    )
    answer = refusal(cluster, (TXN, 2, UP))
    assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, ["broker 2", "0 to 1"])
    assert done(cluster, (TXN, 0, SAFE))


@pytest.mark.parametrize(
    ("now", "level", "may"),
    [(22, 17, True), (22, 16, False), (29, 23, True), (23, 22, False), (12, 11, True)],
)
def test_the_metadata_goes_back_only_where_nothing_can_be_lost(
    now: int, level: int, may: bool
) -> None:
    for how in (SAFE, UNSAFE):
        decision = decide(at(metadata_version=now), (METADATA, level, how))
        expected = ErrorCode.NONE if may else ErrorCode.INVALID_UPDATE_VERSION
        assert decision.reply.response.error_code == expected


def test_an_old_cluster_takes_newer_metadata() -> None:
    cluster = at(metadata_version=7)
    assert done(cluster, (METADATA, 30, UP))
    assert cluster.image.features == {METADATA: 30}


def test_a_feature_may_need_another_one() -> None:
    cluster = at(metadata_version=22)
    answer = refusal(cluster, (ELR, 1, UP))
    assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, [METADATA, "23", "22"])
    assert done(cluster, (ELR, 1, UP), (METADATA, 23, UP))
    assert cluster.image.features == {METADATA: 23, ELR: 1}


def test_voters_that_are_in_the_log_stay_there() -> None:
    cluster = Cluster(1)
    for how in (SAFE, UNSAFE):
        answer = refusal(cluster, (KRAFT, 0, how), kraft_version=1)
        assert tells(answer, ErrorCode.INVALID_UPDATE_VERSION, ["voters"])
    decision = decide(cluster, (KRAFT, 1, UP), kraft_version=1)
    assert decision.reply == FeaturesUpdated(UpdateFeaturesResponse())


def test_fixed_voters_move_into_the_log_beside_the_records_of_other_features() -> None:
    decision = decide(Cluster(1), (KRAFT, 1, UP), (TXN, 1, SAFE))
    assert decision.records == (FeatureLevelRecord(name=TXN, feature_level=1),)
    assert decision.reply == FeaturesUpdated(UpdateFeaturesResponse(), moves_voters=True)
    tried = decide(Cluster(1), (KRAFT, 1, UP), validate_only=True)
    assert not tried.reply.moves_voters


# -- versions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2])
def test_older_versions_answer_for_each_feature(version: int) -> None:
    reply = decide(Cluster(1), (TXN, 2, UP), (GROUP, 1, UP), version=version).reply.response
    told = [(result.feature, result.error_code) for result in reply.results]
    assert told == ([] if version == 2 else [(TXN, 0), (GROUP, 0)])


def test_a_flag_of_the_oldest_version_allows_a_downgrade() -> None:
    cluster = Cluster(1)

    def answer(level: int, *, allow: bool) -> int:
        key = FeatureUpdateKey(feature=TXN, max_version_level=level, allow_downgrade=allow)
        request = UpdateFeaturesRequest(feature_updates=[key])
        return cluster.do(
            decide_update_features(
                cluster.image, request, version=0, kraft_version=0, settings=cluster.settings
            )
        ).response.error_code

    assert answer(1, allow=False) == ErrorCode.INVALID_UPDATE_VERSION
    assert answer(1, allow=True) == ErrorCode.NONE
    assert answer(2, allow=True) == ErrorCode.NONE
    assert cluster.image.features[TXN] == 2


# -- eligible leader replicas ----------------------------------------------------------------------


def min_isr(cluster: Cluster, broker: str = "") -> str | None:
    resource = ConfigResource(ResourceType.BROKER, broker)
    return cluster.image.configs.get(resource, {}).get(MIN_ISR)


def set_min_isr(cluster: Cluster, resource: ConfigResource, value: str | None) -> None:
    operation = ConfigOperation.SET if value else ConfigOperation.DELETE
    change = ResourceChange(resource, [ConfigChange(MIN_ISR, operation, value)])
    decision = decide_alter_configs(cluster.image, [change], settings=cluster.settings)
    (result,) = cluster.do(decision)
    assert result.error_code == ErrorCode.NONE


def test_eligible_leader_replicas_want_one_value_for_the_whole_cluster() -> None:
    cluster = Cluster(1, min_insync_replicas="3")
    assert done(cluster, (ELR, 0, SAFE))
    set_min_isr(cluster, ALL_BROKERS, None)
    set_min_isr(cluster, ConfigResource(ResourceType.BROKER, "1"), "2")
    assert done(cluster, (ELR, 1, UP))
    assert (min_isr(cluster), min_isr(cluster, "1")) == ("3", None)
    assert done(cluster, (ELR, 0, SAFE), (ELR, 1, UP))


def test_a_value_that_is_written_down_already_stays() -> None:
    cluster = Cluster(1)
    set_min_isr(cluster, ALL_BROKERS, "2")
    assert done(cluster, (ELR, 0, SAFE))
    assert decide(cluster, (ELR, 1, UP)).records == (FeatureLevelRecord(name=ELR, feature_level=1),)
    assert done(cluster, (ELR, 1, UP))
    assert min_isr(cluster) == "2"


def test_who_was_eligible_before_the_feature_was_off_is_so_no_more() -> None:
    cluster = Cluster(2)
    by_hand = [(0, [1, 2]), (1, [1, 2])]
    cluster.create(wanted("orders", assignments=by_hand, configs=[(MIN_ISR, "2")]))
    topic = cluster.image.topics_by_name["orders"]
    led = replace(topic.partitions[0], isr=(1,), elr=(2,))
    leaderless = replace(topic.partitions[1], isr=(), leader=-1, elr=(1, 2))
    records = tuple(
        record
        for index, after in enumerate((led, leaderless))
        if (record := difference(topic.topic_id, index, topic.partitions[index], after))
    )
    cluster.do(Decision(records, None))
    assert done(cluster, (ELR, 0, SAFE))
    assert done(cluster, (ELR, 1, UP))
    assert cluster.partition("orders", 0).elr == ()
    assert cluster.partition("orders", 1).elr == (1, 2)
