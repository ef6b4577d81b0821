"""Quotas in the metadata: codes and filters are those that Apache Kafka 4.3.1 gave."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import QUOTAS_CHANGED_PER_REQUEST_MAX
from ottla.metadata.client_quotas import (
    Entity,
    EntityChange,
    QuotaChange,
    QuotaMatch,
    client_quotas,
    decide_alter_client_quotas,
    find_client_quotas,
)
from ottla.metadata.image import MetadataImage
from ottla.metadata.replay import replayed
from ottla.metadata.snapshot import snapshot_records
from tests.support.cluster import Cluster

INVALID = ErrorCode.INVALID_REQUEST


def of(**parts: str | None) -> Entity:
    """An entity; the default is None, and `client_id` is the protocol's client-id."""
    return frozenset((kind.replace("_", "-"), name) for kind, name in parts.items())


def alter(
    cluster: Cluster,
    entity: Entity,
    *changes: tuple[str, float | None],
    validate_only: bool = False,
) -> ErrorCode:
    change = EntityChange(entity, [QuotaChange(*each) for each in changes])
    decision = decide_alter_client_quotas(cluster.image, [change], validate_only=validate_only)
    (result,) = cluster.do(decision)
    assert result.entity == entity
    assert (result.error_message is None) == (result.error_code == ErrorCode.NONE)
    return result.error_code


def found(
    cluster: Cluster, *matches: tuple[str, str | None] | str, strict: bool = False
) -> set[Entity]:
    """Entities that fit: a match is a kind and a name, or a kind alone for any name."""
    asked = [
        QuotaMatch(match, None, any=True)
        if isinstance(match, str)
        else QuotaMatch(*match, any=False)
        for match in matches
    ]
    return {entity for entity, _ in find_client_quotas(cluster.image, asked, strict=strict)}


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_quotas_are_set_changed_and_removed_key_by_key(cluster: Cluster) -> None:
    alice = of(user="alice")
    assert alter(cluster, alice, ("producer_byte_rate", 1000), ("request_percentage", 12.5)) == 0
    assert alter(cluster, alice, ("producer_byte_rate", 2000), ("consumer_byte_rate", 7)) == 0
    assert alter(cluster, alice, ("request_percentage", None)) == 0
    assert client_quotas(cluster.image) == {
        alice: {"producer_byte_rate": 2000, "consumer_byte_rate": 7}
    }
    alter(cluster, alice, ("producer_byte_rate", None), ("consumer_byte_rate", None))
    assert client_quotas(cluster.image) == {}


def test_what_changes_nothing_writes_nothing(cluster: Cluster) -> None:
    alter(cluster, of(user="alice"), ("producer_byte_rate", 1000))
    before = cluster.image.next_offset
    assert alter(cluster, of(user="alice"), ("producer_byte_rate", 1000)) == 0
    assert alter(cluster, of(user="bob"), ("producer_byte_rate", None), ("nosuch", None)) == 0
    assert alter(cluster, of(user="bob"), ("producer_byte_rate", 5), validate_only=True) == 0
    assert cluster.image.next_offset == before


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("producer_byte_rate", 0),
        ("producer_byte_rate", -1),
        ("producer_byte_rate", 1.5),
        ("producer_byte_rate", 999.9999999),
        ("producer_byte_rate", 1e19),
        ("consumer_byte_rate", float("inf")),
        ("request_percentage", float("nan")),
        ("connection_creation_rate", 1),
        ("nosuch", 1),
    ],
)
def test_a_value_that_makes_no_quota_is_refused_with_all_of_its_entity(
    cluster: Cluster, key: str, value: float
) -> None:
    assert alter(cluster, of(user="a"), ("controller_mutation_rate", 0.5), (key, value)) == INVALID
    assert client_quotas(cluster.image) == {}


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        (of(), 5),
        (of(group="g"), 5),
        (of(ip=""), 5),
        (of(ip="localhost"), 5),
        (of(ip="10.0.0.7", user="alice"), 5),
        (of(ip="10.0.0.7"), 2**31),
        (of(ip="10.0.0.7"), 2.5),
    ],
)
def test_an_address_is_one_and_alone(cluster: Cluster, entity: Entity, value: float) -> None:
    assert alter(cluster, entity, ("connection_creation_rate", value)) == INVALID


