"""DescribeClientQuotas (key 48): quotas of users, clients and addresses (KIP-546).

Versions: 1 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Bool,
    Float64,
    Int8,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=48, versions="0-1", flexible="1+")
class DescribeClientQuotasRequest(Message, kw_only=True):
    """What a quota must be for; every component must match."""

    components: Array[ComponentData]
    strict: Bool
    """Leave out what has other parts, too."""


class ComponentData(Structure, kw_only=True):
    """One part of whom a quota is for."""

    entity_type: String
    """"user", "client-id" or "ip"."""
    match_type: Int8
    """0 this name, 1 the default, 2 any."""
    match: NullableString = None


@message(key=48, versions="0-1", flexible="1+")
class DescribeClientQuotasResponse(Message, kw_only=True):
    """The quotas. CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    entries: NullableArray[EntryData] = None


class EntryData(Structure, kw_only=True):
    """The quotas of one entity."""

    entity: Array[EntityData] = []
    values: Array[ValueData] = []


class EntityData(Structure, kw_only=True):
    """One part of whom a quota is for."""

    entity_type: String
    """"user", "client-id" or "ip"."""
    entity_name: NullableString = None
    """Null for the default."""


class ValueData(Structure, kw_only=True):
    """One quota."""

    key: String
    value: Float64
