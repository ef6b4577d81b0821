"""DescribeAcls (key 29): who may do what.

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


@message(key=29, versions="1-3", flexible="2+")
class DescribeAclsRequest(Message, kw_only=True):
    """What an entry must match; null for any."""

    resource_type_filter: Int8
    resource_name_filter: NullableString = None
    pattern_type_filter: Int8 = 3
    """1 any, 2 whatever covers the name, 3 literal, 4 prefixed."""
    principal_filter: NullableString = None
    host_filter: NullableString = None
    operation: Int8
    permission_type: Int8


@message(key=29, versions="1-3", flexible="2+")
class DescribeAclsResponse(Message, kw_only=True):
    """The entries. SECURITY_DISABLED, CLUSTER_AUTHORIZATION_FAILED."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    resources: Array[DescribeAclsResource] = []


class DescribeAclsResource(Structure, kw_only=True):
    """The entries of one resource."""

    resource_type: Int8
    resource_name: String
    pattern_type: Int8 = 3
    """3 literal, 4 prefixed."""
    acls: Array[AclDescription] = []


class AclDescription(Structure, kw_only=True):
    """One entry."""

    principal: String
    host: String
    operation: Int8
    permission_type: Int8
