"""Delegation tokens live as long as they are renewed, and no longer than they may."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.delegation_tokens import (
    TokenRules,
    WantedToken,
    decide_create_token,
    decide_expire_token,
    decide_renew_token,
    decide_sweep_tokens,
    tokens,
)
from ottla.metadata.snapshot import snapshot_records
from ottla.security.tokens import Principal, secret_of
from ottla.wire.payloads.metadata import DelegationTokenRecord
from tests.support.cluster import Cluster

ALICE, BOB, CAROL = (Principal("User", name) for name in ("alice", "bob", "carol"))
RULES = TokenRules("key", life_ms_max=1000, renewal_ms_max=100)


def create(cluster: Cluster, now_ms: int = 0, life_ms: int = -1) -> DelegationTokenRecord:
    wanted = WantedToken(ALICE, CAROL, [BOB], life_ms)
    return cluster.do(
        decide_create_token(cluster.image, wanted, rules=RULES, rng=cluster.rng, now_ms=now_ms)
    )


def secret(token: DelegationTokenRecord) -> bytes:
    return secret_of(token.token_id, RULES.secret_key)


def renew(
    cluster: Cluster, hmac: bytes, now_ms: int, period_ms: int = -1, asker: Principal = ALICE
) -> int:
    return cluster.do(
        decide_renew_token(cluster.image, hmac, asker, period_ms, rules=RULES, now_ms=now_ms)
    )


def expire(
    cluster: Cluster, hmac: bytes, now_ms: int, period_ms: int, asker: Principal = ALICE
) -> int:
    return cluster.do(
        decide_expire_token(cluster.image, hmac, asker, period_ms, rules=RULES, now_ms=now_ms)
    )


def test_a_token_names_everybody_and_no_secret() -> None:
    cluster = Cluster()
    token = create(cluster, now_ms=5)
    assert (token.owner, token.requester, token.renewers) == (
        "User:alice",
        "User:carol",
        ["User:bob"],
    )
    assert (token.issue_timestamp, token.expiration_timestamp, token.max_timestamp) == (
        5,
        105,
        1005,
    )
    assert list(tokens(cluster.image)) == [token]
    assert token in list(snapshot_records(cluster.image))


def test_a_short_life_ends_before_the_first_renewal_would_be_due() -> None:
    token = create(Cluster(), now_ms=5, life_ms=50)
    assert (token.expiration_timestamp, token.max_timestamp) == (55, 55)


def test_only_users_renew() -> None:
    cluster = Cluster()
    wanted = WantedToken(ALICE, ALICE, [Principal("Group", "g")], -1)
    with pytest.raises(ProtocolError) as refused:
        decide_create_token(cluster.image, wanted, rules=RULES, rng=cluster.rng, now_ms=0)
    assert refused.value.code is ErrorCode.INVALID_PRINCIPAL_TYPE


def test_a_renewed_token_lives_from_now_on_but_never_beyond_its_life() -> None:
    cluster = Cluster()
    hmac = secret(create(cluster))
    assert renew(cluster, hmac, now_ms=90) == 190
    assert renew(cluster, hmac, now_ms=100, period_ms=30) == 130
    assert renew(cluster, hmac, now_ms=110, period_ms=5000, asker=BOB) == 210
    for now_ms in range(200, 1000, 100):
        renew(cluster, hmac, now_ms=now_ms)
    assert renew(cluster, hmac, now_ms=990) == 1000


def test_an_owner_ends_his_token_soon_or_at_once() -> None:
    cluster = Cluster()
    hmac = secret(create(cluster))
    assert expire(cluster, hmac, now_ms=10, period_ms=20) == 30
    assert expire(cluster, hmac, now_ms=20, period_ms=-1) == 20
    assert list(tokens(cluster.image)) == []


def test_a_token_that_is_over_is_ended_at_once_by_its_owner_and_by_nobody_else() -> None:
    cluster = Cluster()
    hmac = secret(create(cluster))
    for asker, period_ms, error in (
        (CAROL, -1, ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH),
        (CAROL, 10, ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH),
        (ALICE, 10, ErrorCode.DELEGATION_TOKEN_EXPIRED),
    ):
        with pytest.raises(ProtocolError) as refused:
            expire(cluster, hmac, 101, period_ms, asker)
        assert refused.value.code is error
    with pytest.raises(ProtocolError) as refused:
        renew(cluster, hmac, 101, asker=CAROL)
    assert refused.value.code is ErrorCode.DELEGATION_TOKEN_EXPIRED
    assert expire(cluster, hmac, 101, -1) == 101
    assert list(tokens(cluster.image)) == []


@pytest.mark.parametrize("change", [renew, expire])
def test_a_token_is_changed_by_who_has_a_part_in_it_while_it_lives(change: object) -> None:
    assert callable(change)
    cluster = Cluster()
    hmac = secret(create(cluster))

    def code(hmac: bytes, now_ms: int, asker: Principal) -> ErrorCode:
        with pytest.raises(ProtocolError) as refused:
            change(cluster, hmac, now_ms, 10, asker)
        return refused.value.code

    assert code(b"other", 0, ALICE) is ErrorCode.DELEGATION_TOKEN_NOT_FOUND
    assert code(hmac, 0, CAROL) is ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH
    assert code(hmac, 101, ALICE) is ErrorCode.DELEGATION_TOKEN_EXPIRED


def test_tokens_that_are_over_are_forgotten() -> None:
    cluster = Cluster()
    create(cluster, now_ms=0)
    young = create(cluster, now_ms=50)
    assert cluster.do(decide_sweep_tokens(cluster.image, now_ms=100)) == 0
    assert cluster.do(decide_sweep_tokens(cluster.image, now_ms=101)) == 1
    assert list(tokens(cluster.image)) == [young]
