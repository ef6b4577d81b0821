"""DeleteAcls (key 31): allow and deny no longer.

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


@message(key=31, versions="1-3", flexible="2+")
class DeleteAclsRequest(Message, kw_only=True):
    """Filters; what matches any of them goes."""

    filters: Array[DeleteAclsFilter]


class DeleteAclsFilter(Structure, kw_only=True):
    """What an entry must match; null for any."""

    resource_type_filter: Int8
    resource_name_filter: NullableString = None
    pattern_type_filter: Int8 = 3
    """1 any, 2 whatever covers the name, 3 literal, 4 prefixed."""
    principal_filter: NullableString = None
    host_filter: NullableString = None
    operation: Int8
    permission_type: Int8


@message(key=31, versions="1-3", flexible="2+")
class DeleteAclsResponse(Message, kw_only=True):
    """What became of each filter, in the order of the request."""

    throttle_time_ms: Int32 = 0
    filter_results: Array[DeleteAclsFilterResult] = []


class DeleteAclsFilterResult(Structure, kw_only=True):
    """What one filter has matched.

    SECURITY_DISABLED, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    matching_acls: Array[DeleteAclsMatchingAcl] = []


class DeleteAclsMatchingAcl(Structure, kw_only=True):
    """One entry, which is gone unless there is an error."""

    error_code: Int16 = 0
    error_message: NullableString = None
    resource_type: Int8
    resource_name: String
    pattern_type: Int8 = 3
    """3 literal, 4 prefixed."""
    principal: String
    host: String
    operation: Int8
    permission_type: Int8
