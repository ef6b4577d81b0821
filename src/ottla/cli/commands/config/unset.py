"""`ottla config unset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import click

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.nouns.config import (
    complete_key,
    is_partial,
    is_set_by,
    resource_arguments,
    resource_of,
    resource_row,
    resource_text,
)
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.config_entries import ConfigResource
    from ottla.client.admin.outcomes import Outcomes


class Keys(NamedTuple):
    """What was typed, by what there is to take away; each as it was typed."""

    unset: list[str]
    not_set: list[str]
    unknown: list[str]


@click.command()
@resource_arguments
@click.argument("keys", nargs=-1, required=True, metavar="KEY…", shell_complete=complete_key)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be done.")
@cluster_options
@output_option
def command(
    kind: str,
    name: str,
    keys: tuple[str, ...],
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let settings go back to what would be in force without them.

    \b
    ottla config unset topic orders retention.ms segment.bytes
    ottla config unset broker all log.retention.ms
    """
    resource = resource_of(kind, name)
    told, outcomes = ask(
        cluster, lambda admin: _unset(admin, resource, keys, validate_only=validate_only)
    )
    verb = "could unset" if validate_only else "unset"
    if not output.is_for_people:
        output.report(outcomes, verb, item=resource_row, result=lambda _: told._asdict())
    else:
        refuse({resource_text(resource): error for error in outcomes.errors.values()})
        if told.unset:
            output.say(f"{verb} {', '.join(told.unset)} of {resource_text(resource)}")
        for key in told.not_set:
            output.say(f"{key} of {resource_text(resource)} was not set")
    refuse(
        {
            key: UserError(f"{kind} {name} has no such setting: `ottla config describe` shows them")
            for key in told.unknown
        }
    )


async def _unset(
    admin: Admin, resource: ConfigResource, keys: tuple[str, ...], *, validate_only: bool
) -> tuple[Keys, Outcomes[ConfigResource, None]]:
    """All are asked for, also what seems not to be set: what is told is older than the change."""
    described = await admin.configs.describe(resource, names=keys)
    outcomes = await admin.configs.alter(
        {resource: dict.fromkeys(keys)}, validate_only=validate_only
    )
    told = Keys([], [], [])
    entries = described.done.get(resource)
    for key in keys:
        if entries is None or (key in entries and is_set_by(entries[key].source, resource)):
            told.unset.append(key)
        elif key in entries or is_partial(resource):
            told.not_set.append(key)
        else:
            told.unknown.append(key)
    return told, outcomes
