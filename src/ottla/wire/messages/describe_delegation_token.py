"""DescribeDelegationToken (key 41): the tokens there are (KIP-48).

Versions: 2 flexible · 3 who asked for it (KIP-373).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bytes,
    Int16,
    Int32,
    Int64,
    Message,
    NullableArray,
    String,
    Structure,
    message,
    since,
)


@message(key=41, versions="1-3", flexible="2+")
class DescribeDelegationTokenRequest(Message, kw_only=True):
    """Whose tokens; null for all."""

    owners: NullableArray[DescribeDelegationTokenOwner] = None


class DescribeDelegationTokenOwner(Structure, kw_only=True):
    """One owner."""

    principal_type: String
    principal_name: String


@message(key=41, versions="1-3", flexible="2+")
class DescribeDelegationTokenResponse(Message, kw_only=True):
    """The tokens, secrets included.

    DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED.
    """

    error_code: Int16 = 0
    tokens: Array[DescribedDelegationToken] = []
    throttle_time_ms: Int32 = 0


class DescribedDelegationToken(Structure, kw_only=True):
    """One token."""

    principal_type: String
    principal_name: String
    token_requester_principal_type: Annotated[String, since(3)] = ""
    token_requester_principal_name: Annotated[String, since(3)] = ""
    issue_timestamp: Int64
    expiry_timestamp: Int64
    max_timestamp: Int64
    token_id: String
    hmac: Bytes
    renewers: Array[DescribedDelegationTokenRenewer] = []


class DescribedDelegationTokenRenewer(Structure, kw_only=True):
    """Somebody who may renew it."""

    principal_type: String
    principal_name: String
