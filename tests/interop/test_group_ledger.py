"""The checker of what members told finds what it is there to find."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.group_ledger import Ledger, Told
from tests.interop.group_logs import complaints


def told(at: float, member: str, did: str, **facts: Any) -> Told:
    return Told(at=at, member=member, did=did, facts=facts)


def assigned(at: float, member: str, generation: int, did: str = "assigned") -> Told:
    return told(at, member, did, partitions=[0], generation=generation, member_id=member)


def reads(at: float, member: str, first: int, next_offset: int) -> Told:
    return told(at, member, "read", ranges=[(0, first, next_offset)])


def commits(at: float, member: str, offset: int) -> list[Told]:
    asked, done = {"offsets": {"0": offset}}, {"offsets": {"0": offset}}
    return [told(at, member, "committing", **asked), told(at + 0.1, member, "committed", **done)]


HANDED_OVER = [
    assigned(1, "a", 1),
    reads(2, "a", 0, 5),
    *commits(3, "a", 5),
    assigned(4, "a", 1, "revoked"),
    assigned(5, "b", 2),
    reads(6, "b", 5, 9),
]


def test_a_partition_that_is_handed_over_in_order_is_fine() -> None:
    assert Ledger(HANDED_OVER).violations({0: 9}) == []


@pytest.mark.parametrize(
    ("story", "wrong"),
    [
        ([assigned(1, "a", 1), assigned(2, "b", 2)], "two own partition 0 at a time"),
        (
            [assigned(1, "a", 1), assigned(2, "a", 1, "lost"), assigned(3, "b", 1)],
            "two own partition 0 in a generation",
        ),
        (
            [assigned(1, "a", 2), assigned(2, "a", 2, "revoked"), assigned(3, "b", 1)],
            "goes back a generation",
        ),
        ([*HANDED_OVER, *commits(7, "a", 9)], "by one who does not own it"),
        (
            [assigned(1, "a", 1), told(2, "a", "paused"), assigned(3, "b", 2), *commits(4, "a", 1)],
            "owned it",
        ),
        ([*HANDED_OVER[:6], reads(6, "b", 3, 9)], "begins at 3"),
        ([*HANDED_OVER[:6], reads(6, "b", 6, 9)], "nobody read [5]"),
        ([*HANDED_OVER, reads(7, "b", 9, 11)], "read up to 10"),
        ([*HANDED_OVER, reads(7, "c", 9, 10)], "which it never had"),
        ([*HANDED_OVER, told(7, "b", "closed")], "closed and never gave up"),
        ([*HANDED_OVER, assigned(7, "a", 3, "lost")], "which it does not have"),
        ([*HANDED_OVER, told(7, "b", "failed", error="out of luck")], "out of luck"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_is_found(story: list[Told], wrong: str) -> None:
    violations = Ledger(story).violations({0: 9})
    assert any(wrong in each for each in violations), violations


def test_who_was_killed_or_slept_owns_nothing_and_who_has_its_name_is_the_same() -> None:
    for what in ("killed", "paused"):
        story = [assigned(1, "a", 1), told(2, "a", what), assigned(3, "b", 2), reads(4, "b", 0, 1)]
        assert Ledger(story).violations({0: 1}) == []
    rivals = [assigned(1, "a", 1), assigned(2, "b", 1), reads(4, "b", 0, 1)]
    assert Ledger(rivals, {"a": "one", "b": "one"}).violations({0: 1}) == []


@pytest.mark.parametrize(
    ("library", "line"),
    [
        ("librdkafka", "%4|1.2|PROTOERR|x#consumer-1| a field is missing"),
        ("kafka-python", "ERROR kafka.coordinator: JoinGroup returned inconsistent protocol_type"),
        ("aiokafka", "ERROR aiokafka.consumer.group_coordinator: Heartbeat failed: KafkaError(-1)"),
        ("java", "[main] WARN org.apache.kafka.clients.NetworkClient - Unexpected error code: 42"),
    ],
)
def test_a_complaint_is_one_whatever_happened(library: str, line: str) -> None:
    assert complaints(library, line, broker_died=True, was_paused=True) == [line]


def test_what_a_dead_broker_explains_is_a_complaint_where_none_died() -> None:
    log = (
        "%6|1.2|FAIL|x| fine\n%3|1.2|FAIL|x| Connect to ipv4#127.0.0.1:1 failed: Connection refused"
    )
    assert complaints("librdkafka", log, broker_died=True, was_paused=False) == []
    assert len(complaints("librdkafka", log, broker_died=False, was_paused=False)) == 1
