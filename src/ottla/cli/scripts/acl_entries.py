"""Entries of access control as the options of kafka-acls say them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ottla.cli.scripts.command_line import Options
    from ottla.client.admin.acls import AclBinding, AclResourceType, PatternType, Permission
    from ottla.client.admin.operations import AclOperation

CLUSTER: Final = "kafka-cluster"
EVERYWHERE: Final = "*"
RESOURCES: Final = {
    "topic": "TOPIC",
    "group": "GROUP",
    "transactional-id": "TRANSACTIONAL_ID",
    "delegation-token": "DELEGATION_TOKEN",
    "user-principal": "USER",
}
"""Options that name resources, and what these are in the protocol."""

_OF_CONFIGS: Final = ("DESCRIBE_CONFIGS", "ALTER_CONFIGS")
SUPPORTED: Final = {
    "TOPIC": ("READ", "WRITE", "CREATE", "DESCRIBE", "DELETE", "ALTER", *_OF_CONFIGS),
    "GROUP": ("READ", "DESCRIBE", "DELETE", *_OF_CONFIGS),
    "CLUSTER": (
        *("CREATE", "CLUSTER_ACTION", "IDEMPOTENT_WRITE", "ALTER", "DESCRIBE"),
        *_OF_CONFIGS,
    ),
    "TRANSACTIONAL_ID": ("DESCRIBE", "WRITE", "TWO_PHASE_COMMIT"),
    "DELEGATION_TOKEN": ("DESCRIBE",),
    "USER": ("CREATE_TOKENS", "DESCRIBE_TOKENS"),
}
"""What can be done with a resource, beside ALL."""

_PRODUCER: Final = {
    "TOPIC": ("WRITE", "DESCRIBE", "CREATE"),
    "TRANSACTIONAL_ID": ("WRITE", "DESCRIBE"),
}
_CONSUMER: Final = {"TOPIC": ("READ", "DESCRIBE"), "GROUP": ("READ",)}


def operation_of(text: str) -> AclOperation | None:
    """`IdempotentWrite`, `IDEMPOTENT_WRITE` …; None for what is none."""
    from ottla.client.admin.operations import AclOperation

    wanted = text.replace("_", "").lower()
    for operation in AclOperation:
        if operation.name.replace("_", "").lower() == wanted and operation > AclOperation.ANY:
            return operation
    return None


def named_resources(options: Options) -> list[tuple[AclResourceType, str]]:
    """Kind and name of each, in the order of the options."""
    from ottla.client.admin.acls import AclResourceType

    found = [
        (AclResourceType[kind], name.strip())
        for option, kind in RESOURCES.items()
        for name in options.texts(option)
    ]
    if options.has("cluster"):
        found.append((AclResourceType.CLUSTER, CLUSTER))
    return found


def pattern_of(options: Options) -> PatternType:
    """How the names are meant."""
    from ottla.client.admin.acls import PatternType

    return PatternType[options.needed_text("resource-pattern-type").upper()]


def entries(options: Options) -> list[AclBinding]:
    """All that the options add, or take away where they name principals."""
    return [
        binding
        for kind, name, operation in _granted(options)
        for binding in _bindings(options, kind, name, operation)
    ]


def _granted(options: Options) -> Iterator[tuple[AclResourceType, str, AclOperation]]:
    """By the convenience of a role, else by operations."""
    from ottla.client.admin.acls import AclResourceType
    from ottla.client.admin.operations import AclOperation

    roles = [
        needs
        for option, needs in (("producer", _PRODUCER), ("consumer", _CONSUMER))
        if options.has(option)
    ]
    seen = set()
    for needs in roles:
        for kind, name in named_resources(options):
            for operation in needs.get(kind.name, ()):
                if (kind, name, operation) not in seen:
                    seen.add((kind, name, operation))
                    yield kind, name, AclOperation[operation]
    if options.has("idempotent"):
        yield AclResourceType.CLUSTER, CLUSTER, AclOperation.IDEMPOTENT_WRITE
    if roles:
        return
    for kind, name in named_resources(options):
        for text in options.texts("operation"):
            operation_wanted = operation_of(text)
            assert operation_wanted is not None
            yield kind, name, operation_wanted


def _bindings(
    options: Options, kind: AclResourceType, name: str, operation: AclOperation
) -> Iterator[AclBinding]:
    from ottla.client.admin.acls import AclBinding

    for permission, principals, hosts in _who(options):
        for principal in principals:
            for host in hosts:
                yield AclBinding(
                    *(kind, name, principal, operation, permission, host, pattern_of(options))
                )


def _who(options: Options) -> Iterator[tuple[Permission, list[str], list[str]]]:
    from ottla.client.admin.acls import Permission

    for permission, way in ((Permission.ALLOW, "allow"), (Permission.DENY, "deny")):
        principals = [text.strip() for text in options.texts(f"{way}-principal")]
        hosts = [text.strip() for text in options.texts(f"{way}-host")]
        yield permission, principals, hosts or [EVERYWHERE]
