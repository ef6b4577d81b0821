"""Groups of the classic protocol, as records of `__consumer_offsets`: one whole record a group."""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import group_record_key, group_record_value
from ottla.wire.schema import (
    Array,
    Bytes,
    Int32,
    Int64,
    NullableString,
    Payload,
    String,
    Structure,
    ignorable,
    since,
)


@group_record_key(2)
class GroupMetadataKey(Payload, kw_only=True):
    """A group."""

    group: String


@group_record_value(2, versions="0-4", flexible="4+")
class GroupMetadataValue(Payload, kw_only=True):
    """All that is known of the group, its members included."""

    protocol_type: String
    generation: Int32
    protocol: NullableString
    leader: NullableString
    current_state_timestamp: Annotated[Int64, since(2), ignorable] = -1
    members: Array[MemberMetadata]


class MemberMetadata(Structure, kw_only=True):
    """A member; `subscription` and `assignment` are what clients wrote into them."""

    member_id: String
    group_instance_id: Annotated[NullableString, since(3), ignorable] = None
    client_id: String
    client_host: String
    rebalance_timeout: Annotated[Int32, since(1), ignorable] = -1
    session_timeout: Int32
    subscription: Bytes
    assignment: Bytes