def test_an_address_or_any_other_may_have_connections(cluster: Cluster) -> None:
    for name in ("10.0.0.7", "::1", None):
        assert alter(cluster, of(ip=name), ("connection_creation_rate", 5)) == 0


def test_the_largest_long_is_a_quota_though_no_double_is_exactly_it(cluster: Cluster) -> None:
    assert alter(cluster, of(user="a"), ("producer_byte_rate", float(2**63 - 1))) == 0


def test_what_is_named_twice_is_refused_and_the_rest_done(cluster: Cluster) -> None:
    twice = EntityChange(of(user="a"), [QuotaChange("producer_byte_rate", 1)])
    once = EntityChange(of(user="b"), [QuotaChange("producer_byte_rate", 1)])
    same_key = EntityChange(of(user="c"), [QuotaChange("producer_byte_rate", n) for n in (1, 2)])
    results = cluster.do(decide_alter_client_quotas(cluster.image, [twice, once, twice, same_key]))
    assert [(result.entity, result.error_code) for result in results] == [
        (of(user="a"), INVALID),
        (of(user="b"), ErrorCode.NONE),
        (of(user="c"), INVALID),
    ]
    assert list(client_quotas(cluster.image)) == [of(user="b")]


def test_filters_look_at_parts_and_strict_ones_at_all(cluster: Cluster) -> None:
    alice, both = of(user="alice"), of(user="alice", client_id=None)
    everyone, app = of(user=None), of(client_id="app")
    for entity in (alice, both, everyone, app):
        alter(cluster, entity, ("producer_byte_rate", 1))
    assert found(cluster) == {alice, both, everyone, app}
    assert found(cluster, strict=True) == set()
    assert found(cluster, ("user", "alice")) == {alice, both}
    assert found(cluster, ("user", "alice"), strict=True) == {alice}
    assert found(cluster, ("user", None)) == {everyone}
    assert found(cluster, "user") == {alice, both, everyone}
    assert found(cluster, "user", "client-id") == {both}
    assert found(cluster, ("client-id", "app")) == {app}
    assert found(cluster, ("client-id", "nobody")) == set()


def test_a_request_changes_only_so_many(cluster: Cluster) -> None:
    removal = [QuotaChange("producer_byte_rate", None)]
    names = [f"u{n}" for n in range(QUOTAS_CHANGED_PER_REQUEST_MAX)]
    changes = [EntityChange(of(user=name), removal) for name in names]
    assert len(cluster.do(decide_alter_client_quotas(cluster.image, changes))) == len(changes)
    changes.append(EntityChange(of(user="one too many"), removal))
    with pytest.raises(ProtocolError) as refused:
        decide_alter_client_quotas(cluster.image, changes)
    assert refused.value.code == ErrorCode.POLICY_VIOLATION


@pytest.mark.parametrize(
    ("matches", "code"),
    [
        (["ip", "user"], INVALID),
        (["user", "user"], INVALID),
        ([""], INVALID),
        (["group"], ErrorCode.UNSUPPORTED_VERSION),
    ],
)
def test_a_filter_that_nothing_could_fit_is_refused(
    cluster: Cluster, matches: list[str], code: ErrorCode
) -> None:
    with pytest.raises(ProtocolError) as refused:
        found(cluster, *matches)
    assert refused.value.code == code


def test_a_snapshot_keeps_quotas(cluster: Cluster) -> None:
    alter(cluster, of(user="alice", client_id=None), ("producer_byte_rate", 1000))
    again, _ = replayed(
        MetadataImage(cluster_id="cluster"), snapshot_records(cluster.image), next_offset=1, epoch=1
    )
    assert client_quotas(again) == client_quotas(cluster.image) != {}
