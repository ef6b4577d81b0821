"""`ottla quota unset`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.quota import (
    complete_quota,
    entity_options,
    entity_row,
    entity_text,
    required_entity,
)
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from collections.abc import Collection

    from ottla.client.admin import Admin
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.quotas import QuotaEntity


@click.command()
@click.argument("quotas", nargs=-1, required=True, metavar="QUOTA…", shell_complete=complete_quota)
@entity_options
@cluster_options
@output_option
def command(
    quotas: tuple[str, ...], parts: dict[str, Any], cluster: ClusterOptions, output: Output
) -> None:
    """Remove quotas: whoever had them is bound by wider ones then, or by none.

    \b
    ottla quota unset --user alice producer_byte_rate
    ottla quota unset --ip-default connection_creation_rate
    """
    entity = required_entity(parts)
    had, outcomes = ask(cluster, lambda admin: _unset(admin, entity, parts, quotas))
    unset = [quota for quota in quotas if quota in had]
    not_set = [quota for quota in quotas if quota not in had]
    if not output.is_for_people:
        told = {"unset": unset, "not_set": not_set}
        output.report(outcomes, "unset", item=entity_row, result=lambda _: told)
        return
    refuse({entity_text(entity): error for error in outcomes.errors.values()})
    if unset:
        output.say(f"unset {', '.join(unset)} of {entity_text(entity)}")
    for quota in not_set:
        output.say(f"{quota} of {entity_text(entity)} was not set")


async def _unset(
    admin: Admin, entity: QuotaEntity, parts: dict[str, Any], quotas: tuple[str, ...]
) -> tuple[Collection[str], Outcomes[QuotaEntity, None]]:
    """Which quotas it had, and what became of taking them away."""
    had = (await admin.quotas.describe(**parts, strict=True)).get(entity, {})
    return had, await admin.quotas.alter({entity: dict.fromkeys(quotas)})
