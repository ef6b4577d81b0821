"""Delegation tokens: their secrets and their lives (KIP-48)."""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple


class Principal(NamedTuple):
    """Somebody, by kind and name; written `User:alice`."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


USER: Final = "User"
ANONYMOUS: Final = Principal(USER, "ANONYMOUS")
"""Whoever talks to a listener that asks nobody who he is."""


def parse_principal(text: str) -> Principal:
    """`User:alice`; all before the first colon is the kind. Raises ValueError."""
    kind, colon, name = text.partition(":")
    if not colon:
        raise ValueError(f"a principal is a kind and a name, as User:alice, not {text!r}")
    return Principal(kind, name)


def secret_of(token_id: str, secret_key: str) -> bytes:
    """The token's secret, by which it is named in requests and logged in with."""
    return hmac.digest(secret_key.encode(), token_id.encode(), "sha512")


def shorter_ms(longest_ms: int, asked_ms: int) -> int:
    """What is asked for, within what the broker allows; all of that for 0 and below."""
    return min(longest_ms, asked_ms) if asked_ms > 0 else longest_ms
