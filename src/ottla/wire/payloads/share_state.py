"""How far share groups have come in each partition, as records of `__share_group_state`.

A snapshot tells all of a partition, the updates that follow it what has changed since.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import share_state_record_key, share_state_record_value
from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Int64,
    Payload,
    String,
    Structure,
    Uuid,
    tagged,
)


@share_state_record_key(0)
class ShareSnapshotKey(Payload, kw_only=True):
    """A group and a partition."""

    group_id: String
    topic_id: Uuid
    partition: Int32


@share_state_record_value(0, versions="0", flexible="0+")
class ShareSnapshotValue(Payload, kw_only=True):
    """All that is known of the partition."""

    snapshot_epoch: Int32
    state_epoch: Int32
    leader_epoch: Int32
    start_offset: Int64
    create_timestamp: Int64
    write_timestamp: Int64
    state_batches: Array[StateBatch]
    delivery_complete_count: Annotated[Int32, tagged(0)] = -1


class StateBatch(Structure, kw_only=True):
    """Offsets in one state: 0 available, 2 acknowledged, 4 archived."""

    first_offset: Int64
    last_offset: Int64
    delivery_state: Int8
    delivery_count: Int16


@share_state_record_key(1)
class ShareUpdateKey(Payload, kw_only=True):
    """A group and a partition."""

    group_id: String
    topic_id: Uuid
    partition: Int32


@share_state_record_value(1, versions="0", flexible="0+")
class ShareUpdateValue(Payload, kw_only=True):
    """What has changed; `start_offset` is -1 where it has not."""

    snapshot_epoch: Int32
    leader_epoch: Int32
    start_offset: Int64
    state_batches: Array[StateBatch]
    delivery_complete_count: Annotated[Int32, tagged(0)] = -1
