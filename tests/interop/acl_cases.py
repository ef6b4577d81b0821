"""Requests about ACLs, passwords and tokens, to compare two brokers by; `told` says by what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from ottla.broker.discovery import load_handlers
from ottla.testing.direct_call import ask
from ottla.wire.messages.alter_user_scram_credentials import (
    AlterUserScramCredentialsRequest,
    ScramCredentialDeletion,
    ScramCredentialUpsertion,
)
from ottla.wire.messages.create_acls import AclCreation, CreateAclsRequest
from ottla.wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
)
from ottla.wire.messages.delete_acls import DeleteAclsFilter, DeleteAclsRequest
from ottla.wire.messages.describe_acls import DescribeAclsRequest
from ottla.wire.messages.describe_delegation_token import DescribeDelegationTokenRequest
from ottla.wire.messages.describe_user_scram_credentials import (
    DescribeUserScramCredentialsRequest,
    UserName,
)
from ottla.wire.messages.expire_delegation_token import ExpireDelegationTokenRequest
from ottla.wire.messages.renew_delegation_token import RenewDelegationTokenRequest
from ottla.wire.schema import Message, responses

load_handlers()

Row = tuple[int, str, int, str, str, int, int]
"""Resource type, name, pattern type, principal, host, operation, permission."""
Wanted = tuple[int, str | None, int, str | None, str | None, int, int]

CLOSED: Final = "the connection was closed"
TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 2, 3, 4, 5
LITERAL, PREFIXED = 3, 4
ALL, READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, CLUSTER_ACTION = 2, 3, 4, 5, 6, 7, 8, 9
DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE = 10, 11, 12
DENY, ALLOW = 2, 3
ANONYMOUS, SOMEBODY = "User:ANONYMOUS", "User:alice"
SECRET, OPEN = "secret", "open"

# -- the state: entries, passwords, tokens ---------------------------------------------------------


def creating(*rows: Row) -> CreateAclsRequest:
    return CreateAclsRequest(
        creations=[
            AclCreation(
                resource_type=kind,
                resource_name=name,
                resource_pattern_type=pattern,
                principal=principal,
                host=host,
                operation=operation,
                permission_type=permission,
            )
            for kind, name, pattern, principal, host, operation, permission in rows
        ]
    )


def deleting(*wanted: Wanted) -> DeleteAclsRequest:
    return DeleteAclsRequest(
        filters=[
            DeleteAclsFilter(
                resource_type_filter=kind,
                resource_name_filter=name,
                pattern_type_filter=pattern,
                principal_filter=principal,
                host_filter=host,
                operation=operation,
                permission_type=permission,
            )
            for kind, name, pattern, principal, host, operation, permission in wanted
        ]
    )


def describing(wanted: Wanted) -> DescribeAclsRequest:
    kind, name, pattern, principal, host, operation, permission = wanted
    return DescribeAclsRequest(
        resource_type_filter=kind,
        resource_name_filter=name,
        pattern_type_filter=pattern,
        principal_filter=principal,
        host_filter=host,
        operation=operation,
        permission_type=permission,
    )


ENTRY: Final[Row] = (TOPIC, "kept", LITERAL, SOMEBODY, "*", READ, ALLOW)


def but(place: int, value: Any) -> Row:
    """The entry with one thing changed."""
    changed: Any = (*ENTRY[:place], value, *ENTRY[place + 1 :])
    return changed  # type: ignore[no-any-return]  # a row again


CREATED: Final[tuple[CreateAclsRequest, ...]] = (
    creating(ENTRY),
    creating(ENTRY),
    creating(*[but(0, kind) for kind in (9,)], but(1, ""), but(1, "a b/c"), but(1, "ke")),
    *[creating(but(0, kind)) for kind in (0, GROUP, TRANSACTIONAL_ID, 6, 7)],
    *[creating((CLUSTER, name, LITERAL, SOMEBODY, "*", READ, ALLOW)) for name in ("x", "*")],
    *[creating(but(2, pattern)) for pattern in (0, PREFIXED, 5)],
    creating((TOPIC, "*", PREFIXED, SOMEBODY, "*", READ, ALLOW)),
    creating((TOPIC, "k", PREFIXED, SOMEBODY, "*", READ, ALLOW)),
    *[creating(but(3, who)) for who in ("", "alice", "Group:x", ":x", "User:", "User:a:b")],
    *[creating(but(4, host)) for host in ("", "no host", "192.0.2.7", "::1")],
    *[creating(but(5, operation)) for operation in (0, 2, 13, 15, 16)],
    *[creating(but(6, permission)) for permission in (0, DENY, 4)],
    creating(),
    creating(but(1, "twice"), but(1, "twice")),
)
WE_REFUSE: Final[tuple[CreateAclsRequest, ...]] = tuple(
    creating(but(place, value)) for place, value in ((0, 1), (2, 1), (2, 2), (5, 1), (6, 1))
)
"""What only filters may say: Kafka fails with UNKNOWN_SERVER_ERROR, we say INVALID_REQUEST."""

_FILTERS: Final[tuple[Wanted, ...]] = (
    (1, None, 1, None, None, 1, 1),
    *[(1, None, pattern, None, None, 1, 1) for pattern in (0, 2, 3, 4, 9)],
    *[(kind, None, 1, None, None, 1, 1) for kind in (0, 2, 3, 6, 7, 9)],
    *[(1, None, 1, None, None, operation, 1) for operation in (0, 2, READ, 77)],
    *[(1, None, 1, None, None, 1, permission) for permission in (0, 2, 3, 9)],
    *[(TOPIC, name, 2, None, None, 1, 1) for name in ("kept", "ke", "other", "*", "")],
    *[(TOPIC, name, 1, None, None, 1, 1) for name in ("kept", "k", "*", "")],
    *[(TOPIC, "kept", pattern, None, None, 1, 1) for pattern in (3, 4)],
    *[(1, None, 1, who, None, 1, 1) for who in (SOMEBODY, "User:nobody", "x", "")],
    *[(1, None, 1, None, host, 1, 1) for host in ("*", "192.0.2.7", "")],
)
DESCRIBED: Final = tuple(describing(wanted) for wanted in _FILTERS)
DELETED: Final[tuple[DeleteAclsRequest, ...]] = (
    deleting((TOPIC, "twice", 3, None, None, 1, 1), (TOPIC, "twice", 1, None, None, 1, 1)),
    deleting((0, None, 1, None, None, 1, 1)),
    deleting((TOPIC, "nothing", 3, None, None, 1, 1)),
    deleting((TOPIC, "kept", 3, None, None, 9, 9)),
    deleting((TOPIC, "kept", 9, None, None, 1, 1)),
    deleting((TOPIC, "kept", 2, SOMEBODY, None, READ, 1)),
    deleting(),
)


def setting(*users: str, mechanism: int = 1, iterations: int = 4096) -> list[Any]:
    return [
        ScramCredentialUpsertion(
            name=user,
            mechanism=mechanism,
            iterations=iterations,
            salt=b"salt",
            salted_password=b"salted",
        )
        for user in users
    ]


def altering(
    *removed: tuple[str, int], upsertions: Iterable[ScramCredentialUpsertion] = ()
) -> AlterUserScramCredentialsRequest:
    return AlterUserScramCredentialsRequest(
        deletions=[ScramCredentialDeletion(name=user, mechanism=kind) for user, kind in removed],
        upsertions=list(upsertions),
    )


PASSWORDS: Final[tuple[Message, ...]] = (
    altering(upsertions=setting("alice", "bob", "alice")),
    altering(upsertions=setting("alice", "bob")),
    altering(upsertions=setting("alice", mechanism=2, iterations=8192)),
    *[altering(upsertions=setting("x", iterations=count)) for count in (0, 4095, 16385)],
    *[altering(upsertions=setting("x", mechanism=kind)) for kind in (0, 3)],
    altering(upsertions=setting("")),
    altering(("alice", 1), upsertions=setting("alice", mechanism=2)),
    altering(("nosuch", 1), ("bob", 2), ("", 1), upsertions=setting("carol")),
    altering(("bob", 0)),
    altering(("bob", 1), ("bob", 1)),
    altering(),
)
PASSWORDS_TOLD: Final[tuple[Message, ...]] = tuple(
    DescribeUserScramCredentialsRequest(
        users=None if users is None else [UserName(name=user) for user in users]
    )
    for users in (None, [], ["alice"], ["alice", "alice", "bob"], ["nosuch"], [""])
)
TOKENS: Final[tuple[Message, ...]] = (
    CreateDelegationTokenRequest(renewers=[], max_lifetime_ms=-1),
    CreateDelegationTokenRequest(
        owner_principal_type="User",
        owner_principal_name="bob",
        renewers=[CreatableRenewers(principal_type="Group", principal_name="g")],
        max_lifetime_ms=-5,
    ),
    RenewDelegationTokenRequest(hmac=b"secret", renew_period_ms=-1),
    ExpireDelegationTokenRequest(hmac=b"secret", expiry_time_period_ms=-1),
    DescribeDelegationTokenRequest(owners=None),
    DescribeDelegationTokenRequest(owners=[]),
)

# -- what is compared ------------------------------------------------------------------------------

_COMPARED: Final = re.compile(
    r".*error_code|.*name|.*authorized_operations|topic|group_id|transactional_id|key|user"
    r"|.*partition(_index|_id)?|index|acls|principal|host|operation|permission_type|.*_type"
    r"|iterations|mechanism|principal_.*|token_.*"
)
_NOT_COMPARED: Final = {"cluster_id", "rack", "node_id", "port", "assignor_name", "configs"}


class Asked(NamedTuple):
    """One broker."""

    address: tuple[str, int]

    def told(self, request: Message, version: int | None = None) -> object:
        """What its answer says, without what differs between two brokers that agree."""
        try:
            answer = ask(self.address, request, responses[request.API_KEY], at_most=version)
        except ConnectionError:
            return CLOSED
        return told(answer)


def told(value: Any) -> Any:
    """Names and errors of a message; the order of lists does not count."""
    if isinstance(value, list):
        return sorted((told(each) for each in value), key=repr)
    if not isinstance(value, msgspec.Struct):
        return value
    fields = {
        field.name: getattr(value, field.name)
        for field in msgspec.structs.fields(value)
        if field.name not in _NOT_COMPARED
    }
    return {
        name: told(found)
        for name, found in fields.items()
        if found and (isinstance(found, list | msgspec.Struct) or _COMPARED.fullmatch(name))
    }
