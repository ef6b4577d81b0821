"""On what, for whom and which way: the options that the verbs of `ottla acl` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from ottla.cli.completion import GROUPS, TOPICS, TRANSACTIONAL_IDS, USERS

if TYPE_CHECKING:
    from ottla.client.admin.acls import AclBinding, AclFilter

CLUSTER: Final = "kafka-cluster"
"""What the one resource of this kind is called."""

OPERATIONS: Final = (
    *("all", "read", "write", "create", "delete", "alter", "describe", "cluster-action"),
    *("describe-configs", "alter-configs", "idempotent-write", "create-tokens"),
    *("describe-tokens", "two-phase-commit"),
)

_RESOURCES: Final = {
    "topics": "TOPIC",
    "groups": "GROUP",
    "transactional_ids": "TRANSACTIONAL_ID",
    "tokens": "DELEGATION_TOKEN",
    "users": "USER",
}
"""Options that name resources, and what these are in the protocol."""

_RESOURCE_OPTIONS: Final = (
    click.option(
        "--topic",
        "topics",
        multiple=True,
        help="On a topic; more than once.",
        shell_complete=TOPICS,
    ),
    click.option(
        "--group",
        "groups",
        multiple=True,
        help="On a group; more than once.",
        shell_complete=GROUPS,
    ),
    click.option("--cluster", "on_cluster", is_flag=True, help="On the cluster itself."),
    click.option(
        "--transactional-id",
        "transactional_ids",
        multiple=True,
        help="On a transactional id.",
        shell_complete=TRANSACTIONAL_IDS,
    ),
    click.option(
        "--delegation-token", "tokens", multiple=True, help="On a delegation token, by id."
    ),
    click.option(
        "--user-principal",
        "users",
        multiple=True,
        help="On a user, for whom tokens are made: User:alice.",
        shell_complete=USERS,
    ),
)


class NamedResources(NamedTuple):
    """What somebody named, by the kinds of the protocol: each kind with its names."""

    by_kind: dict[str, tuple[str, ...]]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Kind and name of each."""
        return [(kind, name) for kind, names in self.by_kind.items() for name in names]


def resource_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `resources: NamedResources`."""

    @wraps(function)
    def command(*, on_cluster: bool, **rest: Any) -> None:
        named = {kind: rest.pop(option) for option, kind in _RESOURCES.items()}
        if on_cluster:
            named["CLUSTER"] = (CLUSTER,)
        function(resources=NamedResources(named), **rest)

    for option in reversed(_RESOURCE_OPTIONS):
        command = option(command)
    return command


class TypedFilter(NamedTuple):
    """Which entries somebody means."""

    resources: NamedResources
    principals: tuple[str, ...]
    operations: tuple[str, ...]
    permission: str | None
    host: str | None
    pattern: str

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said: every entry is meant."""
        said = (
            *self.resources.pairs,
            *self.principals,
            *self.operations,
            self.permission,
            self.host,
        )
        return not any(said) and self.pattern == "any"

    def filters(self) -> list[AclFilter]:
        """One for each combination of what was named."""
        from ottla.client.admin.acls import AclFilter, AclResourceType, PatternType, Permission
        from ottla.client.admin.operations import AclOperation

        wanted: list[tuple[str, str | None]] = [*self.resources.pairs]
        return [
            AclFilter(
                AclResourceType[kind],
                name,
                principal,
                AclOperation[operation],
                Permission[(self.permission or "any").upper()],
                self.host,
                PatternType[self.pattern.upper()],
            )
            for kind, name in wanted or [("ANY", None)]
            for principal in self.principals or (None,)
            for operation in map(_constant, self.operations or ("any",))
        ]


def filter_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `typed: TypedFilter`."""

    @wraps(function)
    def command(
        *,
        resources: NamedResources,
        principals: tuple[str, ...],
        operations: tuple[str, ...],
        permission: str | None,
        host: str | None,
        pattern: str,
        **rest: Any,
    ) -> None:
        typed = TypedFilter(resources, principals, operations, permission, host, pattern)
        function(typed=typed, **rest)

    for option in (
        click.option(
            "--pattern",
            type=click.Choice(["any", "match", "literal", "prefixed"]),
            default="any",
            show_default=True,
            help="How entries mean their names; match: whatever covers the name given here.",
        ),
        click.option("--host", help="From this address."),
        click.option("--permission", type=click.Choice(["allow", "deny"]), help="Which way."),
        click.option(
            "--operation",
            "operations",
            multiple=True,
            type=click.Choice(OPERATIONS),
            metavar="OPERATION",
            help=f"Of this operation: {', '.join(OPERATIONS)}.",
        ),
        click.option("--principal", "principals", multiple=True, help="Of this one: User:alice."),
    ):
        command = option(command)
    return resource_options(command)


def operation_of(typed: str) -> Any:
    """As the client names it."""
    from ottla.client.admin.operations import AclOperation

    return AclOperation[_constant(typed)]


def _constant(typed: str) -> str:
    return typed.upper().replace("-", "_")


COLUMNS: Final = {
    "resource_type": "resource",
    "resource_name": "name",
    "pattern_type": "pattern",
    "principal": "principal",
    "host": "host",
    "operation": "operation",
    "permission": "permission",
}


def binding_row(binding: AclBinding) -> dict[str, object]:
    """One entry."""
    return {
        "resource_type": _word(binding.resource_type.name),
        "resource_name": binding.resource_name,
        "pattern_type": _word(binding.pattern_type.name),
        "principal": binding.principal,
        "host": binding.host,
        "operation": _word(binding.operation.name),
        "permission": _word(binding.permission.name),
    }


def _word(constant: str) -> str:
    return constant.lower().replace("_", "-")


def binding_text(binding: AclBinding) -> str:
    """For people."""
    row = binding_row(binding)
    return f"{row['principal']} {row['operation']} {row['resource_type']} {row['resource_name']}"
