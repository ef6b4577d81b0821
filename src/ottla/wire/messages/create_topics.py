"""CreateTopics (key 19): make topics, each on its own: one may fail and the next succeed.

Versions: 4 defaults for partitions and replicas by -1 (KIP-464) · 5 flexible, answers with the
topic's configuration (KIP-525) · 6 may answer THROTTLING_QUOTA_EXCEEDED (KIP-599) · 7 topic id.
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    Uuid,
    ignorable,
    message,
    since,
    tagged,
)


@message(key=19, versions="2-7", flexible="5+")
class CreateTopicsRequest(Message, kw_only=True):
    """Topics to make; with `validate_only`, only the verdict."""

    topics: Array[CreatableTopic]
    timeout_ms: Int32 = 60000
    validate_only: Bool = False


class CreatableTopic(Structure, kw_only=True):
    """One topic to make."""

    name: String
    num_partitions: Int32
    """-1 for the default, or with `assignments`."""
    replication_factor: Int16
    """-1 for the default, or with `assignments`."""
    assignments: Array[CreatableReplicaAssignment]
    configs: Array[CreatableTopicConfig]


class CreatableReplicaAssignment(Structure, kw_only=True):
    """A partition's brokers, the preferred leader first."""

    partition_index: Int32
    broker_ids: Array[Int32]


class CreatableTopicConfig(Structure, kw_only=True):
    """One setting of the topic; null for its default."""

    name: String
    value: NullableString


@message(key=19, versions="2-7", flexible="5+")
class CreateTopicsResponse(Message, kw_only=True):
    """What became of each topic."""

    throttle_time_ms: Int32 = 0
    topics: Array[CreatableTopicResult] = []


class CreatableTopicResult(Structure, kw_only=True):
    """What became of one topic.

    TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR,
    INVALID_REPLICA_ASSIGNMENT, INVALID_CONFIG, INVALID_REQUEST for a name given twice,
    POLICY_VIOLATION, THROTTLING_QUOTA_EXCEEDED, TOPIC_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    name: String
    topic_id: Annotated[Uuid, since(7), ignorable] = ZERO_UUID
    error_code: Int16 = 0
    error_message: NullableString = None
    num_partitions: Annotated[Int32, since(5), ignorable] = -1
    replication_factor: Annotated[Int16, since(5), ignorable] = -1
    configs: Annotated[NullableArray[CreatableTopicConfigs], since(5), ignorable] = []
    topic_config_error_code: Annotated[Int16, since(5), tagged(0), ignorable] = 0
    """Why `configs` is null: TOPIC_AUTHORIZATION_FAILED."""


class CreatableTopicConfigs(Structure, kw_only=True):
    """A setting of the new topic, and where its value comes from."""

    name: String
    value: NullableString = None
    read_only: Bool = False
    config_source: Int8 = -1
    """As in DescribeConfigs."""
    is_sensitive: Bool = False
