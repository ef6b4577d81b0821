"""FindCoordinator (key 10): which broker coordinates a group, a transaction or a share.

Versions: 1 key types · 3 flexible · 4 several keys at once (KIP-699) · 5 may answer
TRANSACTION_ABORTABLE (KIP-890) · 6 share groups, key "group:topic id:partition" (KIP-932).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    between,
    ignorable,
    message,
    since,
    until,
)


@message(key=10, versions="0-6", flexible="3+")
class FindCoordinatorRequest(Message, kw_only=True):
    """Whose coordinator: `key` until version 3, `coordinator_keys` after it."""

    key: Annotated[String, until(3)] = ""
    key_type: Annotated[Int8, since(1)] = 0
    """0 group, 1 transaction, 2 share."""
    coordinator_keys: Annotated[Array[String], since(4)] = []


@message(key=10, versions="0-6", flexible="3+")
class FindCoordinatorResponse(Message, kw_only=True):
    """A broker for the key, until version 3, or for each of the keys.

    COORDINATOR_NOT_AVAILABLE, GROUP_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    INVALID_REQUEST for an unknown key type.
    """

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Annotated[Int16, until(3)] = 0
    error_message: Annotated[NullableString, between(1, 3), ignorable] = None
    node_id: Annotated[Int32, until(3)] = 0
    host: Annotated[String, until(3)] = ""
    port: Annotated[Int32, until(3)] = 0
    coordinators: Annotated[Array[Coordinator], since(4)] = []


class Coordinator(Structure, kw_only=True):
    """The broker for one key."""

    key: String
    node_id: Int32
    host: String
    port: Int32
    error_code: Int16 = 0
    error_message: NullableString = None
