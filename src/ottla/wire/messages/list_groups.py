"""ListGroups (key 16): the groups that this broker coordinates, of every type.

Versions: 1 throttle time · 3 flexible · 4 states (KIP-518) · 5 types (KIP-848).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Message,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=16, versions="0-5", flexible="3+")
class ListGroupsRequest(Message, kw_only=True):
    """Which groups; an empty filter lets all pass."""

    states_filter: Annotated[Array[String], since(4)] = []
    types_filter: Annotated[Array[String], since(5)] = []
    """"classic", "consumer", "share", "streams"; case does not matter."""


@message(key=16, versions="0-5", flexible="3+")
class ListGroupsResponse(Message, kw_only=True):
    """The groups; with an error, some or all are missing.

    COORDINATOR_LOAD_IN_PROGRESS, COORDINATOR_NOT_AVAILABLE. Without the right to see all groups,
    those that may be described.
    """

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    groups: Array[ListedGroup] = []


class ListedGroup(Structure, kw_only=True):
    """One group."""

    group_id: String
    protocol_type: String = ""
    """Empty for a group that only keeps offsets."""
    group_state: Annotated[String, since(4), ignorable] = ""
    group_type: Annotated[String, since(5), ignorable] = ""
