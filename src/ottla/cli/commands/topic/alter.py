"""`ottla topic alter`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS, topic_settings
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT32, key_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=TOPICS)
@click.option("--partitions", "-p", type=INT32, help="How many there shall be: never fewer.")
@click.option(
    "--config",
    "-c",
    "configs",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set this on the topic.",
    shell_complete=topic_settings,
)
@click.option(
    "--unset", "unset", multiple=True, metavar="KEY", help="Back to what the broker says."
)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be done.")
@cluster_options
@output_option
def command(
    names: tuple[str, ...],
    partitions: int | None,
    configs: tuple[str, ...],
    unset: tuple[str, ...],
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Change topics: more partitions, other settings.

    More partitions move keys: records of a key that come later may go to another partition.

    \b
    ottla topic alter orders --partitions 12
    ottla topic alter orders prices -c retention.ms=86400000 --unset segment.bytes
    """
    changes = {**key_values(configs, "--config"), **dict.fromkeys(unset)}
    if partitions is None and not changes:
        raise click.UsageError("nothing to change: give --partitions, --config or --unset")

    async def alter(admin: Admin) -> Outcomes[str, None]:
        outcomes = await _set(admin, names, changes, validate_only=validate_only)
        if partitions is None or outcomes.errors:
            return outcomes
        counts = dict.fromkeys(names, partitions)
        return await admin.topics.add_partitions(counts, validate_only=validate_only)

    verb = "could alter" if validate_only else "altered"
    output.report(ask(cluster, alter), verb, item=lambda name: {"name": name})


async def _set(
    admin: Admin, names: tuple[str, ...], changes: dict[str, str | None], *, validate_only: bool
) -> Outcomes[str, None]:
    from ottla.client.admin.config_entries import ConfigResource
    from ottla.client.admin.outcomes import Outcomes

    unset = [key for key, value in changes.items() if value is None]
    errors = await _unknown(admin, names, unset) if unset else {}
    wanted = {ConfigResource.topic(name): changes for name in names if name not in errors}
    if changes and wanted:
        set_ = await admin.configs.alter(wanted, validate_only=validate_only)
        errors |= {resource.name: error for resource, error in set_.errors.items()}
    return Outcomes({name: None for name in names if name not in errors}, errors)


async def _unknown(
    admin: Admin, names: tuple[str, ...], unset: Sequence[str]
) -> dict[str, UserError]:
    """By topic. Brokers take away what nobody knows, as if it had been set."""
    from ottla.client.admin.config_entries import ConfigResource

    described = await admin.configs.describe(*map(ConfigResource.topic, names), names=unset)
    return {
        resource.name: UserError(f"there is no topic setting called {key!r}")
        for resource, settings in described.done.items()
        for key in unset
        if key not in settings
    }
