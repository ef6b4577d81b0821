"""ACLs are made one by one, and go by filters."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import ACLS_CHANGED_PER_REQUEST_MAX, ACLS_COMPARED_PER_REQUEST_MAX
from ottla.metadata.acls import acls, decide_create_acls, decide_delete_acls
from ottla.metadata.decision import Decision
from ottla.metadata.snapshot import snapshot_records
from ottla.security.acl import Acl, AclFilter
from ottla.wire.payloads.metadata import AccessControlEntryRecord
from tests.support.cluster import Cluster

READ_ORDERS = Acl(2, "orders", 3, "User:alice", "*", 3, 3)
WRITE_ORDERS = READ_ORDERS._replace(operation=4)
ANY = AclFilter(1, None, 1, None, None, 1, 1)


def create(cluster: Cluster, *wanted: Acl) -> list[ErrorCode]:
    made = cluster.do(decide_create_acls(cluster.image, wanted, rng=cluster.rng))
    return [result.error_code for result in made]


def kept(cluster: Cluster) -> list[Acl]:
    return sorted(acls(cluster.image).values())


def test_each_entry_is_made_by_itself() -> None:
    cluster = Cluster()
    bad = READ_ORDERS._replace(resource_name="")
    assert create(cluster, READ_ORDERS, bad, WRITE_ORDERS) == [
        ErrorCode.NONE,
        ErrorCode.INVALID_REQUEST,
        ErrorCode.NONE,
    ]
    assert kept(cluster) == [READ_ORDERS, WRITE_ORDERS]
    assert {key[0] for key in cluster.delta.kept_changed} == {"acl"}


def test_what_is_there_already_is_made_again_without_a_record() -> None:
    cluster = Cluster()
    create(cluster, READ_ORDERS, READ_ORDERS)
    end = cluster.image.next_offset
    assert create(cluster, READ_ORDERS) == [ErrorCode.NONE]
    assert cluster.image.next_offset == end
    assert kept(cluster) == [READ_ORDERS]


def test_each_filter_is_told_all_of_its_matches_and_they_are_gone() -> None:
    cluster = Cluster()
    create(cluster, READ_ORDERS, WRITE_ORDERS)
    writing = ANY._replace(operation=4)
    nothing = ANY._replace(resource_type=3)
    told = cluster.do(decide_delete_acls(cluster.image, [writing, nothing, writing]))
    assert told == [[WRITE_ORDERS], [], [WRITE_ORDERS]]
    assert kept(cluster) == [READ_ORDERS]


def test_a_filter_of_a_later_protocol_spares_what_a_later_kafka_wrote() -> None:
    cluster = Cluster()
    later = AccessControlEntryRecord(
        id=b"written by later",
        resource_type=99,
        resource_name="x",
        pattern_type=3,
        principal="User:alice",
        host="*",
        operation=3,
        permission_type=3,
    )
    cluster.do(Decision((later,), None))
    meant = ANY._replace(resource_type=99)
    assert cluster.do(decide_delete_acls(cluster.image, [meant])) == [[]]
    assert len(kept(cluster)) == 1


def test_entries_are_in_a_snapshot() -> None:
    cluster = Cluster()
    create(cluster, READ_ORDERS, WRITE_ORDERS)
    names = [type(record).__name__ for record in snapshot_records(cluster.image)]
    assert names.count("AccessControlEntryRecord") == 2


def test_a_request_is_bounded() -> None:
    cluster = Cluster()
    many = [READ_ORDERS] * (ACLS_CHANGED_PER_REQUEST_MAX + 1)
    with pytest.raises(ProtocolError) as refused:
        create(cluster, *many)
    assert refused.value.code is ErrorCode.POLICY_VIOLATION
    create(cluster, READ_ORDERS)
    cluster.do(decide_delete_acls(cluster.image, [ANY] * len(many)))
    assert kept(cluster) == []


def test_filters_are_bounded_by_the_entries_that_each_looks_at() -> None:
    cluster = Cluster()
    create(cluster, READ_ORDERS, WRITE_ORDERS)
    nothing = ANY._replace(resource_type=3)
    some = [nothing] * (ACLS_COMPARED_PER_REQUEST_MAX // 2 + 1)
    with pytest.raises(ProtocolError) as refused:
        decide_delete_acls(cluster.image, some)
    assert refused.value.code is ErrorCode.POLICY_VIOLATION
    assert cluster.do(decide_delete_acls(cluster.image, [nothing, ANY])) == [
        [],
        [READ_ORDERS, WRITE_ORDERS],
    ]
