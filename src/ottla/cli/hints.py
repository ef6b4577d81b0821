"""What a person can do about refusals whose codes do not say it."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode

_HINTS: Final = {
    ErrorCode.SECURITY_DISABLED: "the brokers have no authorizer.class.name: they allow everything",
    ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED: "the brokers have no delegation.token.secret.key",
    ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: (
        "tokens are for connections whose user is known, by SASL or by a certificate"
    ),
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED: "ask for an ACL on the cluster: ottla acl create",
}


def hint_for(error: Exception) -> str:
    """As a further line, or nothing."""
    code = getattr(error, "code", None)
    hint = _HINTS.get(code) if isinstance(code, ErrorCode) else None
    return "" if hint is None else f"\n  {hint}"
