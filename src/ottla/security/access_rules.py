"""All ACLs of a cluster, laid out so that a question about one resource looks at few of them.

Immutable: a change of the ACLs makes new rules.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from ottla.security.acl import (
    EVERY_HOST,
    EVERY_NAME,
    EVERYBODY,
    IMPLIED_BY,
    Acl,
    Operation,
    PatternType,
    Permission,
)
from ottla.security.hosts import host_key

_ANY_RESOURCE: Final = "hardcode"
"""Stands for a resource that nobody has named (see `allows_any`), as Apache Kafka's name for it."""


class AccessRules:
    """Decides as Apache Kafka's StandardAuthorizer: denied before allowed before the default.

    `super_users` may do everything. A resource that no ACL is about is for everybody with
    `allow_if_no_acl`, and for nobody else without it.
    """

    def __init__(
        self,
        acls: Iterable[Acl] = (),
        *,
        super_users: frozenset[str] = frozenset(),
        allow_if_no_acl: bool = False,
    ) -> None:
        self._super_users = super_users
        self._allow_if_no_acl = allow_if_no_acl
        self._literal: dict[tuple[int, str], list[Acl]] = defaultdict(list)
        self._prefixed: dict[tuple[int, str], list[Acl]] = defaultdict(list)
        self._prefix_lengths: dict[int, list[int]] = {}
        self._by_type: dict[int, list[Acl]] = defaultdict(list)
        lengths: dict[int, set[int]] = defaultdict(set)
        for acl in acls:
            known = acl._replace(host=host_key(acl.host))
            key = (acl.resource_type, acl.resource_name)
            self._by_type[acl.resource_type].append(known)
            if acl.pattern_type == PatternType.PREFIXED:
                self._prefixed[key].append(known)
                lengths[acl.resource_type].add(len(acl.resource_name))
            else:
                self._literal[key].append(known)
        for resource_type, found in lengths.items():
            self._prefix_lengths[resource_type] = sorted(found)

    def allows(
        self, principal: str, host: str, operation: Operation, resource_type: int, name: str
    ) -> bool:
        """Whether somebody at a host, in the form of `host_key`, may do this to the resource."""
        if principal in self._super_users:
            return True
        about_anybody = False
        allowed = False
        for acl in self._about(resource_type, name):
            about_anybody = True
            if not _concerns(acl, principal, host):
                continue
            if acl.permission == Permission.DENY:
                if acl.operation in (operation, Operation.ALL):
                    return False
            elif _includes(acl.operation, operation):
                allowed = True
        return allowed or (not about_anybody and self._allow_if_no_acl)

    def allows_any(
        self, principal: str, host: str, operation: Operation, resource_type: int
    ) -> bool:
        """Whether there is, or could be, a resource of this type on which somebody may do this.

        Only ACLs that name the operation itself, or all, count.
        """
        if self.allows(principal, host, operation, resource_type, _ANY_RESOURCE):
            return True
        mine = [
            acl
            for acl in self._by_type.get(resource_type, ())
            if _concerns(acl, principal, host) and acl.operation in (operation, Operation.ALL)
        ]
        denied = {
            (acl.pattern_type, acl.resource_name)
            for acl in mine
            if acl.permission == Permission.DENY
        }
        if (PatternType.LITERAL, EVERY_NAME) in denied:
            return False
        return any(
            acl.permission == Permission.ALLOW and not _is_denied_whole(acl, denied) for acl in mine
        )

    def _about(self, resource_type: int, name: str) -> Iterator[Acl]:
        yield from self._literal.get((resource_type, name), ())
        if name != EVERY_NAME:
            yield from self._literal.get((resource_type, EVERY_NAME), ())
        for length in self._prefix_lengths.get(resource_type, ()):
            if length > len(name):
                return
            yield from self._prefixed.get((resource_type, name[:length]), ())


def _concerns(acl: Acl, principal: str, host: str) -> bool:
    return acl.principal in (principal, EVERYBODY) and acl.host in (host, EVERY_HOST)


def _includes(allowed: int, asked: Operation) -> bool:
    return allowed in (asked, Operation.ALL) or allowed in IMPLIED_BY.get(asked, ())


def _is_denied_whole(acl: Acl, denied: set[tuple[int, str]]) -> bool:
    """Whether every resource that an ACL allows is denied by others."""
    name = acl.resource_name
    if acl.pattern_type == PatternType.LITERAL:
        if name == EVERY_NAME:
            return False
        if (PatternType.LITERAL, name) in denied:
            return True
    return any(
        (PatternType.PREFIXED, name[:length]) in denied for length in range(1, len(name) + 1)
    )
