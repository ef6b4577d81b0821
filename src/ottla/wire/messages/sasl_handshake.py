"""SaslHandshake (key 17): which mechanism a client wants to authenticate by (KIP-43).

Versions: 1 is followed by SaslAuthenticate; after 0 tokens come without any frame of Kafka's.
Never flexible: old clients could not read what they ask before they know versions (KAFKA-9577).
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Message, String, message


@message(key=17, versions="0-1", flexible="none")
class SaslHandshakeRequest(Message, kw_only=True):
    """The mechanism."""

    mechanism: String


@message(key=17, versions="0-1", flexible="none")
class SaslHandshakeResponse(Message, kw_only=True):
    """What there is. UNSUPPORTED_SASL_MECHANISM, ILLEGAL_SASL_STATE."""

    error_code: Int16 = 0
    mechanisms: Array[String] = []
