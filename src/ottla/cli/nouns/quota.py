"""Whose quota it is: the options that the verbs of `ottla quota` share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import click

from ottla.cli.completion import USERS

if TYPE_CHECKING:
    from ottla.client.admin.quotas import QuotaEntity, Whose

QUOTAS: Final = {
    "producer_byte_rate": "Bytes a second that are written.",
    "consumer_byte_rate": "Bytes a second that are read.",
    "request_percentage": "Percent of a thread's time; a broker has many hundred.",
    "controller_mutation_rate": "Partitions a second that are made or deleted.",
    "connection_creation_rate": "Connections a second from an address.",
}

_PARTS: Final = ("user", "client_id", "ip")
DEFAULT_TEXT: Final = "<default>"
"""As a name: all that have no quota of their own."""


def entity_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take `parts: dict[str, str | Whose]`, those of an entity that were given."""

    @wraps(function)
    def command(**typed: Any) -> None:
        from ottla.client.admin.quotas import Whose

        parts: dict[str, str | Whose] = {}
        for part in _PARTS:
            name, is_default = typed.pop(part), typed.pop(f"{part}_default")
            if name is not None and is_default:
                option = part.replace("_", "-")
                raise click.UsageError(f"--{option} and --{option}-default are two entities")
            if name is not None or is_default:
                parts[part] = Whose.DEFAULT if is_default else name
        function(parts=parts, **typed)

    for option in (
        click.option("--ip-default", is_flag=True, help="Addresses without a quota of their own."),
        click.option("--ip", help="An address; not together with the others."),
        click.option(
            "--client-id-default", is_flag=True, help="Clients without a quota of their own."
        ),
        click.option("--client-id", help="Clients that call themselves so."),
        click.option("--user-default", is_flag=True, help="Users without a quota of their own."),
        click.option("--user", help="A user, as alice.", shell_complete=USERS),
    ):
        command = option(command)
    return command


def required_entity(parts: dict[str, Any]) -> QuotaEntity:
    """Whom the quota is for. Raises UsageError where nobody was named."""
    from ottla.client.admin.quotas import QuotaEntity

    if not parts:
        raise click.UsageError("say whose: --user, --client-id, --ip, or one of their defaults")
    return QuotaEntity(**parts)


def entity_row(entity: QuotaEntity) -> dict[str, object]:
    """Its parts; None where it does not look at one."""
    from ottla.client.admin.quotas import Whose

    parts = {part: getattr(entity, part) for part in _PARTS}
    return {part: DEFAULT_TEXT if name is Whose.DEFAULT else name for part, name in parts.items()}


def entity_text(entity: QuotaEntity) -> str:
    """For people."""
    row = {part: name for part, name in entity_row(entity).items() if name is not None}
    return ", ".join(f"{part.replace('_', '-')} {name}" for part, name in row.items())


def complete_quota(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Their names."""
    return [name for name in QUOTAS if name.startswith(begun)]
