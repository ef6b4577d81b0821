"""What clients wrote into a classic group's record, read where they are consumers."""

from __future__ import annotations

import base64
from typing import Any

from ottla.base.errors import ProtocolError
from ottla.wire.payloads.consumer_protocol import (
    PROTOCOL_TYPE,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    decode_assignment,
    decode_subscription,
    version_of,
)
from ottla.wire.payloads.plain import as_plain


def with_members_read(value: Any) -> Any:
    """A record's value with subscriptions and assignments as what they say; any other as it is."""
    data = value.get("data") if isinstance(value, dict) else None
    if not isinstance(data, dict) or data.get("protocolType") != PROTOCOL_TYPE:
        return value
    members = [_read(member) for member in data["members"]]
    return {**value, "data": {**data, "members": members}}


def _read(member: dict[str, Any]) -> dict[str, Any]:
    told = dict(member)
    for name, decode in (("subscription", decode_subscription), ("assignment", decode_assignment)):
        content = base64.b64decode(told.get(name) or "")
        version = version_of(content)
        if version is None:
            continue
        try:
            found: ConsumerProtocolSubscription | ConsumerProtocolAssignment = decode(content)
        except ProtocolError:
            continue
        told[name] = as_plain(found, min(version, found.VERSIONS.max))
    return told
