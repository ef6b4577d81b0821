"""DeleteTopics (key 20): remove topics by name or, since version 6, by id.

Versions: 4 flexible · 5 error messages, THROTTLING_QUOTA_EXCEEDED (KIP-599) · 6 ids (KIP-516).
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    Uuid,
    ignorable,
    message,
    nullable,
    since,
    until,
)


@message(key=20, versions="1-6", flexible="4+")
class DeleteTopicsRequest(Message, kw_only=True):
    """Topics to remove: `topic_names` until version 5, `topics` after it."""

    topics: Annotated[Array[DeleteTopicState], since(6)] = []
    topic_names: Annotated[Array[String], until(5), ignorable] = []
    timeout_ms: Int32


class DeleteTopicState(Structure, kw_only=True):
    """A topic by name or by id, not both."""

    name: NullableString = None
    topic_id: Uuid


@message(key=20, versions="1-6", flexible="4+")
class DeleteTopicsResponse(Message, kw_only=True):
    """What became of each topic."""

    throttle_time_ms: Int32 = 0
    responses: Array[DeletableTopicResult] = []


class DeletableTopicResult(Structure, kw_only=True):
    """What became of one topic.

    UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, TOPIC_DELETION_DISABLED, INVALID_REQUEST for one
    given twice, TOPIC_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    name: Annotated[NullableString, nullable(since=6)] = None
    topic_id: Annotated[Uuid, since(6), ignorable] = ZERO_UUID
    error_code: Int16 = 0
    error_message: Annotated[NullableString, since(5), ignorable] = None
