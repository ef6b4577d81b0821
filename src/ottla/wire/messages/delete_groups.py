"""DeleteGroups (key 42): remove empty groups and the positions they have kept (KIP-229).

Versions: 1 answers before it throttles · 2 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Message, String, Structure, message


@message(key=42, versions="0-2", flexible="2+")
class DeleteGroupsRequest(Message, kw_only=True):
    """Groups to remove."""

    groups_names: Array[String]


@message(key=42, versions="0-2", flexible="2+")
class DeleteGroupsResponse(Message, kw_only=True):
    """What became of each group."""

    throttle_time_ms: Int32 = 0
    results: Array[DeletableGroupResult] = []


class DeletableGroupResult(Structure, kw_only=True):
    """What became of one group.

    NON_EMPTY_GROUP, GROUP_ID_NOT_FOUND, INVALID_GROUP_ID, NOT_COORDINATOR,
    COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED.
    """

    group_id: String
    error_code: Int16 = 0
