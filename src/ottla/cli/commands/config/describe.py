"""`ottla config describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.cli.cluster import ask
from ottla.cli.nouns.config import complete_key, is_partial, resource_arguments, resource_of
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.config_entries import ConfigEntry, ConfigSource

COLUMNS = {"key": "key", "value": "value", "source": "set by"}
SECRET = "(secret)"  # noqa: S105 # what is shown in its place


@click.command()
@resource_arguments
@click.argument("keys", nargs=-1, metavar="[KEY]…", shell_complete=complete_key)
@click.option("--all", "everything", is_flag=True, help="What nobody has set, too.")
@click.option("--synonyms", is_flag=True, help="Where else each value is set, the strongest first.")
@click.option("--docs", is_flag=True, help="What each setting means.")
@cluster_options
@output_option
def command(
    kind: str,
    name: str,
    keys: tuple[str, ...],
    everything: bool,
    synonyms: bool,
    docs: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Show the settings in force: those that somebody has set, these keys, or all.

    NAME is a topic, a broker's id or `all`, a group, a subscription of client metrics.

    \b
    ottla config describe topic orders
    ottla config describe topic orders retention.ms --synonyms --docs
    ottla config describe broker 1 --all --output yaml
    ottla config describe broker all
    """
    resource = resource_of(kind, name)
    settings = ask(
        cluster,
        lambda admin: admin.configs.describe(
            resource, names=keys or None, synonyms=True, documentation=docs
        ),
    )[resource]
    unknown = [] if is_partial(resource) else [key for key in keys if key not in settings]
    columns = {
        **COLUMNS,
        **({"synonyms": "synonyms"} if synonyms else {}),
        **({"documentation": "meaning"} if docs else {}),
    }
    rows = [
        _row(entry, synonyms=synonyms, docs=docs, for_people=output.is_for_people)
        for entry in settings.values()
        if everything or keys or not entry.is_default
    ]
    output.show(rows, columns)
    refuse(
        {
            key: UserError(f"{kind} {name} has no such setting: --all shows which there are")
            for key in unknown
        }
    )


def _row(entry: ConfigEntry, *, synonyms: bool, docs: bool, for_people: bool) -> dict[str, object]:
    row: dict[str, object] = {
        "key": entry.name,
        "value": SECRET if for_people and entry.is_sensitive else entry.value,
        "source": _source_text(entry.source),
        "type": entry.type.name.lower(),
        "read_only": entry.is_read_only,
        "sensitive": entry.is_sensitive,
    }
    if synonyms:
        row["synonyms"] = [
            f"{each.name}={each.value} ({_source_text(each.source)})"
            if for_people
            else {"key": each.name, "value": each.value, "source": _source_text(each.source)}
            for each in entry.synonyms
        ]
    if docs:
        row["documentation"] = entry.documentation
    return row


def _source_text(source: ConfigSource) -> str:
    return source.name.lower().replace("_", "-")
