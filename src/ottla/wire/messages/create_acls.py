"""CreateAcls (key 30): allow and deny.

Versions: 1 prefixes (KIP-290) · 2 flexible · 3 resources of type user (KIP-48).
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=30, versions="1-3", flexible="2+")
class CreateAclsRequest(Message, kw_only=True):
    """Entries to make."""

    creations: Array[AclCreation]


class AclCreation(Structure, kw_only=True):
    """One entry."""

    resource_type: Int8
    resource_name: String
    resource_pattern_type: Int8 = 3
    """3 literal, 4 prefixed."""
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


@message(key=30, versions="1-3", flexible="2+")
class CreateAclsResponse(Message, kw_only=True):
    """What became of each, in the order of the request."""

    throttle_time_ms: Int32 = 0
    results: Array[AclCreationResult] = []


class AclCreationResult(Structure, kw_only=True):
    """What became of one entry.

    SECURITY_DISABLED, INVALID_REQUEST, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
