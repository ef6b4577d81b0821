"""Requests that create and delete topics, and what their answers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import ZERO_UUID
from ottla.testing.settings import SettingValue, text_of
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreatableTopicConfig,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

TOPICS_BY_ID_SINCE: Final = 6
"""The first version of DeleteTopics that can name topics by their ids."""

_TIMEOUT_MS: Final = 30_000


def creation(
    name: str, partitions: int, configs: Mapping[str, SettingValue]
) -> CreateTopicsRequest:
    """For one topic with one replica of each partition."""
    topic = CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=1,
        assignments=[],
        configs=[
            CreatableTopicConfig(name=key, value=text_of(value)) for key, value in configs.items()
        ],
    )
    return CreateTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)


def created(response: CreateTopicsResponse) -> None:
    """Raises ProtocolError where the broker refused."""
    (done,) = response.topics
    _raise_refusal(done.error_code, done.error_message or done.name)


def deletion(name: str, *, version: int) -> DeleteTopicsRequest:
    """For one topic, by its name."""
    if version < TOPICS_BY_ID_SINCE:
        return DeleteTopicsRequest(topic_names=[name], timeout_ms=_TIMEOUT_MS)
    topic = DeleteTopicState(name=name, topic_id=ZERO_UUID)
    return DeleteTopicsRequest(topics=[topic], timeout_ms=_TIMEOUT_MS)


def deleted(name: str, response: DeleteTopicsResponse) -> None:
    """Raises ProtocolError where the broker refused."""
    (done,) = response.responses
    _raise_refusal(done.error_code, done.error_message or name)


def _raise_refusal(error_code: int, message: str) -> None:
    if error_code != ErrorCode.NONE:
        raise ProtocolError(ErrorCode(error_code), message)
