"""DescribeGroups (key 15): state and members of classic groups.

Versions: 1 throttle time · 3 authorized operations (KIP-430) · 4 static members (KIP-345) ·
5 flexible · 6 says so when a group is not there (KIP-1043).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Bytes,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
)

OPERATIONS_NOT_ASKED = -(2**31)
"""The bit field of authorized operations when the client did not ask for it."""


@message(key=15, versions="0-6", flexible="5+")
class DescribeGroupsRequest(Message, kw_only=True):
    """Groups to describe."""

    groups: Array[String]
    include_authorized_operations: Annotated[Bool, since(3)] = False


@message(key=15, versions="0-6", flexible="5+")
class DescribeGroupsResponse(Message, kw_only=True):
    """Each of the groups."""

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    groups: Array[DescribedGroup] = []


class DescribedGroup(Structure, kw_only=True):
    """One group.

    GROUP_ID_NOT_FOUND since version 6, and the state "Dead" without an error before it;
    INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    error_message: Annotated[NullableString, since(6)] = None
    group_id: String
    group_state: String = ""
    """"Empty", "PreparingRebalance", "CompletingRebalance", "Stable" or "Dead"."""
    protocol_type: String = ""
    protocol_data: String = ""
    """The name of the protocol that was chosen; empty unless the group is stable."""
    members: Array[DescribedGroupMember] = []
    authorized_operations: Annotated[Int32, since(3)] = OPERATIONS_NOT_ASKED


class DescribedGroupMember(Structure, kw_only=True):
    """A member; metadata and assignment are empty unless the group is stable."""

    member_id: String
    group_instance_id: Annotated[NullableString, since(4), ignorable] = None
    client_id: String
    client_host: String
    member_metadata: Bytes = b""
    member_assignment: Bytes = b""
