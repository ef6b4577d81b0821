"""What is asked of configurations, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.metadata.image import ConfigResource


class ConfigOperation(IntEnum):
    """What to do with one key (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


class ConfigChange(NamedTuple):
    """One change of one key; the value of a deletion does not matter."""

    name: str
    operation: int
    value: str | None


class ResourceChange(NamedTuple):
    """All changes of one resource: they happen together or not at all."""

    resource: ConfigResource
    changes: Sequence[ConfigChange]


class ConfigResult(NamedTuple):
    """The answer for one resource."""

    resource: ConfigResource
    error_code: ErrorCode
    error_message: str | None


def check_form(changes: Sequence[ConfigChange]) -> None:
    """Refuse what no resource can take. Raises ProtocolError(INVALID_REQUEST)."""
    if len({change.name for change in changes}) < len(changes):
        raise bad_request("a setting is changed twice in one request")
    for name, operation, value in changes:
        if operation not in tuple(ConfigOperation):
            raise bad_request(
                f"operation {operation} is unknown: 0 sets, 1 deletes, 2 appends, 3 subtracts"
            )
        if value is None and operation != ConfigOperation.DELETE:
            raise bad_request(f"no value is given for {name}")


def named_twice() -> ProtocolError:
    """How every mention of a resource is refused that has several."""
    return bad_request("this resource is named more than once in the request")


def invalid(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_CONFIG, reason)


def bad_request(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REQUEST, reason)
