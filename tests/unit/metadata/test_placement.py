"""Where replicas go."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.image import BrokerImage
from ottla.metadata.placement import Ring
from tests.support.cluster import SeededRng


def broker(node_id: int, rack: str | None = None, *, fenced: bool = False) -> BrokerImage:
    return BrokerImage(
        node_id=node_id,
        epoch=node_id,
        incarnation_id=bytes(16),
        endpoints={},
        rack=rack,
        fenced=fenced,
        log_directories=(bytes([node_id]) * 16,),
    )


def place(brokers: list[BrokerImage], partitions: int, factor: int) -> list[tuple[int, ...]]:
    ring = Ring(brokers, SeededRng())
    return [ring.place(factor) for _ in range(partitions)]


@given(
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(0, 1000),
)
def test_replicas_are_different_brokers_and_the_leader_is_active(
    active: int, fenced: int, factor: int, partitions: int, seed: int
) -> None:
    brokers = [broker(n) for n in range(active)]
    brokers += [broker(100 + n, fenced=True) for n in range(fenced)]
    ring = Ring(brokers, SeededRng(seed))
    if factor > active + fenced:
        with pytest.raises(ProtocolError):
            ring.place(factor)
        return
    for _ in range(partitions):
        replicas = ring.place(factor)
        assert len(set(replicas)) == factor
        assert replicas[0] < 100
        assert sum(node_id >= 100 for node_id in replicas) == max(0, factor - active)


def test_leaders_and_followers_are_spread_evenly() -> None:
    placed = place([broker(n) for n in range(6)], partitions=60, factor=3)
    assert set(Counter(replicas[0] for replicas in placed).values()) == {10}
    assert set(Counter(node_id for replicas in placed for node_id in replicas).values()) == {30}


def test_the_followers_of_one_broker_are_not_all_on_another() -> None:
    placed = place([broker(n) for n in range(4)], partitions=48, factor=2)
    followers = Counter(replicas[1] for replicas in placed if replicas[0] == 0)
    assert len(followers) == 3


def test_replicas_lie_in_different_racks_as_far_as_there_are_any() -> None:
    racks = {n: "abc"[n % 3] for n in range(9)}
    brokers = [broker(n, rack) for n, rack in racks.items()]
    for replicas in place(brokers, partitions=90, factor=3):
        assert {racks[node_id] for node_id in replicas} == set("abc")
    for replicas in place(brokers, partitions=9, factor=5):
        assert {racks[node_id] for node_id in replicas} == set("abc")


def test_leaders_are_even_although_racks_are_not() -> None:
    brokers = [broker(1, "a"), broker(2, "a"), broker(3, "a"), broker(4, "b")]
    placed = place(brokers, partitions=40, factor=2)
    assert set(Counter(replicas[0] for replicas in placed).values()) == {10}
    assert all((4 in replicas) for replicas in placed)


def test_a_broker_with_all_directories_cordoned_gets_nothing() -> None:
    cordoned = BrokerImage(
        node_id=2,
        epoch=2,
        incarnation_id=bytes(16),
        endpoints={},
        fenced=False,
        log_directories=(b"d" * 16,),
        cordoned_directories=(b"d" * 16,),
    )
    assert place([broker(1), cordoned], partitions=3, factor=1) == [(1,)] * 3
    with pytest.raises(ProtocolError) as error:
        place([broker(1), cordoned], partitions=1, factor=2)
    assert error.value.code == ErrorCode.INVALID_REPLICATION_FACTOR
