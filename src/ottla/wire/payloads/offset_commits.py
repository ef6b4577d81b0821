"""Offsets that groups have committed, as records of `__consumer_offsets`.

Kept by group and partition: the last record of a key counts, and a null value takes the offset
back.
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.payloads.coordinator import group_record_key, group_record_value
from ottla.wire.schema import Int32, Int64, Payload, String, Uuid, between, ignorable, since, tagged


@group_record_key(0)
class LegacyOffsetCommitKey(Payload, kw_only=True):
    """As `OffsetCommitKey`, in the form of before Kafka 0.9."""

    group: String
    topic: String
    partition: Int32


@group_record_value(0, versions="0", flexible="none")
class LegacyOffsetCommitValue(Payload, kw_only=True):
    """As `OffsetCommitValue`; newer brokers write `OffsetCommitValue` alone."""

    offset: Int64
    metadata: String
    commit_timestamp: Int64


@group_record_key(1)
class OffsetCommitKey(Payload, kw_only=True):
    """A group and a partition."""

    group: String
    topic: String
    partition: Int32


@group_record_value(1, versions="0-4", flexible="4+")
class OffsetCommitValue(Payload, kw_only=True):
    """The next offset that the group wants of the partition."""

    offset: Int64
    leader_epoch: Annotated[Int32, since(3), ignorable] = -1
    metadata: String
    commit_timestamp: Int64
    expire_timestamp: Annotated[Int64, between(1, 1), ignorable] = -1
    topic_id: Annotated[Uuid, since(4), tagged(0), ignorable] = ZERO_UUID
