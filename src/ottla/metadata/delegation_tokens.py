"""Delegation tokens in the metadata log: made, renewed, ended by their owners (KIP-48, KIP-373).

The log has no secret: it follows from the token's id and the key that brokers are set to.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import format_uuid
from ottla.base.limits import DELEGATION_TOKENS_MAX
from ottla.base.world import Rng
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.security.tokens import USER, Principal, secret_of, shorter_ms
from ottla.wire.payloads.metadata import DelegationTokenRecord, RemoveDelegationTokenRecord


class TokenRules(NamedTuple):
    """What brokers are set to: their key, the longest life, and the longest time to a renewal."""

    secret_key: str
    life_ms_max: int
    renewal_ms_max: int


class WantedToken(NamedTuple):
    """A token to make: whose, who asks, who may renew it, for how long at most (0: as long as
    may be)."""

    owner: Principal
    requester: Principal
    renewers: Sequence[Principal]
    life_ms: int


def tokens(image: MetadataImage) -> Iterator[DelegationTokenRecord]:
    """All tokens, those that are over but not swept up among them."""
    for record in image.kept.values():
        if isinstance(record, DelegationTokenRecord):
            yield record


def decide_create_token(
    image: MetadataImage, wanted: WantedToken, *, rules: TokenRules, rng: Rng, now_ms: int
) -> Decision[DelegationTokenRecord]:
    """Raises ProtocolError(INVALID_PRINCIPAL_TYPE, POLICY_VIOLATION)."""
    if any(renewer.kind != USER for renewer in wanted.renewers):
        raise ProtocolError(
            ErrorCode.INVALID_PRINCIPAL_TYPE, f"only a {USER} can renew a delegation token"
        )
    if sum(1 for _ in tokens(image)) >= DELEGATION_TOKENS_MAX:
        raise ProtocolError(
            ErrorCode.POLICY_VIOLATION, f"the cluster has {DELEGATION_TOKENS_MAX} tokens already"
        )
    max_timestamp = now_ms + shorter_ms(rules.life_ms_max, wanted.life_ms)
    record = DelegationTokenRecord(
        owner=str(wanted.owner),
        requester=str(wanted.requester),
        renewers=[str(renewer) for renewer in wanted.renewers],
        issue_timestamp=now_ms,
        max_timestamp=max_timestamp,
        expiration_timestamp=min(max_timestamp, now_ms + rules.renewal_ms_max),
        token_id=format_uuid(rng.uuid()),
    )
    return Decision((record,), record)


def decide_renew_token(
    image: MetadataImage,
    secret: bytes,
    asker: Principal,
    period_ms: int,
    *,
    rules: TokenRules,
    now_ms: int,
) -> Decision[int]:
    """Let a token live for a period from now; the reply is when it ends.

    Raises ProtocolError(DELEGATION_TOKEN_NOT_FOUND, _EXPIRED, _OWNER_MISMATCH).
    """
    token = _token_of(image, secret, rules)
    _check_alive(token, now_ms)
    _check_part(token, asker)
    period_ms = shorter_ms(rules.renewal_ms_max, period_ms)
    ends_ms = min(token.max_timestamp, now_ms + period_ms)
    return Decision((replace(token, expiration_timestamp=ends_ms),), ends_ms)


def decide_expire_token(
    image: MetadataImage,
    secret: bytes,
    asker: Principal,
    period_ms: int,
    *,
    rules: TokenRules,
    now_ms: int,
) -> Decision[int]:
    """Let a token end after a period from now, at once below 0; the reply is when.

    One that is over can still be ended at once. Raises
    ProtocolError(DELEGATION_TOKEN_NOT_FOUND, _OWNER_MISMATCH, _EXPIRED).
    """
    token = _token_of(image, secret, rules)
    _check_part(token, asker)
    if period_ms < 0:
        return Decision((RemoveDelegationTokenRecord(token_id=token.token_id),), now_ms)
    _check_alive(token, now_ms)
    ends_ms = min(token.max_timestamp, now_ms + period_ms)
    return Decision((replace(token, expiration_timestamp=ends_ms),), ends_ms)


def decide_sweep_tokens(image: MetadataImage, *, now_ms: int) -> Decision[int]:
    """Forget the tokens that are over; the reply is how many there were."""
    gone = tuple(
        RemoveDelegationTokenRecord(token_id=token.token_id)
        for token in tokens(image)
        if _is_over(token, now_ms)
    )
    return Decision(gone, len(gone))


def _token_of(image: MetadataImage, secret: bytes, rules: TokenRules) -> DelegationTokenRecord:
    for token in tokens(image):
        if hmac.compare_digest(secret_of(token.token_id, rules.secret_key), secret):
            return token
    raise ProtocolError(ErrorCode.DELEGATION_TOKEN_NOT_FOUND, "no token has this secret")


def _check_part(token: DelegationTokenRecord, asker: Principal) -> None:
    """Its owner and its renewers may say how long a token lives, not who asked for it."""
    if str(asker) not in (token.owner, *token.renewers):
        raise ProtocolError(
            ErrorCode.DELEGATION_TOKEN_OWNER_MISMATCH, "it is not the asker's token"
        )


def _check_alive(token: DelegationTokenRecord, now_ms: int) -> None:
    if _is_over(token, now_ms):
        raise ProtocolError(ErrorCode.DELEGATION_TOKEN_EXPIRED, "the token is over")


def _is_over(token: DelegationTokenRecord, now_ms: int) -> bool:
    return min(token.max_timestamp, token.expiration_timestamp) < now_ms
