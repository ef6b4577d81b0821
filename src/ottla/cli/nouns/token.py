"""Delegation tokens on the command line: principals, secrets, rows."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from ottla.client.admin.tokens import DelegationToken, Principal

COLUMNS: Final = {
    "token_id": "token",
    "owner": "owner",
    "requester": "asked for by",
    "renewers": "renewers",
    "issued_at_ms": "issued",
    "expires_at_ms": "expires",
    "latest_expiry_at_ms": "at the latest",
}
WITH_SECRET: Final = {**COLUMNS, "hmac": "secret"}


def principal_of(text: str, option: str) -> Principal:
    """`User:alice`. Raises BadParameter."""
    from ottla.client.admin.tokens import Principal

    kind, colon, name = text.partition(":")
    if not colon or not kind or not name:
        raise click.BadParameter(f"takes KIND:NAME as User:alice, not {text!r}", param_hint=option)
    return Principal(kind, name)


def secret_of(text: str) -> bytes:
    """In base64, as it was shown when the token was made. Raises BadParameter."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise click.BadParameter("takes a token's secret, in base64", param_hint="SECRET") from None


def token_row(token: DelegationToken) -> dict[str, object]:
    """All of it."""
    return {
        "token_id": token.token_id,
        "hmac": base64.b64encode(token.hmac).decode(),
        "owner": str(token.owner),
        "requester": None if token.requester is None else str(token.requester),
        "renewers": list(map(str, token.renewers)),
        "issued_at_ms": token.issued_at_ms,
        "expires_at_ms": token.expires_at_ms,
        "latest_expiry_at_ms": token.expires_at_latest_ms,
    }
