"""Passwords are set and removed, one for each mechanism of a user."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX, SCRAM_SALT_BYTES_MAX
from ottla.metadata.scram_credentials import decide_alter_scram_credentials, scram_credentials
from ottla.metadata.snapshot import snapshot_records
from ottla.security.scram import Mechanism, keys_of
from ottla.wire.messages.alter_user_scram_credentials import (
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from tests.support.cluster import Cluster

SALTED = b"salted password"


def upsertion(user: str, mechanism: int = 1, iterations: int = 4096) -> ScramCredentialUpsertion:
    return ScramCredentialUpsertion(
        name=user,
        mechanism=mechanism,
        iterations=iterations,
        salt=b"salt",
        salted_password=SALTED,
    )


def deletion(user: str, mechanism: int = 1) -> ScramCredentialDeletion:
    return ScramCredentialDeletion(name=user, mechanism=mechanism)


def alter(
    cluster: Cluster, *asked: ScramCredentialDeletion | ScramCredentialUpsertion
) -> dict[str, ErrorCode]:
    results = cluster.do(
        decide_alter_scram_credentials(
            cluster.image,
            [each for each in asked if isinstance(each, ScramCredentialDeletion)],
            [each for each in asked if isinstance(each, ScramCredentialUpsertion)],
        )
    )
    return {result.user: result.error_code for result in results}


def test_a_password_is_kept_as_keys_only() -> None:
    cluster = Cluster()
    assert alter(cluster, upsertion("alice", 2, 8192)) == {"alice": ErrorCode.NONE}
    (kept,) = scram_credentials(cluster.image)["alice"]
    keys = keys_of(Mechanism.SCRAM_SHA_512, SALTED)
    assert (kept.stored_key, kept.server_key) == (keys.stored, keys.server)
    assert (kept.mechanism, kept.iterations, kept.salt) == (2, 8192, b"salt")
    assert SALTED not in (kept.stored_key, kept.server_key, kept.salt)
    assert kept in list(snapshot_records(cluster.image))


def test_a_user_has_one_password_for_each_mechanism() -> None:
    cluster = Cluster()
    alter(cluster, upsertion("alice", 1))
    alter(cluster, upsertion("alice", 2))
    alter(cluster, upsertion("alice", 1, 9999))
    found = scram_credentials(cluster.image)["alice"]
    assert sorted((each.mechanism, each.iterations) for each in found) == [(1, 9999), (2, 4096)]
    assert alter(cluster, deletion("alice", 1)) == {"alice": ErrorCode.NONE}
    (left,) = scram_credentials(cluster.image)["alice"]
    assert left.mechanism == 2


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (deletion("nobody"), ErrorCode.RESOURCE_NOT_FOUND),
        (deletion("alice", 2), ErrorCode.RESOURCE_NOT_FOUND),
        (deletion("alice", 0), ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        (deletion(""), ErrorCode.UNACCEPTABLE_CREDENTIAL),
        (upsertion(""), ErrorCode.UNACCEPTABLE_CREDENTIAL),
        (upsertion("bob", 3), ErrorCode.UNSUPPORTED_SASL_MECHANISM),
        (upsertion("bob", 1, 4095), ErrorCode.UNACCEPTABLE_CREDENTIAL),
    ],
)
def test_each_user_is_refused_by_itself(
    asked: ScramCredentialDeletion | ScramCredentialUpsertion, error: ErrorCode
) -> None:
    cluster = Cluster()
    alter(cluster, upsertion("alice"))
    told = alter(cluster, asked, upsertion("carol"))
    assert told == {asked.name: error, "carol": ErrorCode.NONE}
    assert set(scram_credentials(cluster.image)) == {"alice", "carol"}


def test_who_is_named_twice_keeps_what_he_has() -> None:
    cluster = Cluster()
    told = alter(cluster, upsertion("alice", 1), upsertion("alice", 2), upsertion("bob"))
    assert told == {"alice": ErrorCode.DUPLICATE_RESOURCE, "bob": ErrorCode.NONE}
    assert set(scram_credentials(cluster.image)) == {"bob"}


def test_a_request_changes_only_so_many() -> None:
    cluster = Cluster()
    many = [deletion(f"u{n}") for n in range(SCRAM_CREDENTIALS_CHANGED_PER_REQUEST_MAX)]
    assert len(alter(cluster, *many)) == len(many)
    with pytest.raises(ProtocolError) as refused:
        alter(cluster, *many, upsertion("one too many"))
    assert refused.value.code is ErrorCode.POLICY_VIOLATION
    assert scram_credentials(cluster.image) == {}


def test_a_salt_is_bounded() -> None:
    cluster = Cluster()
    longest, longer = upsertion("longest"), upsertion("longer")
    longest.salt = bytes(SCRAM_SALT_BYTES_MAX)
    longer.salt = bytes(SCRAM_SALT_BYTES_MAX + 1)
    assert alter(cluster, longest, longer) == {
        "longest": ErrorCode.NONE,
        "longer": ErrorCode.UNACCEPTABLE_CREDENTIAL,
    }
