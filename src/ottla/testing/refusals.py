"""What a broker says when it refuses a request whole: made from the request, for any API.

The answer names what the request names - topics, partitions, groups - and carries the error in
every place where one can stand. It is found by comparing the two declarations, so that an API
declared tomorrow can be refused, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from ottla.base.errors import ErrorCode
from ottla.wire.messages.api_versions import ApiVersion, ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.describe_log_dirs import (
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
    DescribeLogDirsResult,
)
from ottla.wire.messages.fetch import FetchRequest, FetchResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.schema import (
    ArrayOf,
    Blob,
    Field,
    FieldType,
    Fixed,
    Message,
    RecordBytes,
    Structure,
    StructureOf,
    Text,
    fields_of,
    responses,
)

ERRORS_OF_ITEMS: Final = frozenset(
    {
        ErrorCode.OFFSET_OUT_OF_RANGE,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INCONSISTENT_TOPIC_ID,
        ErrorCode.LEADER_NOT_AVAILABLE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.UNKNOWN_LEADER_EPOCH,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
        ErrorCode.KAFKA_STORAGE_ERROR,
        ErrorCode.UNSTABLE_OFFSET_COMMIT,
        ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC,
    }
)
"""Errors of a topic or a partition: clients do not expect them where the whole request fails."""

ERRORS_OF_SESSIONS: Final = frozenset(
    {
        ErrorCode.FETCH_SESSION_ID_NOT_FOUND,
        ErrorCode.INVALID_FETCH_SESSION_EPOCH,
        ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR,
    }
)
"""The only errors of a whole Fetch; all others are told for each partition."""

NO_SESSION: Final = 0

_ALIASES: Final = {"partition_index": "partition", "topic_name": "name"}
"""Names in answers, and what the same is called in the request."""


def refused(request: Message, error: ErrorCode, *, version: int) -> tuple[Message, int]:
    """The answer that refuses `request`, and the version in which it is to be written."""
    if isinstance(request, ApiVersionsRequest) and error is ErrorCode.UNSUPPORTED_VERSION:
        oldest = ApiVersion(api_key=ApiVersionsRequest.API_KEY, min_version=0, max_version=0)
        return ApiVersionsResponse(error_code=error, api_keys=[oldest]), 0
    if isinstance(request, DescribeLogDirsRequest):
        # Its items are directories, which the request does not name.
        result = DescribeLogDirsResult(error_code=error, log_dir="", topics=[])
        return DescribeLogDirsResponse(error_code=error, results=[result]), version
    mirror = _Mirror(error, version, by_item=_is_told_by_item(request, error))
    response = mirror.of(responses[request.API_KEY], request)
    assert isinstance(response, Message)
    if isinstance(response, FetchResponse):
        # The broker has not seen what the request says of the session: there is none from now on.
        response.session_id = NO_SESSION
    return response, version


def can_fail(request: Message) -> bool:
    """Whether a refusal of this very request would be seen by who sent it.

    A Metadata request that names no topic only looks for brokers; a Fetch that continues a session
    names only the partitions that have changed.
    """
    if isinstance(request, MetadataRequest):
        return request.topics != []
    return not (isinstance(request, FetchRequest) and request.session_epoch > 0)


def failed_metadata(response: MetadataResponse, error: ErrorCode) -> None:
    """Put the error into an answer of the broker, whose addresses are needed all the same."""
    for topic in response.topics:
        topic.error_code = error
        topic.partitions = []
    if error is ErrorCode.REBOOTSTRAP_REQUIRED:
        response.error_code = error


def _is_told_by_item(request: Message, error: ErrorCode) -> bool:
    if isinstance(request, FetchRequest):
        return error not in ERRORS_OF_SESSIONS
    return error in ERRORS_OF_ITEMS


class _Mirror:
    """Makes structures of an answer that look like those of the request."""

    def __init__(self, error: ErrorCode, version: int, *, by_item: bool) -> None:
        self._error = error
        self._version = version
        self._by_item = by_item

    def of(self, cls: type[Structure], asked: Any) -> Structure:
        """`asked` is the structure, or the bare name or number, that the request has there."""
        values = {field.name: self._value(field, asked) for field in fields_of(cls)}
        if not isinstance(asked, Structure):
            values[_name_of_item(cls)] = asked
        if (
            self._by_item
            and "error_code" in values
            and any(map(_is_list_of_items, values.values()))
        ):
            values["error_code"] = ErrorCode.NONE
        return cls(**values)

    def _value(self, field: Field, asked: Any) -> Any:
        if self._version not in field.versions:
            return _nothing(field)
        if _is_error(field):
            return self._error
        if _carries_error(field.type):
            return self._items(field, asked)
        if isinstance(field.type, Fixed | Text) and isinstance(asked, Structure):
            return getattr(asked, _name_in(asked, field), _nothing(field))
        return _nothing(field)

    def _items(self, field: Field, asked: Any) -> list[Structure]:
        assert isinstance(field.type, ArrayOf)
        assert isinstance(field.type.element, StructureOf)
        cls = field.type.element.cls
        return [self.of(cls, item) for item in self._asked_items(field, asked)]

    def _asked_items(self, field: Field, asked: Any) -> Iterable[Any]:
        """What the request lists in the place of this field: by its name, or its first list."""
        if not isinstance(asked, Structure):
            return ()
        lists = [
            theirs.name
            for theirs in fields_of(type(asked))
            if isinstance(theirs.type, ArrayOf) and self._version in theirs.versions
        ]
        name = field.name if field.name in lists else next(iter(lists), None)
        found: list[Any] | None = getattr(asked, name) if name is not None else None
        if field.name == "results" and found and hasattr(found[0], "path"):
            # AlterReplicaLogDirs asks by directory and answers by topic.
            return [topic for directory in found for topic in directory.topics]
        return found or ()


def _is_list_of_items(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _is_error(field: Field) -> bool:
    return field.name in ("error_code", "partition_error_code")


def _carries_error(type_: FieldType) -> bool:
    """Whether it is a list of things that may each have failed."""
    if not (isinstance(type_, ArrayOf) and isinstance(type_.element, StructureOf)):
        return False
    fields = fields_of(type_.element.cls)
    return any(_is_error(field) or _carries_error(field.type) for field in fields)


def _name_in(asked: Any, field: Field) -> str:
    return field.name if hasattr(asked, field.name) else _ALIASES.get(field.name, field.name)


def _name_of_item(cls: type[Structure]) -> str:
    """The field that tells an item from others: the first that is no error."""
    return next(
        field.name
        for field in fields_of(cls)
        if isinstance(field.type, Fixed | Text) and not field.name.startswith("error_")
    )


def _nothing(field: Field) -> Any:
    """A value that says nothing: the default where there is one."""
    if isinstance(field.default, int | float | str | bytes | type(None)):
        return field.default
    match field.type:
        case ArrayOf():
            return []
        case Text(nullable=True) | Blob(nullable=True) | RecordBytes(nullable=True):
            return None
        case Text():
            return ""
        case Fixed(format="?"):
            return False
        case Fixed(format="16s"):
            return bytes(16)
        case Fixed():
            return -1
        case StructureOf() if field.nullable.max >= 0:
            return None
        case _:
            return b""
