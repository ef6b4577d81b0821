"""What the three APIs about ACLs have in common."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.security.acl import AclFilter
from ottla.wire.messages.delete_acls import DeleteAclsFilter
from ottla.wire.messages.describe_acls import DescribeAclsRequest

NO_AUTHORIZER: Final = "this broker has no authorizer: set authorizer.class.name to keep ACLs"
_UNKNOWN: Final = 0


def filter_of(asked: DescribeAclsRequest | DeleteAclsFilter) -> AclFilter:
    """Raises ProtocolError, which closes the connection, as `check_numbers` does."""
    numbers = (
        asked.resource_type_filter,
        asked.pattern_type_filter,
        asked.operation,
        asked.permission_type,
    )
    check_numbers(*numbers)
    return AclFilter(
        resource_type=asked.resource_type_filter,
        resource_name=asked.resource_name_filter,
        pattern_type=asked.pattern_type_filter,
        principal=asked.principal_filter,
        host=asked.host_filter,
        operation=asked.operation,
        permission=asked.permission_type,
    )


def check_numbers(*numbers: int) -> None:
    """Close the connection where a client sends "unknown": it does not know what it says.

    Apache Kafka takes it for a request that cannot be read, too.
    """
    if _UNKNOWN in numbers:
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST, "an ACL of an unknown type, pattern, operation or permission"
        )
