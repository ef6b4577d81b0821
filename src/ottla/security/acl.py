"""An ACL: who, from where, may or may not do what, on which resources (KIP-11, KIP-290).

Numbers of the protocol that nobody here knows are kept as they are: they match nothing.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError

EVERY_NAME: Final = "*"
"""A literal pattern of this name covers all resources of its type."""
EVERY_HOST: Final = "*"
EVERYBODY: Final = "User:*"
CLUSTER_NAME: Final = "kafka-cluster"
"""The one resource of type CLUSTER."""


class AclResourceType(IntEnum):
    """What may be controlled."""

    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """How a resource's name is meant; ANY and MATCH are in filters only."""

    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What may be allowed on a resource, by the protocol's numbers."""

    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """Which way; what is denied is stronger."""

    ANY = 1
    DENY = 2
    ALLOW = 3


ONLY_IN_FILTERS: Final = frozenset({0, 1})
IMPLIED_BY: Final = {
    Operation.DESCRIBE: frozenset(
        {Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}
    ),
    Operation.DESCRIBE_CONFIGS: frozenset({Operation.ALTER_CONFIGS}),
}
"""Who is allowed any of these is allowed the key; who is denied them is not denied the key."""


class Acl(NamedTuple):
    """One entry; the numbers are the protocol's."""

    resource_type: int
    resource_name: str
    pattern_type: int
    principal: str
    """As `User:alice`."""
    host: str
    operation: int
    permission: int


def check_acl(acl: Acl) -> None:
    """Refuse what cannot be an entry. Raises ProtocolError(INVALID_REQUEST)."""
    reason = _wrong(acl)
    if reason is not None:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, reason)


def _wrong(acl: Acl) -> str | None:
    if not acl.resource_name:
        return "name the resource that the entry is about"
    if acl.resource_type == AclResourceType.CLUSTER and acl.resource_name != CLUSTER_NAME:
        return f"there is one cluster, and it is named {CLUSTER_NAME}"
    if ":" not in acl.principal:
        return f"a principal is a kind and a name, as User:alice; this one is {acl.principal!r}"
    if acl.pattern_type not in (PatternType.LITERAL, PatternType.PREFIXED):
        return f"pattern type {acl.pattern_type} is for filters: 3 is literal, 4 prefixed"
    for value, known, noun in (
        (acl.resource_type, AclResourceType, "resource type"),
        (acl.operation, Operation, "operation"),
        (acl.permission, Permission, "permission"),
    ):
        if value in ONLY_IN_FILTERS or value not in tuple(known):
            return f"no entry can be of {noun} {value}"
    return None


class AclFilter(NamedTuple):
    """What an entry must match; None and ANY let all pass."""

    resource_type: int
    resource_name: str | None
    pattern_type: int
    principal: str | None
    host: str | None
    operation: int
    permission: int

    @property
    def is_known(self) -> bool:
        """Whether all of its numbers mean something here; one that does not matches nothing."""
        return (
            self.resource_type in tuple(AclResourceType)
            and self.pattern_type in tuple(PatternType)
            and self.operation in tuple(Operation)
            and self.permission in tuple(Permission)
        )

    def matches(self, acl: Acl) -> bool:
        """Whether an entry is meant."""
        return (
            self.resource_type in (AclResourceType.ANY, acl.resource_type)
            and self.operation in (Operation.ANY, acl.operation)
            and self.permission in (Permission.ANY, acl.permission)
            and (self.principal is None or self.principal == acl.principal)
            and (self.host is None or self.host == acl.host)
            and self._matches_pattern(acl)
        )

    def _matches_pattern(self, acl: Acl) -> bool:
        if self.pattern_type not in (PatternType.ANY, PatternType.MATCH, acl.pattern_type):
            return False
        if self.resource_name is None or self.resource_name == acl.resource_name:
            return True
        return self.pattern_type == PatternType.MATCH and covers(acl, self.resource_name)


def covers(acl: Acl, name: str) -> bool:
    """Whether the entry's pattern means the resource of this name."""
    if acl.pattern_type == PatternType.PREFIXED:
        return name.startswith(acl.resource_name)
    return acl.resource_name in (name, EVERY_NAME)
