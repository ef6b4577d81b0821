"""SaslAuthenticate (key 36): one step of a SASL exchange (KIP-152).

Versions: 1 tells how long the session lives (KIP-368) · 2 flexible.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Bytes,
    Int16,
    Int64,
    Message,
    NullableString,
    ignorable,
    message,
    since,
)


@message(key=36, versions="0-2", flexible="2+")
class SaslAuthenticateRequest(Message, kw_only=True):
    """What the client's mechanism says."""

    auth_bytes: Bytes


@message(key=36, versions="0-2", flexible="2+")
class SaslAuthenticateResponse(Message, kw_only=True):
    """What the broker's mechanism says. SASL_AUTHENTICATION_FAILED, ILLEGAL_SASL_STATE."""

    error_code: Int16 = 0
    error_message: NullableString = None
    auth_bytes: Bytes = b""
    session_lifetime_ms: Annotated[Int64, since(1), ignorable] = 0
    """Until the client must authenticate again; 0 for as long as the connection lives."""
