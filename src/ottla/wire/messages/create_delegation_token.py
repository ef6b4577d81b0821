"""CreateDelegationToken (key 38): a secret by which others act for a user (KIP-48).

Versions: 2 flexible · 3 for another owner (KIP-373).
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
    NullableString,
    String,
    Structure,
    message,
    since,
)


@message(key=38, versions="1-3", flexible="2+")
class CreateDelegationTokenRequest(Message, kw_only=True):
    """Whose token, and who may renew it."""

    owner_principal_type: Annotated[NullableString, since(3)] = None
    """Null for whoever asks."""
    owner_principal_name: Annotated[NullableString, since(3)] = None
    renewers: Array[CreatableRenewers]
    max_lifetime_ms: Int64
    """-1 for as long as the broker allows."""


class CreatableRenewers(Structure, kw_only=True):
    """Somebody who may renew it."""

    principal_type: String
    principal_name: String


@message(key=38, versions="1-3", flexible="2+")
class CreateDelegationTokenResponse(Message, kw_only=True):
    """The token.

    DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, INVALID_PRINCIPAL_TYPE,
    DELEGATION_TOKEN_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    principal_type: String
    principal_name: String
    token_requester_principal_type: Annotated[String, since(3)] = ""
    token_requester_principal_name: Annotated[String, since(3)] = ""
    issue_timestamp: Int64
    expiry_timestamp: Int64
    max_timestamp: Int64
    token_id: String
    hmac: Bytes
    throttle_time_ms: Int32 = 0
