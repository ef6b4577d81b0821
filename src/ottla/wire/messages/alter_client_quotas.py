"""AlterClientQuotas (key 49): set and remove quotas (KIP-546).

Versions: 1 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bool,
    Float64,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=49, versions="0-1", flexible="1+")
class AlterClientQuotasRequest(Message, kw_only=True):
    """Quotas to change."""

    entries: Array[EntryData]
    validate_only: Bool


class EntryData(Structure, kw_only=True):
    """The changes for one entity."""

    entity: Array[EntityData]
    ops: Array[OpData]


class EntityData(Structure, kw_only=True):
    """One part of whom a quota is for."""

    entity_type: String
    """"user", "client-id" or "ip"."""
    entity_name: NullableString = None
    """Null for the default."""


class OpData(Structure, kw_only=True):
    """One quota."""

    key: String
    value: Float64
    remove: Bool


@message(key=49, versions="0-1", flexible="1+")
class AlterClientQuotasResponse(Message, kw_only=True):
    """What became of each."""

    throttle_time_ms: Int32 = 0
    entries: Array[EntryResult] = []


class EntryResult(Structure, kw_only=True):
    """What became of one entity.

    INVALID_REQUEST, INVALID_CONFIG, CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    entity: Array[EntityOfResult] = []


class EntityOfResult(Structure, kw_only=True):
    """One part of whom a quota is for."""

    entity_type: String
    """"user", "client-id" or "ip"."""
    entity_name: NullableString = None
    """Null for the default."""
